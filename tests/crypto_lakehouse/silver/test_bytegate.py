"""The bytes of a block are judged before a parser, which would accept many faults, sees them."""

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.silver.bytegate import check_bytes, check_carry, has_long_fraction
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

TRADES = dataset("binance_um_agg_trades")
LAYOUT = TRADES.layouts[0]
WIDTH = len(LAYOUT.columns)


def line(*values: bytes) -> bytes:
    return b",".join([*values, *[b"1"] * (WIDTH - len(values))]) + b"\n"


def test_a_sound_block_gives_its_counts() -> None:
    facts = check_bytes(line() + line(b"1", b"1.5E-7"), TRADES, LAYOUT)
    assert (facts.lines, facts.has_quotes, facts.exponents) == (2, False, 1)


def test_a_plus_within_an_exponent_is_accepted() -> None:
    assert check_bytes(line(b"1", b"1E+3"), TRADES, LAYOUT).exponents == 1


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (line()[:-1] + b",1\n", "commas in"),
        (line() + b"\n", "commas in"),
        (line(b" 1"), "blanks or control characters"),
        (line(b"1\r"), "blanks or control characters"),
        (line(b"1\0"), "blanks or control characters"),
        (line(b"+1"), "plus sign"),
        (line(b'"1"'), "quotes around"),
        (line(b"\xff"), "not UTF-8 at line 1"),
        (line() + line(b"\xff"), "not UTF-8 at line 2"),
    ],
)
def test_a_fault_is_refused_in_words(block: bytes, message: str) -> None:
    with pytest.raises(SchemaDrift, match=message):
        check_bytes(block, TRADES, LAYOUT)


@pytest.mark.parametrize(
    ("number", "places", "is_long"),
    [(b"0.12345678", 8, False), (b"0.123456789", 8, True), (b"123456789.1", 8, False), (b"1.5E-7", 8, False)],
)
@pytest.mark.parametrize("before", [0, (1 << 18) - 7], ids=["at the start", "across two slices"])
def test_a_number_that_would_be_rounded_is_found(number: bytes, places: int, is_long: bool, before: int) -> None:
    block = b"\n" * before + line(number)
    assert has_long_fraction(block, places) is is_long


def test_a_line_without_end_is_refused() -> None:
    check_carry(MAX_LINE_BYTES)
    with pytest.raises(SchemaDrift, match="more than"):
        check_carry(MAX_LINE_BYTES + 1)
