"""Synthetic rows in the format of the archive, one function per kind of record.

Each function yields the lines of one UTC day without a header. Digits, booleans, empty values and units are formatted
as in the published files; see docs/datasets.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from crypto_lakehouse.columns import METRICS_STAMP_START_FROM
from crypto_lakehouse.demo.prices import Numbers, minute_prices, prices_at, seeded
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, Interval, Market

TRADES_PER_DAY = 2_000
MICROSECONDS_SINCE = date(2025, 1, 1)
"""Spot files use microseconds from this day on. All other files use milliseconds."""

TWELVE_BANDS_SINCE = date(2026, 1, 15)
"""Book depth has the bands of 0.2 percent from this day on."""


@dataclass(frozen=True, slots=True)
class DayContent:
    """What to generate for one day of a file: dataset, symbol, day, and interval where the dataset has intervals."""

    dataset: Dataset
    symbol: str
    day: date
    interval: Interval | None = None

    @property
    def units_per_second(self) -> int:
        """Units of its timestamps per second."""
        is_micro = self.dataset.market is Market.SPOT and self.day >= MICROSECONDS_SINCE
        return 1_000_000 if is_micro else 1_000

    @property
    def start_seconds(self) -> int:
        """Start of the day in seconds since the epoch."""
        return int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp())

    @property
    def price_digits(self) -> int:
        """Digits after the decimal point of its prices."""
        if self.dataset.data_type is DataType.PREMIUM_INDEX_KLINES:
            return 8
        return {Market.SPOT: 8, Market.UM: 2, Market.CM: 1}.get(self.dataset.market, 4)

    def stamps(self, seconds: Numbers) -> list[int]:
        """Returns timestamps in the unit of the file for seconds of the day."""
        unit = self.units_per_second
        return [self.start_seconds * unit + round(second * 1000) * (unit // 1000) for second in seconds.tolist()]

    def price_text(self, price: float) -> str:
        """Returns a price in the format of the files."""
        tick = 2 if self.dataset.market is Market.SPOT else self.price_digits
        return f"{round(price, tick):.{self.price_digits}f}"


def kline_lines(content: DayContent) -> Iterator[str]:
    """Yields klines. Klines of computed prices have samples and no volume."""
    length = (content.interval or Interval.M1).microseconds or 0
    seconds = length // 1_000_000
    count = 86_400 // seconds
    chance = seeded("klines", content.dataset.name, content.symbol, content.day, seconds)
    volumes, shares = chance.exponential(seconds / 6.0, count), chance.random(count)
    trades = chance.integers(20, 400, count)
    opens = content.stamps(np.arange(0, 86_400, seconds, dtype=np.float64))
    for number, (low, high, first, last) in enumerate(_candles(content, seconds)):
        close_time = opens[number] + seconds * content.units_per_second - 1
        prices = ",".join(content.price_text(value) for value in (first, high, low, last))
        price = float(content.price_text(last))
        rest = _volumes(content, float(volumes[number]), float(shares[number]), price, int(trades[number]))
        yield f"{opens[number]},{prices},{rest[0]},{close_time},{rest[1]}"


def _candles(content: DayContent, seconds: int) -> Iterator[tuple[float, float, float, float]]:
    """Yields low, high, first and last price of each kline of the day."""
    premium = content.dataset.data_type is DataType.PREMIUM_INDEX_KLINES
    edges = prices_at(content.symbol, content.day, np.arange(0, 86_401, seconds, dtype=float))
    path = minute_prices(content.symbol, content.day)
    minutes = max(1, seconds // 60)
    for number, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inner = path[number * minutes : (number + 1) * minutes + 1] if seconds >= 60 else edges[number : number + 2]
        low, high = float(inner.min()), float(inner.max())
        scale = 1e-8 if premium else 1.0
        yield low * scale, high * scale, first * scale, last * scale


def _volumes(content: DayContent, volume: float, share: float, price: float, trades: int) -> tuple[str, str]:
    """Returns the volume field and the fields after the close time."""
    if content.dataset.data_type is not DataType.KLINES:
        return "0", "0,60,0,0,0"
    if content.dataset.market is Market.CM:
        contracts = int(volume * 100) + 1
        taker = int(contracts * share)
        return str(contracts), f"{contracts * 100 / price:.8f},{trades},{taker},{taker * 100 / price:.8f},0"
    digits = 8 if content.dataset.market is Market.SPOT else 3
    base = round(volume, min(digits, 5)) + 0.001
    taker_base = round(base * share, min(digits, 5))
    value_digits = 8 if digits == 8 else 5
    value, taker_value = base * price, taker_base * price
    return f"{base:.{digits}f}", (
        f"{value:.{value_digits}f},{trades},{taker_base:.{digits}f},{taker_value:.{value_digits}f},0"
    )


def _ticks(content: DayContent) -> tuple[list[int], list[str], Numbers, list[bool], int]:
    """Returns stamps, prices, quantities, sides and the first identifier of a day's trades."""
    # By market, not by dataset: single trades and aggregated trades describe the same trades.
    chance = seeded("trades", content.dataset.market, content.symbol, content.day)
    seconds = np.sort(chance.random(TRADES_PER_DAY)) * 86_399.0
    prices = [content.price_text(price) for price in prices_at(content.symbol, content.day, seconds).tolist()]
    quantities = np.maximum(1.0, chance.exponential(20.0, TRADES_PER_DAY).round())
    sides = (chance.random(TRADES_PER_DAY) < 0.5).tolist()
    return content.stamps(seconds), prices, quantities, sides, content.day.toordinal() * TRADES_PER_DAY


def _quantity(content: DayContent, count: float) -> str:
    if content.dataset.market is Market.CM:
        return f"{count:.1f}" if content.dataset.data_type is DataType.AGG_TRADES else f"{count:.0f}"
    return f"{count / 1000:.{8 if content.dataset.market is Market.SPOT else 3}f}"


def agg_trade_lines(content: DayContent) -> Iterator[str]:
    """Yields aggregated trades. Their identifiers are contiguous, also from day to day."""
    stamps, prices, quantities, sides, first = _ticks(content)
    for number, (stamp, price, count, side) in enumerate(zip(stamps, prices, quantities.tolist(), sides, strict=True)):
        trade = first + number
        line = f"{trade},{price},{_quantity(content, count)},{trade},{trade},{stamp}"
        yield f"{line},{side},True" if content.dataset.market is Market.SPOT else f"{line},{str(side).lower()}"


def trade_lines(content: DayContent) -> Iterator[str]:
    """Yields single trades."""
    stamps, prices, quantities, sides, first = _ticks(content)
    for number, (stamp, price, count, side) in enumerate(zip(stamps, prices, quantities.tolist(), sides, strict=True)):
        inverse = content.dataset.market is Market.CM
        value = count * 100 / float(price) if inverse else count / 1000 * float(price)
        line = f"{first + number},{price},{_quantity(content, count)},{value:.8f},{stamp}"
        yield f"{line},{side},True" if content.dataset.market is Market.SPOT else f"{line},{str(side).lower()}"


def book_ticker_lines(content: DayContent) -> Iterator[str]:
    """Yields changes of best bid and ask, half a tick or more apart."""
    stamps, prices, quantities, _, first = _ticks(content)
    for number, (stamp, price, count) in enumerate(zip(stamps, prices, quantities.tolist(), strict=True)):
        ask = float(price) + 10.0**-content.price_digits
        size = _quantity(content, count)
        yield f"{first + number},{price},{size},{ask:.{content.price_digits}f},{size},{stamp},{stamp + 4}"


def book_depth_lines(content: DayContent) -> Iterator[str]:
    """Yields depth in ten percentage bands, or twelve from 2026-01-15 on, every thirty seconds."""
    bands = [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]
    spelled = [str(band) for band in bands]
    if content.day >= TWELVE_BANDS_SINCE:
        bands_and_inner = sorted([*map(float, bands), -0.2, 0.2])
        spelled = [f"{band:.2f}" for band in bands_and_inner]
    chance = seeded("depth", content.dataset.name, content.symbol, content.day)
    start = datetime.fromtimestamp(content.start_seconds, UTC)
    price = float(minute_prices(content.symbol, content.day)[0])
    depths = chance.exponential(500.0, (2880, len(spelled)))
    half = len(spelled) // 2
    # A band has all orders up to its distance from the mid price, so a wider band has more.
    depths[:, :half] = depths[:, :half][:, ::-1].cumsum(axis=1)[:, ::-1]
    depths[:, half:] = depths[:, half:].cumsum(axis=1)
    for number in range(2880):
        stamp = start + timedelta(seconds=30 * number + 5)
        for band, depth in zip(spelled, depths[number].tolist(), strict=True):
            size = round(depth, 3)
            yield f"{stamp:%Y-%m-%d %H:%M:%S},{band},{size:.8f},{size * price:.8f}"


def metrics_lines(content: DayContent) -> Iterator[str]:
    """Yields open interest and ratios every five minutes; COIN-M has no ratios and leaves them empty."""
    chance = seeded("metrics", content.dataset.name, content.symbol, content.day)
    start = datetime.fromtimestamp(content.start_seconds, UTC)
    stamps_end = content.day < METRICS_STAMP_START_FROM
    price = minute_prices(content.symbol, content.day)
    ratios = chance.uniform(0.5, 2.0, (288, 4))
    for number in range(288):
        stamp = start + timedelta(minutes=5 * (number + stamps_end))
        interest = round(80_000 + 100 * float(ratios[number, 0]), 3)
        value = interest * float(price[5 * number])
        four = ",".join(
            '""' if content.dataset.market is Market.CM else f"{ratio:.8f}" for ratio in ratios[number].tolist()
        )
        yield f"{stamp:%Y-%m-%d %H:%M:%S},{content.symbol},{interest:.3f}0000000000000,{value:.8f}00000000,{four}"


def funding_lines(content: DayContent) -> Iterator[str]:
    """Yields a payment every eight hours, with timestamps a few milliseconds late."""
    chance = seeded("funding", content.dataset.name, content.symbol, content.day)
    for hour, jitter, rate in zip((0, 8, 16), chance.integers(0, 14, 3), chance.normal(1e-4, 5e-5, 3), strict=True):
        yield f"{(content.start_seconds + hour * 3600) * 1000 + int(jitter)},8,{float(rate):.8f}"


def liquidation_lines(content: DayContent) -> Iterator[str]:
    """Yields liquidation orders, each twice: the archive contains them twice."""
    chance = seeded("liquidations", content.dataset.name, content.symbol, content.day)
    seconds = np.sort(chance.random(40)) * 86_399.0
    for stamp, price in zip(
        content.stamps(seconds), prices_at(content.symbol, content.day, seconds).tolist(), strict=True
    ):
        side, size = chance.choice(["BUY", "SELL"]), _quantity(content, float(chance.integers(1, 500)))
        limit = content.price_text(price)
        line = f"{stamp},{side},LIMIT,IOC,{size},{limit},{limit},FILLED,{size},{size}"
        yield from (line, line)


def bvol_lines(content: DayContent) -> Iterator[str]:
    """Yields the volatility index every second, a few milliseconds off."""
    chance = seeded("bvol", content.symbol, content.day)
    values = 50 + np.cumsum(chance.normal(0, 0.003, 86_400))
    asset = content.symbol.removesuffix("USDT")
    jitters = chance.integers(0, 20, 86_400)
    base = content.start_seconds * 1000
    for second, (value, jitter) in enumerate(zip(values.tolist(), jitters.tolist(), strict=True)):
        yield f"{base + second * 1000 + jitter},{content.symbol},{asset},USDT,{value:.4f}"


def eoh_lines(content: DayContent) -> Iterator[str]:
    """Yields an hourly summary of four options, not sorted by hour, with empty values and zeros as in the archive."""
    base = content.symbol.removesuffix("USDT")
    expiry = f"{content.day + timedelta(days=30):%y%m%d}"
    path = minute_prices(content.symbol, content.day)
    for kind in ("C", "P"):
        for strike in (25_000, 30_000):
            for hour in range(24):
                mark = max(5.0, round(abs(float(path[hour * 60]) - strike) / 5) * 5)
                name, price = f"{base}-{expiry}-{strike}-{kind}", f"{mark:.8f}"
                yield (
                    f"{content.day},{hour:02},{name},{content.symbol},{kind},{expiry}-{strike},{price},{price},{price},{price},"
                    f'0E-8,0E-8,{price},{mark + 5:.8f},1.50000000,2.80000000,"",0.55000000,{price},0.52000000,'
                    f"{'-' if kind == 'P' else ''}0.50000000,0.00003418,67.04384070,-10.07996766,"
                    "6.40000000,172226.01002195"
                )


LINES = {
    DataType.KLINES: kline_lines,
    DataType.MARK_PRICE_KLINES: kline_lines,
    DataType.INDEX_PRICE_KLINES: kline_lines,
    DataType.PREMIUM_INDEX_KLINES: kline_lines,
    DataType.AGG_TRADES: agg_trade_lines,
    DataType.TRADES: trade_lines,
    DataType.BOOK_TICKER: book_ticker_lines,
    DataType.BOOK_DEPTH: book_depth_lines,
    DataType.METRICS: metrics_lines,
    DataType.FUNDING_RATE: funding_lines,
    DataType.LIQUIDATION_SNAPSHOT: liquidation_lines,
    DataType.BVOL_INDEX: bvol_lines,
    DataType.EOH_SUMMARY: eoh_lines,
}
"""The lines of a day, by kind of record."""
