"""Synthetic rows in the archive's own spelling, one function per kind of record.

Each returns the lines of one UTC day without a header. Spellings (digits, booleans, empties, units) are those of the
published files: see docs/datasets.md.
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
"""Spot files are in microseconds from this day on, all others in milliseconds for ever."""

TWELVE_BANDS_SINCE = date(2026, 1, 15)
"""Book depth gained the bands of 0.2 percent on this day."""


@dataclass(frozen=True, slots=True)
class Day:
    """What one file's day holds: a dataset, a symbol, an interval where there is one, and the day."""

    dataset: Dataset
    symbol: str
    day: date
    interval: Interval | None = None

    @property
    def units_per_second(self) -> int:
        """The resolution of its time stamps."""
        is_micro = self.dataset.market is Market.SPOT and self.day >= MICROSECONDS_SINCE
        return 1_000_000 if is_micro else 1_000

    @property
    def start_seconds(self) -> int:
        """Its first second since the epoch."""
        return int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp())

    @property
    def price_digits(self) -> int:
        """Digits after the point of its prices."""
        if self.dataset.data_type is DataType.PREMIUM_INDEX_KLINES:
            return 8
        return {Market.SPOT: 8, Market.UM: 2, Market.CM: 1}.get(self.dataset.market, 4)

    def stamps(self, seconds: Numbers) -> list[int]:
        """Returns instants of the day, given in its seconds, in the file's unit."""
        unit = self.units_per_second
        return [self.start_seconds * unit + round(second * 1000) * (unit // 1000) for second in seconds.tolist()]

    def spelled(self, price: float) -> str:
        """Returns a price as its files spell it."""
        tick = 2 if self.dataset.market is Market.SPOT else self.price_digits
        return f"{round(price, tick):.{self.price_digits}f}"


def kline_lines(one: Day) -> Iterator[str]:
    """Yields candles; those of computed prices have samples and no volume."""
    length = (one.interval or Interval.M1).microseconds or 0
    seconds = length // 1_000_000
    count = 86_400 // seconds
    chance = seeded("klines", one.dataset.name, one.symbol, one.day, seconds)
    volumes, shares = chance.exponential(seconds / 6.0, count), chance.random(count)
    trades = chance.integers(20, 400, count)
    opens = one.stamps(np.arange(0, 86_400, seconds, dtype=np.float64))
    for number, (low, high, first, last) in enumerate(_candles(one, seconds)):
        close_time = opens[number] + seconds * one.units_per_second - 1
        prices = ",".join(one.spelled(value) for value in (first, high, low, last))
        rest = _volumes(one, float(volumes[number]), float(shares[number]), last, int(trades[number]))
        yield f"{opens[number]},{prices},{rest[0]},{close_time},{rest[1]}"


def _candles(one: Day, seconds: int) -> Iterator[tuple[float, float, float, float]]:
    """Yields low, high, first and last price of each candle of the day, on the ticks that are spelled."""
    premium = one.dataset.data_type is DataType.PREMIUM_INDEX_KLINES
    edges = prices_at(one.symbol, one.day, np.arange(0, 86_401, seconds, dtype=float))
    path = minute_prices(one.symbol, one.day)
    minutes = max(1, seconds // 60)
    for number, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inner = path[number * minutes : (number + 1) * minutes + 1] if seconds >= 60 else edges[number : number + 2]
        low, high = float(inner.min()), float(inner.max())
        scale = 1e-8 if premium else 1.0
        yield low * scale, high * scale, first * scale, last * scale


def _volumes(one: Day, volume: float, share: float, price: float, trades: int) -> tuple[str, str]:
    """Returns the volume field and the fields after the close time."""
    if one.dataset.data_type is not DataType.KLINES:
        return "0", "0,60,0,0,0"
    if one.dataset.market is Market.CM:
        contracts = int(volume * 100) + 1
        taker = int(contracts * share)
        return str(contracts), f"{contracts * 100 / price:.8f},{trades},{taker},{taker * 100 / price:.8f},0"
    digits = 8 if one.dataset.market is Market.SPOT else 3
    base = round(volume, min(digits, 5)) + 0.001
    taker_base = round(base * share, min(digits, 5))
    value_digits = 8 if digits == 8 else 5
    value, taker_value = base * price, taker_base * price
    return f"{base:.{digits}f}", (
        f"{value:.{value_digits}f},{trades},{taker_base:.{digits}f},{taker_value:.{value_digits}f},0"
    )


def _ticks(one: Day) -> tuple[list[int], list[str], Numbers, list[bool], int]:
    """Returns stamps, prices, quantities, sides and the first identifier of a day's trades."""
    # By market, not by dataset: single trades and aggregates are of the same trades.
    chance = seeded("trades", one.dataset.market, one.symbol, one.day)
    seconds = np.sort(chance.random(TRADES_PER_DAY)) * 86_399.0
    prices = [one.spelled(price) for price in prices_at(one.symbol, one.day, seconds).tolist()]
    quantities = np.maximum(1.0, chance.exponential(20.0, TRADES_PER_DAY).round())
    sides = (chance.random(TRADES_PER_DAY) < 0.5).tolist()
    return one.stamps(seconds), prices, quantities, sides, one.day.toordinal() * TRADES_PER_DAY


def _quantity(one: Day, count: float) -> str:
    if one.dataset.market is Market.CM:
        return f"{count:.1f}" if one.dataset.data_type is DataType.AGG_TRADES else f"{count:.0f}"
    return f"{count / 1000:.{8 if one.dataset.market is Market.SPOT else 3}f}"


def agg_trade_lines(one: Day) -> Iterator[str]:
    """Yields aggregated trades with contiguous identifiers, across days too."""
    stamps, prices, quantities, sides, first = _ticks(one)
    for number, (stamp, price, count, side) in enumerate(zip(stamps, prices, quantities.tolist(), sides, strict=True)):
        trade = first + number
        line = f"{trade},{price},{_quantity(one, count)},{trade},{trade},{stamp}"
        yield f"{line},{side},True" if one.dataset.market is Market.SPOT else f"{line},{str(side).lower()}"


def trade_lines(one: Day) -> Iterator[str]:
    """Yields single trades."""
    stamps, prices, quantities, sides, first = _ticks(one)
    for number, (stamp, price, count, side) in enumerate(zip(stamps, prices, quantities.tolist(), sides, strict=True)):
        inverse = one.dataset.market is Market.CM
        value = count * 100 / float(price) if inverse else count / 1000 * float(price)
        line = f"{first + number},{price},{_quantity(one, count)},{value:.8f},{stamp}"
        yield f"{line},{side},True" if one.dataset.market is Market.SPOT else f"{line},{str(side).lower()}"


def book_ticker_lines(one: Day) -> Iterator[str]:
    """Yields changes of best bid and ask, half a tick or more apart."""
    stamps, prices, quantities, _, first = _ticks(one)
    for number, (stamp, price, count) in enumerate(zip(stamps, prices, quantities.tolist(), strict=True)):
        ask = float(price) + 10.0**-one.price_digits
        size = _quantity(one, count)
        yield f"{first + number},{price},{size},{ask:.{one.price_digits}f},{size},{stamp},{stamp + 4}"


def book_depth_lines(one: Day) -> Iterator[str]:
    """Yields depth in ten percentage bands, or twelve from 2026-01-15 on, every thirty seconds."""
    bands = [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]
    spelled = [str(band) for band in bands]
    if one.day >= TWELVE_BANDS_SINCE:
        bands_and_inner = sorted([*map(float, bands), -0.2, 0.2])
        spelled = [f"{band:.2f}" for band in bands_and_inner]
    chance = seeded("depth", one.dataset.name, one.symbol, one.day)
    start = datetime.fromtimestamp(one.start_seconds, UTC)
    price = float(minute_prices(one.symbol, one.day)[0])
    depths = chance.exponential(500.0, (2880, len(spelled)))
    for number in range(2880):
        stamp = start + timedelta(seconds=30 * number + 5)
        for band, depth in zip(spelled, depths[number].tolist(), strict=True):
            size = round(depth, 3)
            yield f"{stamp:%Y-%m-%d %H:%M:%S},{band},{size:.8f},{size * price:.8f}"


def metrics_lines(one: Day) -> Iterator[str]:
    """Yields open interest and ratios every five minutes; COIN-M has no ratios and spells them empty."""
    chance = seeded("metrics", one.dataset.name, one.symbol, one.day)
    start = datetime.fromtimestamp(one.start_seconds, UTC)
    stamps_end = one.day < METRICS_STAMP_START_FROM
    price = minute_prices(one.symbol, one.day)
    ratios = chance.uniform(0.5, 2.0, (288, 4))
    for number in range(288):
        stamp = start + timedelta(minutes=5 * (number + stamps_end))
        interest = round(80_000 + 100 * float(ratios[number, 0]), 3)
        value = interest * float(price[5 * number])
        four = ",".join(
            '""' if one.dataset.market is Market.CM else f"{ratio:.8f}" for ratio in ratios[number].tolist()
        )
        yield f"{stamp:%Y-%m-%d %H:%M:%S},{one.symbol},{interest:.3f}0000000000000,{value:.8f}00000000,{four}"


def funding_lines(one: Day) -> Iterator[str]:
    """Yields a payment every eight hours, stamped some milliseconds late."""
    chance = seeded("funding", one.dataset.name, one.symbol, one.day)
    for hour, jitter, rate in zip((0, 8, 16), chance.integers(0, 14, 3), chance.normal(1e-4, 5e-5, 3), strict=True):
        yield f"{(one.start_seconds + hour * 3600) * 1000 + int(jitter)},8,{float(rate):.8f}"


def liquidation_lines(one: Day) -> Iterator[str]:
    """Yields forced orders, every one twice: the archive doubled them."""
    chance = seeded("liquidations", one.dataset.name, one.symbol, one.day)
    seconds = np.sort(chance.random(40)) * 86_399.0
    for stamp, price in zip(one.stamps(seconds), prices_at(one.symbol, one.day, seconds).tolist(), strict=True):
        side, size = chance.choice(["BUY", "SELL"]), _quantity(one, float(chance.integers(1, 500)))
        limit = one.spelled(price)
        line = f"{stamp},{side},LIMIT,IOC,{size},{limit},{limit},FILLED,{size},{size}"
        yield from (line, line)


def bvol_lines(one: Day) -> Iterator[str]:
    """Yields the volatility index every second, a few milliseconds off."""
    chance = seeded("bvol", one.symbol, one.day)
    values = 50 + np.cumsum(chance.normal(0, 0.003, 86_400))
    asset = one.symbol.removesuffix("USDT")
    jitters = chance.integers(0, 20, 86_400)
    base = one.start_seconds * 1000
    for second, (value, jitter) in enumerate(zip(values.tolist(), jitters.tolist(), strict=True)):
        yield f"{base + second * 1000 + jitter},{one.symbol},{asset},USDT,{value:.4f}"


def eoh_lines(one: Day) -> Iterator[str]:
    """Yields an hourly summary of four options, not sorted by hour, with the archive's empties and zeros."""
    base = one.symbol.removesuffix("USDT")
    expiry = f"{one.day + timedelta(days=30):%y%m%d}"
    path = minute_prices(one.symbol, one.day)
    for kind in ("C", "P"):
        for strike in (25_000, 30_000):
            for hour in range(24):
                mark = max(5.0, round(abs(float(path[hour * 60]) - strike) / 5) * 5)
                name, price = f"{base}-{expiry}-{strike}-{kind}", f"{mark:.8f}"
                yield (
                    f"{one.day},{hour:02},{name},{one.symbol},{kind},{expiry}-{strike},{price},{price},{price},{price},"
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
