"""The lines of a block that are no rows are found by the parser itself, and nothing else is lost."""

import random

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ContentRefused, SchemaDrift
from crypto_lakehouse.silver.parse import SourceShape, parse_block
from crypto_lakehouse.silver.separate import parse_lines
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

TABLE = dataset("binance_um_funding_rate")
FUNDING = SourceShape(TABLE, TABLE.layouts[0])
BAD = (b"\n", b"1704067200000,8,x\n", b"1704067200000,8\n", b"1704067200000,8,1,1\n", b"1704067200000,8,\xff\n")


def line(number: int) -> bytes:
    return f"{1704067200000 + number},8,0.{number:06}\n".encode()


@pytest.mark.parametrize("seed", range(5))
def test_every_bad_line_is_found_and_every_other_line_is_a_row(seed: int) -> None:
    dice = random.Random(seed)
    lines = [line(number) for number in range(dice.randint(1, 3000))]
    bad = sorted(dice.sample(range(len(lines)), min(len(lines), dice.randint(1, 60))))
    for place in bad:
        lines[place] = dice.choice(BAD)
    parsed = parse_lines(b"".join(lines), FUNDING)
    assert [each.place for each in parsed.bad] == bad
    assert parsed.places is not None
    kept = [place for place in range(len(lines)) if place not in set(bad)]
    assert parsed.places.tolist() == kept
    assert parsed.frame.equals(parse_block(b"".join(lines[place] for place in kept), FUNDING))


def test_a_block_without_a_bad_line_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = parse_lines(line(1) + line(2), FUNDING)
    assert (parsed.places, parsed.bad, parsed.frame.height) == (None, (), 2)


def test_more_bad_lines_than_any_object_may_have_end_the_search() -> None:
    with pytest.raises(ContentRefused, match="more than 1000 lines are no rows; the first: line 1 of the block"):
        parse_lines(b"1704067200000,8,x\n" * 1200, FUNDING)


def test_a_line_that_is_too_long_is_an_attack_and_no_row() -> None:
    with pytest.raises(SchemaDrift, match=f"the limit is {MAX_LINE_BYTES}"):
        parse_lines(line(1) + b"1704067200000,8," + b"1" * MAX_LINE_BYTES + b"\n", FUNDING)
