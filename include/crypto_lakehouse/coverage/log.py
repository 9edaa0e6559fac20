"""The coverage log: days, holes, reconciliations and refused rows of every partition, as rows that are only appended.

Each table has one log, `coverage/<table>/`. A commit has the rows of all kinds, and the rows of a partition in
its newest commit count. So the kinds always agree, for any reader at any time.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path

import polars as pl

from crypto_lakehouse.coverage.identifiers import neighbours_by_id
from crypto_lakehouse.coverage.lifetimes import LifetimeLog, lifetime_days
from crypto_lakehouse.coverage.records import (
    CoverageRecord,
    DayCoverage,
    Hole,
    LoggedRefusedRow,
    PartitionVersion,
    ReconciledDay,
)
from crypto_lakehouse.coverage.refusals import refused_days
from crypto_lakehouse.lake.log import SEQUENCE, AppendLog
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.marts import table
from crypto_lakehouse.vocabulary import HoleKind, Witness

_TIME = pl.Datetime("us", "UTC")
_PARTITION = {"dataset": pl.String(), "partition": pl.String(), "symbol": pl.String(), "kline_interval": pl.String()}
DAYS_SCHEMA = pl.Schema(
    {
        **_PARTITION,
        "day": pl.Date(),
        "condition": pl.String(),
        "reason": pl.String(),
        "rows": pl.Int64(),
        "expected": pl.Int64(),
        "missing": pl.Int64(),
        "sources": pl.String(),
        "first_id": pl.Int64(),
        "first_at": _TIME,
        "last_id": pl.Int64(),
        "last_at": _TIME,
        "version": pl.String(),
        "at": _TIME,
    }
)
HOLES_SCHEMA = pl.Schema(
    {
        **_PARTITION,
        "start": _TIME,
        "end": _TIME,
        "missing": pl.Int64(),
        "kind": pl.String(),
        "known": pl.String(),
        "sources": pl.String(),
        "first_seen": _TIME,
        "version": pl.String(),
        "at": _TIME,
    }
)
RECONCILIATIONS_SCHEMA = pl.Schema(
    {
        **_PARTITION,
        "day": pl.Date(),
        "kept": pl.String(),
        "other": pl.String(),
        "equal": pl.Int64(),
        "different": pl.Int64(),
        "only_kept": pl.Int64(),
        "only_other": pl.Int64(),
        "columns": pl.String(),
        "largest": pl.String(),
        "version": pl.String(),
        "at": _TIME,
    }
)
REFUSED_ROWS_SCHEMA = pl.Schema(
    {
        **_PARTITION,
        "day": pl.Date(),
        "key": pl.String(),
        "sha256": pl.String(),
        "line": pl.Int64(),
        "reason": pl.String(),
        "text": pl.String(),
        "version": pl.String(),
        "at": _TIME,
    }
)
_KIND = "record"
_SCHEMAS = {
    "day": DAYS_SCHEMA,
    "hole": HOLES_SCHEMA,
    "reconciliation": RECONCILIATIONS_SCHEMA,
    "refused_row": REFUSED_ROWS_SCHEMA,
}
_LOG_SCHEMA = pl.Schema(
    {_KIND: pl.String()} | {name: kind for schema in _SCHEMAS.values() for name, kind in schema.items()}
)
"""The columns of all kinds: a row has nulls in the columns of the other kinds."""

_RECONCILED_KEY = ("partition", "day", "kept", "other", "version", "only_kept")
_HOLE_KEY = ("partition", "kind", "start", "end")


@dataclass(frozen=True, slots=True)
class CoverageFrames:
    """Rows of the four kinds; the columns `at` and `first_seen` are null until the rows are appended."""

    days: pl.DataFrame
    holes: pl.DataFrame
    reconciliations: pl.DataFrame
    refused_rows: pl.DataFrame

    @classmethod
    def of(
        cls,
        days: Iterable[DayCoverage] = (),
        holes: Iterable[Hole] = (),
        reconciled: Iterable[ReconciledDay] = (),
        refused_rows: Iterable[LoggedRefusedRow] = (),
    ) -> "CoverageFrames":
        """Returns records as frames."""
        return cls(
            _frame(list(days), DAYS_SCHEMA),
            _frame(list(holes), HOLES_SCHEMA),
            _frame(list(reconciled), RECONCILIATIONS_SCHEMA),
            _frame(list(refused_rows), REFUSED_ROWS_SCHEMA),
        )

    def of_partitions(self, names: Iterable[str]) -> "CoverageFrames":
        """Returns the rows of some partitions."""
        is_wanted = pl.col("partition").is_in(sorted(names))
        return CoverageFrames(*(frame.filter(is_wanted) for frame in self.parts))

    def without_days_of(self, other: "CoverageFrames") -> "CoverageFrames":
        """Returns these rows without the days that `other` has."""
        days = self.days.join(other.days, on=["partition", "day"], how="anti")
        return replace(self, days=days)

    def joined(self, other: "CoverageFrames") -> "CoverageFrames":
        """Returns these rows followed by the rows of `other`."""
        return CoverageFrames(*(pl.concat(pair) for pair in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Days, holes, reconciliations and refused rows."""
        return self.days, self.holes, self.reconciliations, self.refused_rows


def _frame(records: Sequence[CoverageRecord], schema: pl.Schema) -> pl.DataFrame:
    if not records:
        return pl.DataFrame(schema=schema)
    own = [field.name for field in fields(records[0]) if field.name != "partition_version"]
    shared = list(PartitionVersion.__slots__)
    # One attrgetter per record is much faster than asdict: a run may log a million days.
    rows = list(map(attrgetter(*(f"partition_version.{name}" for name in shared), *own), records))
    types = {name: schema[name] for name in (*shared, *own)}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    unset = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(unset).select(schema.names())


_FILES = ("days.parquet", "holes.parquet", "reconciliations.parquet", "refused_rows.parquet")


def write_frames(folder: Path, frames: CoverageFrames) -> None:
    """Writes the frames into a local folder, one Parquet file each."""
    for name, frame in zip(_FILES, frames.parts, strict=True):
        frame.write_parquet(folder / name)


def read_frames(storage: Storage, folder: str) -> CoverageFrames:
    """Returns the frames that are stored below a folder of the lake.

    Raises:
        ArchiveFileMissing: The folder does not hold them.
    """
    return CoverageFrames(*(pl.read_parquet(io.BytesIO(storage.read(f"{folder}/{name}"))) for name in _FILES))


class CoverageLog:
    """The coverage of a lake, per table.

    Args:
        storage: The lake.
        skip_damage: Whether to leave out what a damaged file of the log had, with a warning in the log of the process:
            for steps, which go on. By default, damage is an error.
    """

    def __init__(self, storage: Storage, *, skip_damage: bool = False) -> None:
        self._storage, self._skip_damage = storage, skip_damage

    def head(self, table_name: str) -> int:
        """Returns the number of the newest commit of a table's log."""
        return self._log(table_name).head()

    def append(self, table_name: str, frames: CoverageFrames, at: datetime, since: int | None = None) -> set[str]:
        """Makes these rows the ones that count for their partitions; each partition has rows of days.

        A hole that an earlier append holds with the same kind and times keeps its `first_seen`. Reconciliations of
        replaced objects are carried over: a later version cannot compute them again.

        Args:
            table_name: The dataset or mart.
            frames: The rows.
            at: The time, for people: the order of the log decides which rows count.
            since: The number of the newest commit when the run looked at the inputs; the newest one by default. A
                partition that got other rows since then is left out.

        Returns:
            The partitions that were left out.
        """
        if frames.days.is_empty():
            return set()
        log = self._log(table_name)
        mark = log.head() if since is None else since
        earlier = _newest(log.read(skip_damage=True))
        holes = _with_first_seen(frames.holes, earlier, at)
        reconciliations = _with_carried(frames, earlier)
        # A partition that has no rows of days keeps all that the log has of it.
        refused_rows = frames.refused_rows.join(frames.days, on="partition", how="semi")
        parts = zip(_SCHEMAS, (frames.days, holes, reconciliations, refused_rows), strict=True)
        rows = pl.concat((part.with_columns(pl.lit(kind).alias(_KIND)) for kind, part in parts), how="diagonal")
        stamped = rows.with_columns(pl.lit(at, _TIME).alias("at"))
        return log.append_unless_overtaken(stamped, "partition", mark)

    def published_frames(self, table_name: str, partitions: Iterable[str]) -> CoverageFrames:
        """Returns the rows of partitions that count, of all kinds, without the days that readers do not see.

        Raises:
            CorruptObject: A file of the log is damaged; see `skip_damage`.
        """
        newest = self._newest(table_name)
        frames = CoverageFrames(*(_of_kind(newest, kind) for kind in _SCHEMAS))
        return replace(frames, days=frames.days.filter(pl.col("version") != "")).of_partitions(partitions)

    def days(self, table_name: str) -> pl.DataFrame:
        """Returns the rows of days that count, one per partition and day, in no order.

        Raises:
            CorruptObject: A file of the log is damaged; see `skip_damage`.
        """
        return _of_kind(self._newest(table_name), "day")

    def holes(self, table_name: str) -> pl.DataFrame:
        """Returns the holes that count, in no order: within partitions, and between the ids of two partitions.

        Raises:
            CorruptObject: A file of the log is damaged; see `skip_damage`.
        """
        newest = self._newest(table_name)
        within = _of_kind(newest, "hole")
        if table(table_name).witness is Witness.IDS_WITH_HOLES:
            return within
        return pl.concat([within, _holes_between_partitions(_of_kind(newest, "day"))])

    def reconciliations(self, table_name: str) -> pl.DataFrame:
        """Returns the reconciliations that count, in no order.

        Raises:
            CorruptObject: A file of the log is damaged; see `skip_damage`.
        """
        return _of_kind(self._newest(table_name), "reconciliation")

    def lifetime_days(self, table_name: str) -> pl.DataFrame:
        """Returns what is known of the first and the last day of series; see `lifetime_days` in `lifetimes`."""
        return lifetime_days(LifetimeLog(self._storage, table_name).read())

    def refused_days(self, table_name: str) -> pl.DataFrame:
        """Returns the days of archive objects that the pull refused, with reasons; see `refusals`."""
        return refused_days(self._storage, table_name)

    def refused_rows(self, table_name: str) -> pl.DataFrame:
        """Returns the rows that were set aside and that count, in no order.

        Raises:
            CorruptObject: A file of the log is damaged; see `skip_damage`.
        """
        return _of_kind(self._newest(table_name), "refused_row")

    def compact(self, table_name: str) -> int:
        """Writes what counts into one file where the log has grown; returns how many commits it covers."""
        return self._log(table_name).compact(keep=_newest)

    def restore(self, table_name: str) -> None:
        """Replaces a damaged log by its valid rows. What the damage has cost is to be examined again."""
        self._log(table_name).rewrite(_newest)

    def _newest(self, table_name: str) -> pl.DataFrame:
        return _newest(self._log(table_name).read(skip_damage=self._skip_damage))

    def _log(self, table_name: str) -> AppendLog:
        return AppendLog(self._storage, f"coverage/{table_name}/", _LOG_SCHEMA)


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows of the newest commit of each partition, in their order."""
    return rows.filter(pl.col(SEQUENCE) == pl.col(SEQUENCE).max().over("partition"))


def _of_kind(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    return rows.filter(pl.col(_KIND) == kind).select(_SCHEMAS[kind].names())


def _with_carried(frames: CoverageFrames, earlier: pl.DataFrame) -> pl.DataFrame:
    """Returns the reconciliations with the earlier ones of replaced objects of the same partitions."""
    is_carried = pl.col("only_kept").is_not_null() & pl.col("partition").is_in(frames.days["partition"].implode())
    carried = _of_kind(earlier, "reconciliation").filter(is_carried)
    return pl.concat([frames.reconciliations, carried]).unique(_RECONCILED_KEY)


def _holes_between_partitions(days: pl.DataFrame) -> pl.DataFrame:
    """Returns the ids missing between the last row of a day and the first row of the next one in another partition.

    A partition cannot know these holes: its neighbours are published before it or after it. Between two days lie only
    days without a row; where no object covers such a day, the days are a hole of their own.
    """
    is_covered = pl.col("between") == (pl.col("day") - pl.col("_day")).dt.total_days() - 1
    pairs = neighbours_by_id(days).filter(is_covered & (pl.col("_partition") != pl.col("partition")))
    shared = pl.col("sources").str.split(", ").list.set_intersection(pl.col("_sources").str.split(", "))
    holes = pairs.with_columns(
        pl.min_horizontal("_last_at", "first_at").alias("start"),
        (pl.max_horizontal("_last_at", "first_at") + timedelta(microseconds=1)).alias("end"),
        pl.col("skipped").alias("missing"),
        pl.lit(HoleKind.IDS.value).alias("kind"),
        pl.lit("").alias("known"),
        shared.list.join(", ").alias("sources"),
        pl.max_horizontal("at", "_at").alias("first_seen"),
    )
    return holes.filter(pl.col("missing") > 0).select(HOLES_SCHEMA.names())


def _with_first_seen(holes: pl.DataFrame, earlier: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Returns holes with the time at which each was found first; every append carries it on."""
    known = _of_kind(earlier, "hole").select(*_HOLE_KEY, "first_seen").unique(_HOLE_KEY)
    joined = holes.unique(_HOLE_KEY).drop("first_seen").join(known, on=_HOLE_KEY, how="left")
    return joined.with_columns(pl.col("first_seen").fill_null(pl.lit(at, _TIME)))
