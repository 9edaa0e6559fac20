"""The bytes of a block are judged before a parser, which would accept many faults, sees them."""

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.silver import bytegate
from crypto_lakehouse.silver.bytegate import check_bytes, check_carry, has_long_fraction
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

TRADES = dataset("binance_um_agg_trades")
DEPTH, METRICS = dataset("binance_um_book_depth"), dataset("binance_um_metrics")
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
        (line(b"\xff"), "not UTF-8"),
        (line() + line(b"\xff"), "not UTF-8"),
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


@pytest.mark.parametrize("places", [8, 18])
@pytest.mark.parametrize("at", [0, 1, 5, 4090, 4094, 4095, 4096, 4100])
def test_a_long_fraction_is_found_wherever_a_slice_ends(places: int, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytegate, "_SLICE_BYTES", 4096)
    filler = b"1," * (at // 2) + b"1" * (at % 2)
    short, long = b"." + b"1" * places, b"." + b"1" * (places + 1)
    assert not has_long_fraction(filler + b"0" + short + b",1\n" * 3000, places)
    assert has_long_fraction(filler + b"0" + long + b",1\n" * 3000, places)
    assert has_long_fraction(filler + b"0" + long, places)


def test_times_as_text_have_one_space_each_and_no_other() -> None:
    good = b"2024-01-01 00:00:00,-5.00,1.5,2.5\n"
    assert check_bytes(good, DEPTH, DEPTH.layouts[0]).lines == 1
    with pytest.raises(SchemaDrift, match="blanks"):
        check_bytes(good.replace(b"1.5", b" 1.5"), DEPTH, DEPTH.layouts[0])


def test_no_other_blank_replaces_the_space_of_a_time() -> None:
    with pytest.raises(SchemaDrift, match="blanks"):
        check_bytes(b"2024-01-01\r00:00:00,-5.00,1.5,2.5\n", DEPTH, DEPTH.layouts[0])


def test_only_an_empty_field_may_be_quoted() -> None:
    line = b'2024-01-01 00:05:00,BTCUSDT,1,2,"",1,1,1\n'
    facts = check_bytes(line, METRICS, METRICS.layouts[0])
    assert (facts.lines, facts.has_quotes) == (1, True)
    with pytest.raises(SchemaDrift, match="quotes"):
        check_bytes(line.replace(b'""', b'"1"'), METRICS, METRICS.layouts[0])
