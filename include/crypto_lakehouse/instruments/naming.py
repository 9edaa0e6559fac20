"""Facts that are derived from the text of a symbol. Exchange info is better, where it contains the symbol.

The exchange joins base and quote without a separator, so a split may be wrong. No function raises on a valid symbol:
a symbol that cannot be split is returned as the base asset, without a quote asset.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from crypto_lakehouse.vocabulary import InstrumentKind, Market

# The longest quote asset that leaves a base asset is used.
_SPOT_QUOTES = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDS", "USDP", "USD1", "AEUR", "EURI", "IDRT", "BIDR", "BKRW", "BVND",
    "DOGE", "BTC", "ETH", "BNB", "TRX", "XRP", "DOT", "SOL", "DAI", "PAX", "UST", "VAI", "EUR", "GBP", "TRY", "AUD",
    "BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP", "IDR",
)  # fmt: skip
_UM_QUOTES = ("USDT", "USDC", "BUSD", "USD1", "BTC", "USD")
_AEUR_BASES = frozenset({"BTC", "ETH", "EUR"})
"""ADAEUR is ADA and EUR, not AD and AEUR: few pairs are quoted in AEUR, and many bases end in A."""

# Both families of tokens are closed: what else ends so (JUP, SYRUP) is an ordinary asset.
_UP_DOWN_STEMS = frozenset(
    {
        *("1INCH", "AAVE", "ADA", "BCH", "BNB", "BTC", "DOT", "EOS", "ETH", "FIL"),
        *("LINK", "LTC", "SUSHI", "SXP", "TRX", "UNI", "XLM", "XRP", "XTZ", "YFI"),
    }
)
_BULL_BEAR_STEMS = frozenset({"", "BNB", "EOS", "ETH", "XRP"})
_LEVERAGED = re.compile(r"(.*)(UP|DOWN|BULL|BEAR)")

_SETTLED = re.compile(r"(.+?)_?SETTLED[0-9]*")
_DELIVERY = re.compile(r"(.+)_([0-9]{6})")
_PERPETUAL = re.compile(r"(.+)_PERP")
_VOLATILITY_INDEX = re.compile(r"(.+)BVOL(USDT)")
# Ordering is significant: the longer prefix starts with the shorter one.
_MULTIPLIED = re.compile(r"(1000000|1000)([^\W\d_].*)")
_WORDED_MULTIPLIERS = {"1MBABYDOGE": (1_000_000, "BABYDOGE")}


@dataclass(frozen=True, slots=True)
class SymbolName:
    """The parts of a symbol.

    Args:
        kind: The kind of instrument, from the form of the symbol.
        base_asset: The base asset in the spelling of the symbol, such as `1000SHIB`.
        quote_asset: The quote asset, if the symbol could be split.
        underlying_asset: The base asset without its multiplier, such as `SHIB`.
        multiplier: How much of the underlying asset one unit of the base asset is.
        delivery_day: The day in the name of a delivery contract.
    """

    kind: InstrumentKind
    base_asset: str
    quote_asset: str | None
    underlying_asset: str
    multiplier: int
    delivery_day: date | None = None


def parse_symbol(market: Market, symbol: str) -> SymbolName:
    """Returns the parts of a valid symbol of a market.

    >>> name = parse_symbol(Market.UM, "1000SHIBUSDT")
    >>> name.kind.value, name.base_asset, name.quote_asset, name.underlying_asset, name.multiplier
    ('perpetual', '1000SHIB', 'USDT', 'SHIB', 1000)
    >>> parse_symbol(Market.UM, "ETHUSDT_260925").delivery_day
    datetime.date(2026, 9, 25)
    """
    if market is Market.SPOT:
        return _spot(symbol)
    if market is Market.OPTION:
        return _option(symbol)
    settled = _SETTLED.fullmatch(symbol)
    name = _contract(market, settled[1] if settled else symbol)
    return _with_kind(name, InstrumentKind.SETTLED) if settled else name


def split_multiplier(base_asset: str) -> tuple[int, str]:
    """Returns how much of which asset one unit of a base asset is.

    >>> split_multiplier("1000000MOG"), split_multiplier("1INCH")
    ((1000000, 'MOG'), (1, '1INCH'))
    """
    if base_asset in _WORDED_MULTIPLIERS:
        return _WORDED_MULTIPLIERS[base_asset]
    match = _MULTIPLIED.fullmatch(base_asset)
    return (int(match[1]), match[2]) if match else (1, base_asset)


def is_leveraged_token(base_asset: str) -> bool:
    """Returns whether a spot base asset is one of the leveraged tokens.

    >>> is_leveraged_token("BTCUP"), is_leveraged_token("BULL"), is_leveraged_token("JUP")
    (True, True, False)
    """
    match = _LEVERAGED.fullmatch(base_asset)
    if match is None:
        return False
    return match[1] in (_UP_DOWN_STEMS if match[2] in {"UP", "DOWN"} else _BULL_BEAR_STEMS)


def _spot(symbol: str) -> SymbolName:
    base, quote = _split(symbol, _SPOT_QUOTES)
    leveraged = quote is not None and is_leveraged_token(base)
    return _name(InstrumentKind.LEVERAGED_TOKEN if leveraged else InstrumentKind.SPOT, base, quote)


def _option(symbol: str) -> SymbolName:
    index = _VOLATILITY_INDEX.fullmatch(symbol)
    if index:
        return _name(InstrumentKind.INDEX, f"{index[1]}BVOL", index[2])
    return _name(InstrumentKind.OPTION_UNDERLYING, *_split(symbol, _UM_QUOTES))


def _contract(market: Market, symbol: str) -> SymbolName:
    quotes = ("USD",) if market is Market.CM else _UM_QUOTES
    delivery, perpetual = _DELIVERY.fullmatch(symbol), _PERPETUAL.fullmatch(symbol)
    if delivery:
        return _name(InstrumentKind.DELIVERY, *_split(delivery[1], quotes), _day(delivery[2]))
    # A COIN-M symbol without a suffix is a pair. The archive has its index price.
    plain = InstrumentKind.INDEX if market is Market.CM else InstrumentKind.PERPETUAL
    kind = InstrumentKind.PERPETUAL if perpetual else plain
    return _name(kind, *_split(perpetual[1] if perpetual else symbol, quotes))


def _split(text: str, quotes: tuple[str, ...]) -> tuple[str, str | None]:
    for quote in quotes:
        base = text.removesuffix(quote)
        if base and base != text and (quote != "AEUR" or base in _AEUR_BASES):
            return base, quote
    return text, None


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _name(kind: InstrumentKind, base: str, quote: str | None, delivery_day: date | None = None) -> SymbolName:
    multiplier, underlying = split_multiplier(base)
    return SymbolName(kind, base, quote, underlying, multiplier, delivery_day)


def _with_kind(name: SymbolName, kind: InstrumentKind) -> SymbolName:
    return SymbolName(
        kind, name.base_asset, name.quote_asset, name.underlying_asset, name.multiplier, name.delivery_day
    )
