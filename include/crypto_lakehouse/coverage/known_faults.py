"""Known faults of upstream that are tolerated: each with a reason, a link, and the check that it breaks.

The verdict of a partition names a tolerated fault, and the fault does not degrade the partition. If a row of this
table covers a partition and the fault does not occur, the exchange has corrected the data. Then the gate reports this
and degrades the partition, and the row must be removed.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase

from crypto_lakehouse.coverage.known_holes import issue_address
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.vocabulary import Interval


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault of the archive that was investigated and is tolerated.

    Args:
        dataset: Name of the dataset.
        symbol: A symbol or glob.
        first_day: First day on which it shows.
        last_day: Last day, inclusive.
        check: The check that it breaks.
        reason: What is wrong.
        link: Where it was reported.
        interval: The kline interval that shows it; None for all.
    """

    dataset: str
    symbol: str
    first_day: date
    last_day: date
    check: Check
    reason: str
    link: str
    interval: Interval | None = None

    def shows_in(self, partition: Partition, covered: tuple[tuple[str, str], ...]) -> bool:
        """Returns whether the fault should show in a partition, given the spans that its objects cover."""
        return (
            self.dataset == partition.table.name
            and fnmatchcase(partition.symbol, self.symbol)
            and self.interval in {None, partition.interval}
            and any(
                self._overlaps(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in covered
            )
        )

    def _overlaps(self, start: datetime, end: datetime) -> bool:
        return start < midnight(self.last_day + timedelta(days=1)) and end > midnight(self.first_day)


KNOWN_FAULTS: tuple[KnownFault, ...] = (
    KnownFault(
        "binance_spot_klines", "BTCUSDT", date(2017, 12, 4), date(2017, 12, 17), Check.ON_GRID,
        "minute klines start off the minute", issue_address(14), Interval.M1,
    ),
    KnownFault(
        "binance_um_book_depth", "BTCUSDT", date(2026, 9, 4), date(2026, 9, 30), Check.NOT_STALE,
        "inner ask bands stand still from 2026-09-03 12:00 UTC on", issue_address(496),
    ),
    KnownFault(
        "binance_um_mark_price_klines", "*", date(2023, 11, 10), date(2023, 11, 10), Check.GRID_COMPLETE,
        "mark prices are missing from 03:40 to 04:00", issue_address(484), Interval.M5,
    ),
)  # fmt: skip
"""Every tolerated fault."""


def faults_of(partition: Partition, covered: tuple[tuple[str, str], ...]) -> list[KnownFault]:
    """Returns the known faults that should show in a partition."""
    return [fault for fault in KNOWN_FAULTS if fault.shows_in(partition, covered)]
