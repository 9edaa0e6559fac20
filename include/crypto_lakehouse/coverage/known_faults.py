"""Upstream faults that are known and tolerated: each with a reason, a link, and the check it breaks.

A tolerated fault is named in a partition's verdict and does not degrade it. Where a row of this table covers a
partition and the fault does not show, the gate says so and degrades: the exchange mended it, and the row must go.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase

from crypto_lakehouse.lake.partition import Partition, midnight
from crypto_lakehouse.spec import Check
from crypto_lakehouse.vocabulary import Interval

_ISSUES = "https://github.com/binance/binance-public-data/issues"


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault of the archive that was looked at and is lived with.

    Args:
        dataset: Whose it is.
        symbol: A symbol or glob.
        first_day: First day it shows.
        last_day: Last day, inclusive.
        check: The check it breaks.
        reason: What it is.
        link: Where it was reported.
        interval: The interval it was seen at; None for all.
    """

    dataset: str
    symbol: str
    first_day: date
    last_day: date
    check: Check
    reason: str
    link: str
    interval: Interval | None = None

    def covers(self, partition: Partition, covered: tuple[tuple[str, str], ...]) -> bool:
        """Returns whether the fault should show in a partition made from objects of these stretches of time."""
        return (
            self.dataset == partition.dataset.name
            and fnmatchcase(partition.symbol, self.symbol)
            and self.interval in {None, partition.interval}
            and any(self._shows(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in covered)
        )

    def _shows(self, start: datetime, end: datetime) -> bool:
        return start < midnight(self.last_day + timedelta(days=1)) and end > midnight(self.first_day)


def _issue(number: int) -> str:
    return f"{_ISSUES}/{number}"


KNOWN_FAULTS: tuple[KnownFault, ...] = (
    KnownFault(
        "binance_spot_klines", "BTCUSDT", date(2017, 12, 4), date(2017, 12, 17), Check.ON_GRID,
        "minute klines start off the minute", _issue(14), Interval.M1,
    ),
    KnownFault(
        "binance_um_book_depth", "BTCUSDT", date(2026, 9, 4), date(2026, 9, 30), Check.NOT_STALE,
        "inner ask bands stand still from 2026-09-03 12:00 UTC on", _issue(496),
    ),
    KnownFault(
        "binance_um_mark_price_klines", "*", date(2023, 11, 10), date(2023, 11, 10), Check.GRID_COMPLETE,
        "mark prices are missing from 03:40 to 04:00", _issue(484), Interval.M5,
    ),
)  # fmt: skip
"""Every tolerated fault."""


def faults_of(partition: Partition, covered: tuple[tuple[str, str], ...]) -> list[KnownFault]:
    """Returns the known faults that should show in a partition."""
    return [one for one in KNOWN_FAULTS if one.covers(partition, covered)]
