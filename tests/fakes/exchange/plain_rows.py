"""Spot rows of the archive as other exchanges tell them: the same market, other words."""

from dataclasses import dataclass
from decimal import Decimal

from crypto_lakehouse.vocabulary import DataType, Interval, Market, TimeUnit
from tests.fakes.exchange.encoding import KLINE, RowShape
from tests.fakes.exchange.history import History, Library
from tests.fakes.exchange.protocol import Request
from tests.fakes.exchange.series import DatasetSeries


@dataclass(frozen=True, slots=True)
class Listing:
    """One market of another exchange.

    Args:
        symbol: The spot symbol whose rows it shows.
        base: Base asset in the exchange's words.
        quote: Quote asset in the exchange's words.
    """

    symbol: str
    base: str
    quote: str


def candles(library: Library, request: Request, symbol: str, interval: Interval) -> History:
    """Returns the spot candles up to now, in Binance's row."""
    series = DatasetSeries.of(Market.SPOT, DataType.KLINES, symbol, interval)
    return library.history(series, KLINE, request.now, TimeUnit.MILLISECONDS)


def trades(library: Library, request: Request, symbol: str, shape: RowShape) -> History:
    """Returns the spot trades up to now, as `shape` tells them."""
    series = DatasetSeries.of(Market.SPOT, DataType.TRADES, symbol)
    return library.history(series, shape, request.now, TimeUnit.MICROSECONDS)


def shortest(number: str) -> str:
    """Returns a decimal without the zeros that say nothing.

    >>> shortest("60000.10000000"), shortest("60000.00"), shortest("100")
    ('60000.1', '60000', '100')
    """
    return number.rstrip("0").rstrip(".") if "." in number else number


def average_price(value: str, volume: str, spelling: str) -> str:
    """Returns value per volume with as many digits as `spelling`.

    >>> average_price("300.0", "2.0", "1.00")
    '150.00'
    """
    if not Decimal(volume):
        return f"{Decimal(0).quantize(Decimal(spelling)):f}"
    return f"{(Decimal(value) / Decimal(volume)).quantize(Decimal(spelling)):f}"
