"""JSON of the futures' small records: funding payments, open interest, ratios."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from crypto_lakehouse.columns import METRICS_STAMP_START_FROM
from crypto_lakehouse.vocabulary import DataType, Interval, Market, TimeUnit
from tests.fakes.exchange.encoding import RowShape, microseconds
from tests.fakes.exchange.rows import RowSource
from tests.fakes.exchange.series import DatasetSeries
from tests.fakes.exchange.symbols import pair_of

PERIOD = 300_000_000
_HOUR_MS = 3_600_000
_RATIO_FIELDS = {
    "topLongShortAccountRatio": 4,
    "topLongShortPositionRatio": 5,
    "globalLongShortAccountRatio": 6,
}
_VOLUME_SOLD = Decimal(1000)


def funding_shape(source: RowSource, market: Market) -> RowShape:
    """Returns the shape of funding payments; the archive has no mark price, so it is taken from the mark's candles."""
    name = DatasetSeries.of(market, DataType.MARK_PRICE_KLINES, "").name

    def mark_price(symbol: str, boundary: int) -> str:
        day = datetime.fromtimestamp(boundary / 1000, UTC).date()
        series = DatasetSeries(name, symbol, Interval.H8)
        rows = (line.split(",") for line in source.lines(series, day))
        return next((row[1] for row in rows if int(row[0]) == boundary), "")

    def encode(series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
        boundary = int(row[0]) // _HOUR_MS * _HOUR_MS
        return (
            f'{{"symbol":"{series.symbol}","fundingTime":{row[0]},"fundingRate":"{row[2]}",'
            f'"markPrice":"{mark_price(series.symbol, boundary)}"}}'
        )

    return RowShape(encode)


def metrics_shape(endpoint: str, market: Market) -> RowShape:
    """Returns the shape of one endpoint of `futures/data`, each of which tells some columns of the metrics."""
    encode = _interest(market) if endpoint == "openInterestHist" else _ratio(endpoint)
    return RowShape(encode, days_over=1)


def metrics_until(now: int) -> int:
    """Returns the last stamp that a row may have whose period is over."""
    day = datetime.fromtimestamp(now / 1_000_000, UTC).date()
    return now - PERIOD if day >= METRICS_STAMP_START_FROM else now


def _interest(market: Market) -> Callable[[DatasetSeries, list[str], TimeUnit], str]:
    def encode(series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
        whose = f'"symbol":"{series.symbol}"'
        if market is Market.CM:
            whose = f'"pair":"{pair_of(series.symbol)}","contractType":"PERPETUAL"'
        return (
            f'{{{whose},"sumOpenInterest":"{row[2]}","sumOpenInterestValue":"{row[3]}","timestamp":{_stamp(row[0])}}}'
        )

    return encode


def _ratio(endpoint: str) -> Callable[[DatasetSeries, list[str], TimeUnit], str]:
    def taker(_series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
        ratio = _unquoted(row[7])
        bought = _VOLUME_SOLD * Decimal(ratio or 0)
        return (
            f'{{"buySellRatio":"{ratio}","sellVol":"{_VOLUME_SOLD:.4f}","buyVol":"{bought:.4f}",'
            f'"timestamp":{_stamp(row[0])}}}'
        )

    def accounts(series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
        ratio = _unquoted(row[_RATIO_FIELDS[endpoint]])
        long = Decimal(ratio or 0) / (1 + Decimal(ratio or 0))
        return (
            f'{{"symbol":"{series.symbol}","longShortRatio":"{ratio}","longAccount":"{long:.4f}",'
            f'"shortAccount":"{1 - long:.4f}","timestamp":{_stamp(row[0])}}}'
        )

    return taker if endpoint == "takerlongshortRatio" else accounts


def _unquoted(field: str) -> str:
    return field.strip('"')


def _stamp(words: str) -> int:
    return microseconds(words) // 1000
