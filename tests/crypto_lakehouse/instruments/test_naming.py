"""A symbol's spelling is read as far as it can be, and reading it never fails."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instruments.naming import parse_symbol
from crypto_lakehouse.symbols import MAX_LENGTH, validated_symbol
from crypto_lakehouse.vocabulary import InstrumentKind as Kind
from crypto_lakehouse.vocabulary import Market

SYMBOLS = (
    (Market.SPOT, "BTCUSDT", Kind.SPOT, "BTC", "USDT"),
    (Market.SPOT, "ETHBTC", Kind.SPOT, "ETH", "BTC"),
    (Market.SPOT, "ADAEUR", Kind.SPOT, "ADA", "EUR"),
    (Market.SPOT, "GALAEUR", Kind.SPOT, "GALA", "EUR"),
    (Market.SPOT, "EURAEUR", Kind.SPOT, "EUR", "AEUR"),
    (Market.SPOT, "USDSBUSDT", Kind.SPOT, "USDSB", "USDT"),
    (Market.SPOT, "TUSDBTUSD", Kind.SPOT, "TUSDB", "TUSD"),
    (Market.SPOT, "BNBFDUSD", Kind.SPOT, "BNB", "FDUSD"),
    (Market.SPOT, "RENBTCBTC", Kind.SPOT, "RENBTC", "BTC"),
    (Market.SPOT, "TUSDT", Kind.SPOT, "T", "USDT"),
    (Market.SPOT, "USDTTRY", Kind.SPOT, "USDT", "TRY"),
    (Market.SPOT, "BTCUPUSDT", Kind.LEVERAGED_TOKEN, "BTCUP", "USDT"),
    (Market.SPOT, "1INCHDOWNUSDT", Kind.LEVERAGED_TOKEN, "1INCHDOWN", "USDT"),
    (Market.SPOT, "ETHBULLBUSD", Kind.LEVERAGED_TOKEN, "ETHBULL", "BUSD"),
    (Market.SPOT, "BEARUSDT", Kind.LEVERAGED_TOKEN, "BEAR", "USDT"),
    (Market.SPOT, "JUPUSDT", Kind.SPOT, "JUP", "USDT"),
    (Market.SPOT, "SYRUPUSDT", Kind.SPOT, "SYRUP", "USDT"),
    (Market.SPOT, "币安人生USDT", Kind.SPOT, "币安人生", "USDT"),
    (Market.UM, "BTCUSDT", Kind.PERPETUAL, "BTC", "USDT"),
    (Market.UM, "ETHBTC", Kind.PERPETUAL, "ETH", "BTC"),
    (Market.UM, "JUPUSDT", Kind.PERPETUAL, "JUP", "USDT"),
    (Market.UM, "币安人生USDT", Kind.PERPETUAL, "币安人生", "USDT"),
    (Market.UM, "ETHUSDT_260925", Kind.DELIVERY, "ETH", "USDT"),
    (Market.UM, "CVCUSDTSETTLED", Kind.SETTLED, "CVC", "USDT"),
    (Market.UM, "ICPUSDT_SETTLED", Kind.SETTLED, "ICP", "USDT"),
    (Market.UM, "ICPUSDT_SETTLED1", Kind.SETTLED, "ICP", "USDT"),
    (Market.CM, "BTCUSD_PERP", Kind.PERPETUAL, "BTC", "USD"),
    (Market.CM, "BTCUSD_240329", Kind.DELIVERY, "BTC", "USD"),
    (Market.CM, "BTCUSD", Kind.INDEX, "BTC", "USD"),
    (Market.OPTION, "BTCBVOLUSDT", Kind.INDEX, "BTCBVOL", "USDT"),
    (Market.OPTION, "BTCUSDT", Kind.OPTION_UNDERLYING, "BTC", "USDT"),
)


@pytest.mark.parametrize(("market", "symbol", "kind", "base", "quote"), SYMBOLS, ids=str)
def test_a_symbol_is_split_into_kind_base_and_quote(
    market: Market, symbol: str, kind: Kind, base: str, quote: str
) -> None:
    name = parse_symbol(market, symbol)
    assert (name.kind, name.base_asset, name.quote_asset) == (kind, base, quote)


@pytest.mark.parametrize(
    ("symbol", "multiplier", "underlying"),
    [
        ("1000SHIBUSDT", 1000, "SHIB"),
        ("1000000MOGUSDT", 1_000_000, "MOG"),
        ("1MBABYDOGEUSDT", 1_000_000, "BABYDOGE"),
        ("1INCHUSDT", 1, "1INCH"),
        ("1000USDT", 1, "1000"),
        ("BTCUSDT", 1, "BTC"),
    ],
)
def test_a_multiplier_is_told_from_a_name_that_starts_with_a_digit(
    symbol: str, multiplier: int, underlying: str
) -> None:
    name = parse_symbol(Market.UM, symbol)
    assert (name.multiplier, name.underlying_asset) == (multiplier, underlying)


def test_a_delivery_contract_has_its_day_and_an_impossible_day_is_none() -> None:
    assert parse_symbol(Market.UM, "ETHUSDT_260925").delivery_day == date(2026, 9, 25)
    impossible = parse_symbol(Market.UM, "ETHUSDT_269999")
    assert (impossible.kind, impossible.delivery_day) == (Kind.DELIVERY, None)


def test_what_no_quote_asset_ends_is_a_base_asset_alone() -> None:
    name = parse_symbol(Market.SPOT, "这是测试币456")
    assert (name.base_asset, name.quote_asset) == ("这是测试币456", None)


def is_symbol(text: str) -> bool:
    try:
        validated_symbol(text)
    except InvalidRequest:
        return False
    return True


PARTS = ("BTC", "USDT", "USD", "1000", "_", "PERP", "SETTLED", "UP", "AEUR", "BVOL", "260925", "币", "٠١٢٣٤٥")
ANY_SYMBOL = st.one_of(
    st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=MAX_LENGTH),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join),
).filter(is_symbol)


@given(st.sampled_from(Market), ANY_SYMBOL)
@example(Market.UM, "BTCUSDT_٠١٢٣٤٥")
@example(Market.UM, "SETTLED")
@example(Market.SPOT, "USDT")
def test_no_valid_symbol_is_refused_and_its_parts_are_parts_of_it(market: Market, symbol: str) -> None:
    name = parse_symbol(market, symbol)
    assert symbol.startswith(f"{name.base_asset}{name.quote_asset or ''}")
    assert name.base_asset
    assert name.underlying_asset
    assert name.base_asset.endswith(name.underlying_asset)
    assert name.multiplier >= 1
