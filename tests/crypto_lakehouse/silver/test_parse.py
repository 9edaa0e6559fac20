"""Numbers are exact or refused."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ContentRefused, LakehouseError
from crypto_lakehouse.silver.parse import SourceShape, parse_block

FUNDING = SourceShape(dataset("binance_um_funding_rate"), dataset("binance_um_funding_rate").layouts[0])


def rate(text: str) -> Decimal:
    value = parse_block(f"1704067200000,8,{text}\n".encode(), FUNDING)["last_funding_rate"][0]
    assert isinstance(value, Decimal)
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0E-8", "0"),
        ("1.2E-7", "0.00000012"),
        ("-0.00003449", "-0.00003449"),
        ("1E-18", "0.000000000000000001"),
        ("1e2", "100"),
        ("0.1000000000000000000000000", "0.1"),
        ("99999999999999999999", "99999999999999999999"),
    ],
)
def test_a_number_keeps_its_exact_value(text: str, value: str) -> None:
    assert rate(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["1E-19", "0.1234567890123456789", "NaN", "-inf", "1e400", "1e-400", "0x1", "1_0", "", "-", ".", "e5", "1e"]
)
def test_what_cannot_be_kept_exactly_is_refused(text: str) -> None:
    with pytest.raises(ContentRefused):
        rate(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=18))
@settings(max_examples=100, deadline=None)
def test_any_decimal_that_fits_is_read_as_it_is_written(value: Decimal) -> None:
    assert rate(str(value)) == value
    assert rate(f"{value:f}") == value


@given(st.text(alphabet="0123456789.,-+eE", min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_exactly_or_refused(text: str) -> None:
    try:
        value = rate(text)
    except LakehouseError:
        return
    assert value == Decimal(text)


def test_an_empty_block_has_no_rows() -> None:
    assert parse_block(b"", FUNDING).height == 0
