"""What travels between steps arrives as it was sent."""

from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.records import (
    ColumnDifference,
    Manifest,
    ManifestInput,
    Reconciliation,
    RefusedInput,
    inputs_digest,
)

KLINES = dataset("binance_um_klines")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
reconciliations = st.builds(
    Reconciliation, columns=st.lists(st.builds(ColumnDifference, column=texts), max_size=2).map(tuple)
)
manifests = st.builds(
    Manifest,
    inputs=st.lists(st.builds(ManifestInput, key=texts), max_size=3).map(tuple),
    refused=st.lists(st.builds(RefusedInput, reason=texts), max_size=3).map(tuple),
    covered=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    reconciliations=st.lists(reconciliations, max_size=2).map(tuple),
    conflict_examples=st.lists(st.dictionaries(texts, texts, max_size=3), max_size=3).map(tuple),
)
pairs = st.lists(st.tuples(st.text("abc/", max_size=5), st.text("0123456789abcdef", min_size=1, max_size=4)))


@given(manifests)
def test_a_manifest_survives_json_and_the_same_one_gives_the_same_text(manifest: Manifest) -> None:
    text = manifest.to_json()
    assert Manifest.from_json(text) == manifest
    assert Manifest.from_json(text.encode()).to_json() == text


@given(pairs, st.randoms(use_true_random=False))
def test_the_digest_of_inputs_does_not_depend_on_their_order(objects: list[tuple[str, str]], random: object) -> None:
    shuffled = objects[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert inputs_digest(KLINES, shuffled) == inputs_digest(KLINES, iter(objects))


@given(pairs, pairs)
def test_other_inputs_have_another_digest(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    assert (inputs_digest(KLINES, one) == inputs_digest(KLINES, other)) is (sorted(one) == sorted(other))
