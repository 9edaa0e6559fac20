"""Spans of time for which no source has rows: halts, and days that the archive lacks and the API no longer returns.

A span that the archive lacks and the API still has is not listed here: a run fills it. Standard library only.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase

from crypto_lakehouse.instants import midnight

_ISSUES = "https://github.com/binance/binance-public-data/issues"


@dataclass(frozen=True, slots=True)
class KnownHole:
    """A hole that was investigated.

    Args:
        datasets: Names or globs of the datasets that have it.
        symbol: A symbol or glob.
        start: First instant, UTC.
        end: First instant after it.
        reason: Why there are no rows, and where this was reported.
        longest: The longest gap that it explains; None if it may be all of the time.
    """

    datasets: tuple[str, ...]
    symbol: str
    start: datetime
    end: datetime
    reason: str
    longest: timedelta | None = None

    def is_of_dataset(self, dataset_name: str) -> bool:
        """Returns whether symbols of the dataset have this hole."""
        return any(fnmatchcase(dataset_name, pattern) for pattern in self.datasets)

    def is_of_symbol(self, symbol: str) -> bool:
        """Returns whether the symbol has this hole, in the datasets that have it."""
        return fnmatchcase(symbol, self.symbol)

    def has_all_of(self, day: date) -> bool:
        """Returns whether the hole lasts for a whole UTC day."""
        start = midnight(day)
        return self.start <= start and start + timedelta(days=1) <= self.end


def _days(datasets: tuple[str, ...], symbol: str, first: date, last: date, reason: str) -> KnownHole:
    start = midnight(first)
    end = midnight(last) + timedelta(days=1)
    return KnownHole(datasets, symbol, start, end, reason)


def _minutes(first: date, last: date) -> KnownHole:
    """Returns a hole of some minutes in the mark and index prices of some symbols, on these days."""
    # The issue counts 66 minutes without a price on all of its days: a longer gap has another cause.
    return replace(_days(_PRICE_KLINES, "*", first, last, _NO_MINUTES), longest=timedelta(minutes=66))


def issue_address(number: int) -> str:
    """Returns the address of an issue in the repository of Binance's archive."""
    return f"{_ISSUES}/{number}"


_SPOT = ("binance_spot_klines", "binance_spot_agg_trades", "binance_spot_trades")
_BVOL, _EOH, _CM_METRICS = ("binance_option_bvol_index",), ("binance_option_eoh_summary",), ("binance_cm_metrics",)
# The API returns all days of klines and funding, but only the last two or thirty days of the following types.
_FUTURES = tuple(f"binance_{market}_{kind}" for market in ("um", "cm") for kind in ("agg_trades", "trades", "metrics"))
_PRICE_KLINES = ("binance_*_mark_price_klines", "binance_*_index_price_klines")
_NO_MINUTES = f"minutes without a price, empty in the API too: {issue_address(483)}"
_NOT_UPLOADED = f"the day's files were never uploaded: {issue_address(336)}"

KNOWN_HOLES: tuple[KnownHole, ...] = (
    _days(_SPOT, "USDCUSDT", date(2022, 9, 27), date(2023, 3, 10), f"trading was suspended: {issue_address(242)}"),
    KnownHole(
        _SPOT,
        "CVCUSDT",
        datetime(2022, 12, 9, 3, tzinfo=UTC),
        datetime(2023, 5, 12, 8, tzinfo=UTC),
        "trading was suspended: lists of lostleaf's data tool",
    ),
    _days((*_FUTURES, "binance_??_book_depth"), "*", date(2024, 6, 11), date(2024, 6, 12), _NOT_UPLOADED),
    _days(
        ("binance_cm_agg_trades",), "*", date(2023, 9, 25), date(2023, 9, 25), "not in the archive: others' listings"
    ),
    KnownHole(
        ("binance_um_metrics",),
        "*",
        datetime(2024, 2, 16, 13, 30, tzinfo=UTC),
        datetime(2024, 2, 17, tzinfo=UTC),
        f"the day's file ends at 13:30: {issue_address(335)}",
    ),
    _days(_CM_METRICS, "BTCUSD_PERP", date(2024, 3, 4), date(2024, 6, 8), "not in the archive: others' listings"),
    _days(_CM_METRICS, "BTCUSD_PERP", date(2023, 9, 25), date(2023, 9, 25), "not in the archive: others' listings"),
    _days(_CM_METRICS, "BTCUSD_PERP", date(2023, 11, 19), date(2023, 11, 19), "not in the archive: others' listings"),
    _minutes(date(2020, 1, 19), date(2020, 1, 19)),
    _minutes(date(2020, 12, 17), date(2020, 12, 17)),
    _minutes(date(2022, 7, 12), date(2022, 7, 13)),
    _minutes(date(2024, 8, 12), date(2024, 8, 12)),
    _days(_BVOL, "*", date(2023, 9, 25), date(2023, 9, 25), f"not in the archive: {issue_address(370)}"),
    _days(_BVOL, "*", date(2023, 10, 24), date(2023, 10, 24), f"not in the archive: {issue_address(370)}"),
    _days(_BVOL, "*", date(2024, 6, 11), date(2024, 6, 12), f"not in the archive: {issue_address(370)}"),
    _days(_BVOL, "*", date(2024, 6, 30), date(2024, 6, 30), f"not in the archive: {issue_address(370)}"),
    _days(_BVOL, "*", date(2025, 12, 15), date(2026, 1, 4), f"21 days were not published: {issue_address(499)}"),
    _days(_EOH, "*", date(2023, 9, 8), date(2023, 9, 18), "not in the archive: others' listings"),
    _days(_EOH, "*", date(2023, 9, 25), date(2023, 9, 25), "not in the archive: others' listings"),
)
"""Every known hole, each with its evidence."""


def outdated_holes(dataset_name: str, symbol: str, whole_days: Collection[date]) -> list[KnownHole]:
    """Returns the known holes that are none any more: the lake has one of their days without a gap.

    Args:
        dataset_name: The dataset.
        symbol: The symbol.
        whole_days: Days on which the lake has rows of the symbol, and no gap.
    """
    return [
        hole
        for hole in holes_of(dataset_name)
        if hole.longest is None and hole.is_of_symbol(symbol) and any(hole.has_all_of(day) for day in whole_days)
    ]


def holes_of(dataset_name: str) -> list[KnownHole]:
    """Returns the known holes of a dataset, of all symbols."""
    return [hole for hole in KNOWN_HOLES if hole.is_of_dataset(dataset_name)]
