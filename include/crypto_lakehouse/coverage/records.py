"""The records of coverage: days, holes and reconciled days of partitions. Plain dataclasses, no engine."""

from dataclasses import dataclass
from datetime import date, datetime

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Reconciliation, RefusedRow
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

VERSION_DIGITS = 16
"""A version is named by this many hexadecimal digits of its file's sha256."""


NO_OBJECT = "no object covers it, and there are days before and after it"
"""The reason of a missing day within a series."""
EMPTY_DAY = "its objects have no rows of it, and nothing proves that there were none"
"""The reason of a day that objects cover, without a row and without a proof."""


def refusal_in_words(key: str, error: str, reason: str) -> str:
    """Returns that an object was refused, and why."""
    return f"{key.rpartition('/')[2]} was refused: {error}: {reason}"


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """The version of a partition that a record describes.

    Args:
        dataset: Name of the dataset.
        partition: Name of the partition.
        symbol: The raw symbol.
        kline_interval: The kline interval; empty where the dataset has none.
        version: The first 16 digits of the file's sha256; empty where nothing is published.
    """

    dataset: str
    partition: str
    symbol: str
    kline_interval: str
    version: str

    @classmethod
    def of(cls, partition: Partition, sha256: str) -> "PartitionVersion":
        """Returns a partition's version, given the sha256 of its file; an empty one where nothing is published."""
        interval = str(partition.interval or "")
        return cls(partition.table.name, partition.name, partition.symbol, interval, sha256[:VERSION_DIGITS])


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """One UTC day of one partition.

    Args:
        partition_version: The partition and its version.
        day: The day.
        condition: What the lake has of the day.
        reason: Why the condition is not `available`, with figures; empty where there is no reason.
        rows: Rows of the day.
        expected: Rows that the interval requires; of a pending day only up to the last covered instant. None where
            the rows have no fixed distance.
        missing: How many of the expected rows, or of the identifiers, are missing; None where it cannot be known.
        sources: Names of the sources that cover the day, best first, comma separated.
        first_id: The lowest identifier, where identifiers ascend.
        first_at: Event time of the first row, likewise.
        last_id: The highest identifier, likewise.
        last_at: Event time of the last row, likewise.
    """

    partition_version: PartitionVersion
    day: date
    condition: DayCondition
    reason: str
    rows: int
    expected: int | None
    missing: int | None
    sources: str
    first_id: int | None = None
    first_at: datetime | None = None
    last_id: int | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """A span of time in which something is missing.

    Args:
        partition_version: The partition and its version.
        start: First instant of the span, UTC.
        end: First instant after it. A hole between identifiers spans from the row before it to the row after it.
        missing: Rows or identifiers that are missing; None where the expected number is not known.
        kind: How it is known that something is missing.
        known: Why upstream is known not to have it; empty where upstream may have it.
        sources: Names of the sources that cover the span without the rows, best first, comma separated.
    """

    partition_version: PartitionVersion
    start: datetime
    end: datetime
    missing: int | None
    kind: HoleKind
    known: str
    sources: str


@dataclass(frozen=True, slots=True)
class Fill:
    """A run that may fill gaps of a dataset: the series and the days to look at, both days inclusive."""

    dataset: str
    symbols: tuple[str, ...]
    intervals: tuple[str, ...]
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class ReconciledDay:
    """How the rows of two sources compare on one day.

    Both sources are the same where the exchange published an object again.

    Args:
        partition_version: The partition and its version.
        day: The UTC day.
        kept: Source of the rows that are kept.
        other: Source of the rows that are dropped.
        equal: Keys whose rows are equal in both sources.
        different: Keys whose rows differ.
        only_kept: Keys that only the kept rows have; None except where an object replaced its former version.
        only_other: Keys that only the dropped rows have, likewise.
        columns: The columns that differ: `close, base_volume`.
        largest: The largest difference of each column: `close 0.5, base_volume 12`.
    """

    partition_version: PartitionVersion
    day: date
    kept: str
    other: str
    equal: int
    different: int
    only_kept: int | None
    only_other: int | None
    columns: str
    largest: str

    @classmethod
    def of(
        cls,
        partition_version: PartitionVersion,
        reconciliation: Reconciliation,
        only_kept: int | None = None,
        only_other: int | None = None,
    ) -> "ReconciledDay":
        """Returns a reconciliation of a manifest as a record of its partition's version."""
        differences = reconciliation.columns
        return cls(
            partition_version=partition_version,
            day=date.fromisoformat(reconciliation.day),
            kept=reconciliation.kept.value,
            other=reconciliation.other.value,
            equal=reconciliation.equal,
            different=reconciliation.different,
            only_kept=only_kept,
            only_other=only_other,
            columns=", ".join(difference.column for difference in differences),
            largest=", ".join(f"{each.column} {each.largest}" for each in differences if each.largest),
        )


@dataclass(frozen=True, slots=True)
class LoggedRefusedRow:
    """A row that was set aside, as a record of its partition's version.

    Args:
        partition_version: The partition and its version.
        day: The UTC day that the row belongs to.
        key: The object that has the row.
        sha256: Of the object.
        line: Number of its line in the object, from 1; in answers of an exchange, of its row.
        reason: Why it cannot be true.
        text: The line as published.
    """

    partition_version: PartitionVersion
    day: date
    key: str
    sha256: str
    line: int
    reason: str
    text: str

    @classmethod
    def of(cls, partition_version: PartitionVersion, row: RefusedRow) -> "LoggedRefusedRow":
        """Returns a row of a manifest as a record of its partition's version."""
        day = datetime.fromisoformat(row.time).date()
        return cls(partition_version, day, row.key, row.sha256, row.line, row.reason, row.text)


CoverageRecord = DayCoverage | Hole | ReconciledDay | LoggedRefusedRow
