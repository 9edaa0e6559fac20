"""The DAG runs of a demonstration, and the archive that they read."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from crypto_lakehouse.archive.keys import ArchiveKey, parse_key
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import SyntheticRequest
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.vocabulary import Frequency, Interval, Market

FIRST_DAY, LAST_DAY = date(2024, 12, 30), date(2025, 1, 2)
"""The days contain the end of a month and of a year, and the first day of spot files with microseconds."""

EXCHANGE_NOW = datetime(2025, 1, 4, 4, 0, tzinfo=UTC)
"""The fixed time of the demonstration's exchange. At this time the archive does not have the previous day yet."""

BROKEN = ArchiveKey(dataset("binance_um_klines"), Frequency.DAILY, "ETHUSDT", Interval.H1, LAST_DAY)
"""The object of the archive that is broken on purpose: one of its candles cannot be true."""

YESTERDAY = EXCHANGE_NOW.date() - timedelta(days=1)
_DECEMBER = date(2024, 12, 1)
_REAL_DATASETS = ("binance_spot_klines", "binance_um_klines", "binance_um_funding_rate", "binance_um_metrics")


@dataclass(frozen=True, slots=True)
class DagRun:
    """One DAG run: the dataset, which is also the id of the DAG, and its Params."""

    dataset: str
    conf: dict[str, Any]


def _days() -> tuple[date, ...]:
    return tuple(FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))


def synthetic_requests() -> list[SyntheticRequest]:
    """Returns the content of the demonstration's archive."""
    two, both = ("BTCUSDT", "ETHUSDT"), (Interval.M1, Interval.H1)
    days, december = _days(), (_DECEMBER,)
    return [
        # A monthly file for December and daily files for its last days. Daily files have the better rank; both agree.
        SyntheticRequest(dataset("binance_spot_klines"), two, days, december, both),
        SyntheticRequest(dataset("binance_spot_agg_trades"), two, days),
        SyntheticRequest(dataset("binance_um_klines"), two, days, december, both, broken=BROKEN.key),
        SyntheticRequest(dataset("binance_um_mark_price_klines"), two, days, intervals=(Interval.M1,)),
        SyntheticRequest(dataset("binance_um_book_depth"), ("BTCUSDT",), days),
        SyntheticRequest(dataset("binance_um_metrics"), two, days),
        SyntheticRequest(dataset("binance_um_funding_rate"), two, months=december),
        SyntheticRequest(dataset("binance_cm_klines"), ("BTCUSD_PERP",), days, december, both, checksums=False),
        SyntheticRequest(dataset("binance_cm_agg_trades"), ("BTCUSD_PERP",), days),
        SyntheticRequest(dataset("binance_option_bvol_index"), ("BTCBVOLUSDT",), days),
    ]


def synthetic_runs() -> list[DagRun]:
    """Returns a run for each dataset of the demonstration's archive, up to a day that the archive does not have yet."""
    return [
        _run(
            request.dataset.name,
            request.symbols,
            [str(interval) for interval in request.intervals],
            (FIRST_DAY, YESTERDAY),
        )
        for request in synthetic_requests()
    ]


def folder_runs(folder: Path) -> list[DagRun]:
    """Returns a run for each dataset in a folder that has the layout of the bucket, over all days in it.

    Raises:
        InvalidRequest: The folder contains no archive object.
    """
    keys_of: dict[str, list[ArchiveKey]] = defaultdict(list)
    for path in sorted(folder.glob("data/**/*.zip")):
        key = parse_key(path.relative_to(folder).as_posix())
        if key is not None:
            keys_of[key.dataset.name].append(key)
    if not keys_of:
        raise InvalidRequest(
            f"{folder} contains no archive object", "It needs the layout of the bucket: data/spot/daily/klines/..."
        )
    return [_folder_run(name, keys) for name, keys in sorted(keys_of.items())]


def _folder_run(name: str, keys: list[ArchiveKey]) -> DagRun:
    symbols = tuple(sorted({key.symbol for key in keys}))
    intervals = sorted({str(key.interval) for key in keys if key.interval})
    days = min(key.first_day for key in keys), max(key.last_day for key in keys)
    return _run(name, symbols, intervals, days)


def bucket_runs(symbols: tuple[str, ...], first: date, last: date) -> list[DagRun]:
    """Returns runs over the real bucket: klines, funding rates and open interest of some symbols.

    Raises:
        InvalidRequest: There is no symbol, or the first day is after the last day.
    """
    if not symbols or first > last:
        raise InvalidRequest(
            "a real bucket needs symbols and days", "Give SYMBOLS=BTCUSDT START=2024-12-30 END=2025-01-02"
        )
    intervals = {Market.SPOT: ["1h"], Market.UM: ["1h"]}
    return [_run(name, symbols, intervals.get(dataset(name).market, []), (first, last)) for name in _REAL_DATASETS]


def _run(name: str, symbols: tuple[str, ...], intervals: list[str], days: tuple[date, date]) -> DagRun:
    conf: dict[str, Any] = {"symbols": list(symbols), "start_date": str(days[0]), "end_date": str(days[1])}
    return DagRun(name, {**conf, "intervals": intervals} if dataset(name).has_interval else conf)
