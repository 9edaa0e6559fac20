"""Bytes are counted before they are parsed, because a CSV reader accepts too much."""

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import LakehouseError, SchemaDrift
from crypto_lakehouse.silver import bytegate
from crypto_lakehouse.silver.bytegate import check_bytes, check_carry, has_long_fraction
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

DEPTH = dataset("binance_um_book_depth")
METRICS = dataset("binance_um_metrics")


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
    with pytest.raises(LakehouseError, match="blanks"):
        check_bytes(good.replace(b"1.5", b" 1.5"), DEPTH, DEPTH.layouts[0])


def test_no_other_blank_replaces_the_space_of_a_time() -> None:
    with pytest.raises(LakehouseError, match="blanks"):
        check_bytes(b"2024-01-01\r00:00:00,-5.00,1.5,2.5\n", DEPTH, DEPTH.layouts[0])


def test_only_an_empty_field_may_be_quoted() -> None:
    line = b'2024-01-01 00:05:00,BTCUSDT,1,2,"",1,1,1\n'
    facts = check_bytes(line, METRICS, METRICS.layouts[0])
    assert (facts.lines, facts.has_quotes) == (1, True)
    with pytest.raises(SchemaDrift, match="quotes"):
        check_bytes(line.replace(b'""', b'"1"'), METRICS, METRICS.layouts[0])


def test_an_open_line_may_be_as_long_as_the_limit() -> None:
    check_carry(MAX_LINE_BYTES)
    with pytest.raises(SchemaDrift, match=f"a line of more than {MAX_LINE_BYTES} bytes"):
        check_carry(MAX_LINE_BYTES + 1)
