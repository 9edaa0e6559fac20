"""The coverage log: what was found of every UTC day of every published partition, and what its sources said.

Per dataset three logs, `coverage/<dataset>/{days,holes,reconciliations}/`. A partition's rows count where they are as
new as its newest rows of days, which are therefore written last: they commit the other two.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import ColumnDifference, Reconciliation
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

SUPERSEDED_FOR = timedelta(hours=1)
"""Rows that no longer count are kept so long, for readers that have read the days and not yet the holes."""

_TIME = pl.Datetime("us", "UTC")
_PLACE = {"dataset": pl.String(), "partition": pl.String(), "symbol": pl.String(), "kline_interval": pl.String()}
DAYS_SCHEMA = pl.Schema(
    {
        **_PLACE,
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
        **_PLACE,
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
        **_PLACE,
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
_RECONCILED_KEY = ("partition", "day", "kept", "other", "version", "only_kept")
_HOLE_KEY = ("partition", "kind", "start", "end")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a row is: its partition's names, and the version it speaks of."""

    dataset: str
    partition: str
    symbol: str
    kline_interval: str
    version: str

    @classmethod
    def of(cls, partition: Partition, sha256: str) -> "Place":
        """Returns the place of a partition's version, given its file's sha256; empty where nothing is published."""
        return cls(partition.dataset.name, partition.name, partition.symbol, str(partition.interval or ""), sha256[:16])


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """One UTC day of one partition.

    Args:
        place: Whose day it is.
        day: The day.
        condition: What the lake has of it.
        reason: Words with figures; empty where there is nothing to say.
        rows: Rows of the day.
        expected: Rows its interval calls for, of a pending day up to where it is covered; None without a grid.
        missing: How many of these are not there, or identifiers skipped; None where nobody can know.
        sources: What covers it, best first, comma separated.
        first_id: Identifier of its first row, where identifiers count up by one.
        first_at: That row's time.
        last_id: Identifier of its last row.
        last_at: That row's time.
    """

    place: Place
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
    """A stretch of time of which something is missing.

    Args:
        place: Whose it is.
        start: First instant of it, UTC.
        end: First instant after it. For identifiers: the stretch from the row before to the row after.
        missing: Rows or identifiers; None where nobody can know how many there should be.
        kind: How it is known.
        known: Why upstream is known not to have it; empty where it is not.
        sources: What covers it and does not have it, best first, comma separated.
    """

    place: Place
    start: datetime
    end: datetime
    missing: int | None
    kind: HoleKind
    known: str
    sources: str


@dataclass(frozen=True, slots=True)
class ReconciledDay:
    """What two sources of one day said of the same keys; both are the same where an object was published again.

    Args:
        place: Whose day it is.
        day: UTC day, ISO.
        kept: Source of the rows that are kept.
        other: Source of the rows that gave way to them.
        equal: Keys of which both say the same.
        different: Keys of which they do not.
        only_kept: Keys that only the kept rows have; None but where an object replaced its former version.
        only_other: Keys that only the other rows have, likewise.
        columns: The columns that differ: `close, base_volume`.
        largest: The largest difference of each: `close 0.5, base_volume 12`.
    """

    place: Place
    day: str
    kept: str
    other: str
    equal: int
    different: int
    only_kept: int | None
    only_other: int | None
    columns: str
    largest: str


def reconciled_day(
    place: Place, one: Reconciliation, only_kept: int | None = None, only_other: int | None = None
) -> ReconciledDay:
    """Returns a manifest's reconciliation as a row of the log."""
    columns = ", ".join(each.column for each in one.columns)
    largest = ", ".join(_largest(each) for each in one.columns if each.largest)
    counts = (one.equal, one.different, only_kept, only_other)
    return ReconciledDay(place, one.day, one.kept.value, one.other.value, *counts, columns, largest)


def _largest(one: ColumnDifference) -> str:
    return f"{one.column} {one.largest}"


Record = DayCoverage | Hole | ReconciledDay


@dataclass(frozen=True, slots=True)
class CoverageFrames:
    """Rows for the three logs; `at` and `first_seen` are empty until they are appended."""

    days: pl.DataFrame
    holes: pl.DataFrame
    reconciliations: pl.DataFrame

    @classmethod
    def of(
        cls, days: Iterable[DayCoverage] = (), holes: Iterable[Hole] = (), reconciled: Iterable[ReconciledDay] = ()
    ) -> "CoverageFrames":
        """Returns records as frames."""
        return cls(
            _frame(list(days), DAYS_SCHEMA), _frame(list(holes), HOLES_SCHEMA),
            _frame(list(reconciled), RECONCILIATIONS_SCHEMA),
        )  # fmt: skip

    def of_partitions(self, names: Iterable[str]) -> "CoverageFrames":
        """Returns the rows of some partitions."""
        wanted = pl.col("partition").is_in(sorted(names))
        return CoverageFrames(*(one.filter(wanted) for one in self.parts))

    def joined(self, other: "CoverageFrames") -> "CoverageFrames":
        """Returns these rows and the other's."""
        return CoverageFrames(*(pl.concat(pair) for pair in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Days, holes and reconciliations."""
        return self.days, self.holes, self.reconciliations


def _frame(records: Sequence[Record], schema: pl.Schema) -> pl.DataFrame:
    if not records:
        return pl.DataFrame(schema=schema)
    own = [one.name for one in fields(records[0]) if one.name != "place"]
    place = list(Place.__slots__)
    values = zip(
        map(attrgetter(*(f"place.{name}" for name in place)), records), map(attrgetter(*own), records), strict=True
    )
    kinds = {name: kind for name, kind in schema.items() if name in own}
    if isinstance(records[0], ReconciledDay):
        kinds["day"] = pl.String()
    columns = {**{name: pl.String() for name in place}, **{name: kinds[name] for name in own}}
    frame = pl.DataFrame([(*whose, *said) for whose, said in values], schema=columns, orient="row")
    if isinstance(records[0], ReconciledDay):
        frame = frame.with_columns(pl.col("day").str.to_date())
    unset = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(unset).select(schema.names())


_FILES = ("days.parquet", "holes.parquet", "reconciliations.parquet")


def write_frames(folder: Path, frames: CoverageFrames) -> None:
    """Writes the frames into a local folder, as Parquet files of their names."""
    for name, frame in zip(_FILES, frames.parts, strict=True):
        frame.write_parquet(folder / name)


def read_frames(storage: Storage, folder: str) -> CoverageFrames:
    """Returns the frames that were stored below a folder of the lake.

    Raises:
        ArchiveFileMissing: They are not there.
    """
    return CoverageFrames(*(pl.read_parquet(io.BytesIO(storage.read(f"{folder}/{name}"))) for name in _FILES))


class CoverageLog:
    """What the lake knows of its coverage, per dataset."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def append(self, dataset: str, frames: CoverageFrames, at: datetime) -> None:
        """Makes these the rows that count of their partitions; each partition has rows of days.

        A hole that was appended before, of the same kind and times, keeps its `first_seen`. What replaced objects
        changed stays with their partitions: no later version can tell it again.
        """
        if frames.days.is_empty():
            return
        stamp = pl.lit(at, _TIME).alias("at")
        holes = _first_seen(frames.holes, self._log(dataset, "holes").read(), at) if frames.holes.height else None
        if holes is not None:
            self._log(dataset, "holes").append_frame(holes.with_columns(stamp))
        self._log(dataset, "reconciliations").append_frame(self._with_carried(dataset, frames).with_columns(stamp))
        self._log(dataset, "days").append_frame(frames.days.with_columns(stamp))

    def days(self, dataset: str) -> pl.DataFrame:
        """Returns the rows of days that count, one per partition and day, in no order."""
        return _newest_days(self._log(dataset, "days").read())

    def holes(self, dataset: str) -> pl.DataFrame:
        """Returns the holes that count, in no order: those within partitions, and ids lost between two of them."""
        days = self._log(dataset, "days").read()
        return pl.concat([self._counting(dataset, "holes", days).unique(_HOLE_KEY), _between(_newest_days(days))])

    def reconciliations(self, dataset: str) -> pl.DataFrame:
        """Returns the reconciliations that count, in no order."""
        days = self._log(dataset, "days").read()
        return self._counting(dataset, "reconciliations", days).unique(_RECONCILED_KEY)

    def compact(self, dataset: str, now: datetime | None = None) -> int:
        """Folds grown logs into one file each, of rows that count; returns how many files were replaced."""
        before = (now or datetime.now(UTC)) - SUPERSEDED_FOR
        newest = _newest(self._log(dataset, "days").read()).filter(pl.col("newest") < before)

        def keep(rows: pl.DataFrame) -> pl.DataFrame:
            # Younger rows than the newest are a publication's that has not committed its days yet.
            joined = rows.join(newest, on="partition", how="left")
            return joined.filter(pl.col("newest").is_null() | (pl.col("at") >= pl.col("newest"))).drop("newest")

        return sum(self._log(dataset, name).compact(keep=keep) for name in _SCHEMAS)

    def _with_carried(self, dataset: str, frames: CoverageFrames) -> pl.DataFrame:
        """Returns the reconciliations with those of earlier replaced objects of the same partitions."""
        is_carried = pl.col("only_kept").is_not_null() & pl.col("partition").is_in(frames.days["partition"].implode())
        if self._log(dataset, "reconciliations").read().filter(is_carried).is_empty():
            return frames.reconciliations
        carried = self.reconciliations(dataset).filter(is_carried)
        return pl.concat([frames.reconciliations, carried]).unique(_RECONCILED_KEY)

    def _counting(self, dataset: str, name: str, days: pl.DataFrame) -> pl.DataFrame:
        rows = self._log(dataset, name).read()
        return rows.join(_newest(days), left_on=["partition", "at"], right_on=["partition", "newest"], how="semi")

    def _log(self, dataset: str, name: str) -> AppendLog:
        return AppendLog(self._storage, f"coverage/{dataset}/{name}/", _SCHEMAS[name])


_SCHEMAS = {"days": DAYS_SCHEMA, "holes": HOLES_SCHEMA, "reconciliations": RECONCILIATIONS_SCHEMA}


def _newest(days: pl.DataFrame) -> pl.DataFrame:
    return days.group_by("partition").agg(pl.col("at").max().alias("newest"))


def _newest_days(days: pl.DataFrame) -> pl.DataFrame:
    found = days.lazy().filter(pl.col("at") == pl.col("at").max().over("partition"))
    return found.unique(["partition", "day"]).collect()


def _between(days: pl.DataFrame) -> pl.DataFrame:
    """Returns the ids missing between the last row of a day and the first of the next, where a partition ends between.

    No partition can tell of these by itself, for its neighbours are published before or after it.
    """
    series = ["symbol", "kline_interval"]
    ordered = days.filter(pl.col("first_id").is_not_null()).sort(*series, "day")
    before = [pl.col(name).shift(1).over(series).alias(f"_{name}") for name in ordered.columns if name not in series]
    pairs = ordered.with_columns(before).filter(
        pl.col("_day") == pl.col("day").dt.offset_by("-1d"), pl.col("_partition") != pl.col("partition")
    )
    shared = pl.col("sources").str.split(", ").list.set_intersection(pl.col("_sources").str.split(", "))
    told = pairs.with_columns(
        pl.min_horizontal("_last_at", "first_at").alias("start"),
        (pl.max_horizontal("_last_at", "first_at") + timedelta(microseconds=1)).alias("end"),
        (pl.col("first_id") - pl.col("_last_id") - 1).alias("missing"),
        pl.lit(HoleKind.IDS.value).alias("kind"),
        pl.lit("").alias("known"),
        shared.list.join(", ").alias("sources"),
        pl.max_horizontal("at", "_at").alias("first_seen"),
    )
    return told.filter(pl.col("missing") > 0).select(HOLES_SCHEMA.names())


def _first_seen(holes: pl.DataFrame, before: pl.DataFrame, at: datetime) -> pl.DataFrame:
    known = before.group_by(_HOLE_KEY).agg(pl.col("first_seen").min())
    found = holes.drop("first_seen").join(known, on=_HOLE_KEY, how="left")
    return found.with_columns(pl.col("first_seen").fill_null(pl.lit(at, _TIME)))


def record_json(one: ReconciledDay) -> dict[str, Any]:
    """Returns a reconciliation JSON-ready, for a step's result."""
    place = {name: getattr(one.place, name) for name in Place.__slots__}
    return {**{name: getattr(one, name) for name in ReconciledDay.__slots__}, "place": place}


def reconciled_day_from_json(raw: dict[str, Any]) -> ReconciledDay:
    """Returns the reconciliation that `record_json` wrote."""
    return ReconciledDay(**{**raw, "place": Place(**raw["place"])})
