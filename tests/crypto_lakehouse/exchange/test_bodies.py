"""Answers are kept as received; what was damaged is an error and never other rows."""

import gzip
import json
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.errors import HostileArchive, LakehouseError, SchemaDrift
from crypto_lakehouse.exchange.bodies import Answer, decode, encode
from tests.rest_lake import utc

MANY = 1 << 24
AT = utc(2025, 1, 3, 10, 7, 30)
STREAM = Path(__file__).parents[4] / "shared" / "real" / "stream"

answers = st.lists(
    st.builds(
        Answer,
        st.datetimes(timezones=st.just(AT.tzinfo)),
        st.text(),
        st.dictionaries(st.text(), st.text() | st.integers()),
        st.integers(100, 599),
        st.none() | st.integers(0, 10_000),
        st.text(st.characters(exclude_categories=("Cs",))),
    ),
    max_size=5,
)


def klines(rows: int) -> list[Answer]:
    body = json.dumps([[number * 60_000, "1.0", f"{number}.5"] for number in range(rows)])
    return [Answer(AT, "klines", {"symbol": "BTCUSDT", "limit": 499}, 200, 2, body)] * 3


@given(answers)
def test_what_was_encoded_is_decoded_the_same_with_every_character_of_its_body(given_: list[Answer]) -> None:
    assert decode(encode(given_), MANY) == given_


@given(answers)
def test_the_same_answers_give_the_same_bytes(given_: list[Answer]) -> None:
    assert encode(given_) == encode(list(given_))


@pytest.mark.parametrize("name", ["BINANCE", "BINANCE_FUTURES", "BINANCE_DELIVERY"])
def test_bodies_of_a_recorded_session_come_back_byte_for_byte(name: str) -> None:
    path = STREAM / f"{name}.jsonl.zst"
    if not path.is_file():
        pytest.skip("../shared/real is not here: recorded sessions come with the workplace, not with the project")
    with pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd") as stream:
        records = [json.loads(line) for line in stream.read().decode().splitlines()]
    bodies = [one["data"] for one in records if one["t"] == "http"]
    assert len(bodies) >= 5
    told = [Answer(AT, "recorded", {}, 200, None, body) for body in bodies]
    kept = encode(told)
    assert [one.body for one in decode(kept, MANY)] == bodies
    # Answers compress well, which is why they are kept whole.
    assert len(kept) < sum(map(len, bodies)) / 3


def test_cut_off_at_any_length_it_is_an_error() -> None:
    data = encode(klines(50))
    lengths = {*range(0, 40), *range(40, len(data), 7), len(data) - 1}
    for length in lengths:
        with pytest.raises(HostileArchive):
            decode(data[:length], MANY)
    assert len(lengths) > 50


def test_a_flipped_bit_is_an_error_or_changes_no_row() -> None:
    given_ = klines(20)
    data = encode(given_)
    outcomes = {"error": 0, "same": 0}
    for place in range(len(data)):
        for bit in (1, 16, 128):
            damaged = bytearray(data)
            damaged[place] ^= bit
            try:
                # Only gzip's own unused fields, such as its time, may change without harm.
                assert decode(bytes(damaged), MANY) == given_
                outcomes["same"] += 1
            except LakehouseError:
                outcomes["error"] += 1
    assert outcomes["error"] > len(data) * 2
    assert outcomes["same"] < 40


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = gzip.compress(b"0" * (1 << 26))
    assert len(bomb) < 1 << 17
    with pytest.raises(HostileArchive, match="more than 1000000 bytes"):
        decode(bomb, 1_000_000)


def test_the_bound_is_exact() -> None:
    data = encode(klines(5))
    size = len(gzip.decompress(data))
    assert decode(data, size + 1) == klines(5)
    with pytest.raises(HostileArchive):
        decode(data, size - 1)


def test_what_follows_the_answers_is_an_error_and_not_dropped() -> None:
    for rest in (b"\0", encode(klines(1)), b"tail"):
        with pytest.raises(HostileArchive):
            decode(encode(klines(2)) + rest, MANY)


@pytest.mark.parametrize("data", [b"", b"plain", zlib.compress(b"{}"), b"\x1f\x8b"])
def test_what_is_no_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(HostileArchive):
        decode(data, MANY)


@pytest.mark.parametrize("line", ["{", "[]", "7", "{}", '{"at": "today"}', "\ufffe", "[" * 100_000])
def test_a_line_that_is_no_answer_is_drift(line: str) -> None:
    with pytest.raises(SchemaDrift):
        decode(gzip.compress(f"{line}\n".encode()), MANY)
