"""The coverage log: days, holes and reconciliations of every partition, as rows that are only ever appended.

Each dataset has three logs, `coverage/<dataset>/{days,holes,reconciliations}/`. The rows of a partition count if they
are as new as its newest rows of days. Rows of days are therefore written last: they commit the other two.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import polars as pl

from crypto_lakehouse.coverage.lifetime import Bounds, Lifetime, Lifetimes
from crypto_lakehouse.coverage.records import (
    CoverageRecord,
    DayCoverage,
    Hole,
    PartitionVersion,
    ReconciledDay,
    refusal_in_words,
)
from crypto_lakehouse.instants import instant, microseconds
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.marts import table
from crypto_lakehouse.vocabulary import HoleKind, Witness

SUPERSEDED_FOR = timedelta(hours=1)
"""Superseded rows are kept this long, for readers that have read the days and not yet the holes."""

_TIME = pl.Datetime("us", "UTC")
_TICK = timedelta(microseconds=1)
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
LIFETIMES_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "kline_interval": pl.String(),
        "starts_from": _TIME,
        "starts_to": _TIME,
        "ends_from": _TIME,
        "ends_to": _TIME,
        "at": _TIME,
    }
)
"""When series began and ended, as far as listings and instruments tell; each is null where it is not known."""
REFUSED_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "kline_interval": pl.String(),
        "day": pl.Date(),
        "refused": pl.String(),
        "refused_at": _TIME,
    }
)
_RECONCILED_KEY = ("partition", "day", "kept", "other", "version", "only_kept")
_SERIES = ("symbol", "kline_interval")
_HOLE_KEY = ("partition", "kind", "start", "end")


@dataclass(frozen=True, slots=True)
class CoverageFrames:
    """Rows for the three logs; the columns `at` and `first_seen` are null until the rows are appended."""

    days: pl.DataFrame
    holes: pl.DataFrame
    reconciliations: pl.DataFrame

    @classmethod
    def of(
        cls, days: Iterable[DayCoverage] = (), holes: Iterable[Hole] = (), reconciled: Iterable[ReconciledDay] = ()
    ) -> "CoverageFrames":
        """Returns records as frames."""
        return cls(
            _frame(list(days), DAYS_SCHEMA),
            _frame(list(holes), HOLES_SCHEMA),
            _frame(list(reconciled), RECONCILIATIONS_SCHEMA),
        )

    def of_partitions(self, names: Iterable[str]) -> "CoverageFrames":
        """Returns the rows of some partitions."""
        is_wanted = pl.col("partition").is_in(sorted(names))
        return CoverageFrames(*(frame.filter(is_wanted) for frame in self.parts))

    def joined(self, other: "CoverageFrames") -> "CoverageFrames":
        """Returns these rows followed by the rows of `other`."""
        return CoverageFrames(*(pl.concat(pair) for pair in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Days, holes and reconciliations."""
        return self.days, self.holes, self.reconciliations


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


_FILES = ("days.parquet", "holes.parquet", "reconciliations.parquet")


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
    """The coverage of a lake, per dataset.

    Args:
        storage: The lake.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def append(self, dataset_name: str, frames: CoverageFrames, at: datetime) -> None:
        """Makes these rows the ones that count for their partitions; each partition has rows of days.

        A hole that an earlier append holds with the same kind and times keeps its `first_seen`. Reconciliations of
        replaced objects are carried over: a later version cannot compute them again.
        """
        if frames.days.is_empty():
            return
        stamp = pl.lit(at, _TIME).alias("at")
        if frames.holes.height:
            holes = _with_first_seen(frames.holes, self._log(dataset_name, "holes").read(), at)
            self._log(dataset_name, "holes").append_frame(holes.with_columns(stamp))
        reconciliations = self._with_carried(dataset_name, frames)
        self._log(dataset_name, "reconciliations").append_frame(reconciliations.with_columns(stamp))
        self._log(dataset_name, "days").append_frame(frames.days.with_columns(stamp))

    def days(self, dataset_name: str) -> pl.DataFrame:
        """Returns the rows of days that count, one per partition and day, in no order."""
        return _newest_days(self._log(dataset_name, "days").read())

    def holes(self, dataset_name: str) -> pl.DataFrame:
        """Returns the holes that count, in no order: within partitions, and between the ids of two partitions."""
        days = self._log(dataset_name, "days").read()
        within = self._counting(dataset_name, "holes", days).unique(_HOLE_KEY)
        if table(dataset_name).witness is Witness.IDS_WITH_HOLES:
            return within
        return pl.concat([within, _holes_between_partitions(_newest_days(days))])

    def reconciliations(self, dataset_name: str) -> pl.DataFrame:
        """Returns the reconciliations that count, in no order."""
        days = self._log(dataset_name, "days").read()
        return self._counting(dataset_name, "reconciliations", days).unique(_RECONCILED_KEY)

    def refused_days(self, dataset_name: str) -> pl.DataFrame:
        """Returns the days of archive objects that the pull refused, with reasons: columns of REFUSED_SCHEMA."""
        rows = [
            (each.symbol, each.interval, each.start.date(), (each.end - _TICK).date(), words, each.seen_at)
            for each in BronzeLog(self._storage).refusals(dataset_name)
            if each.start and each.end
            for words in [refusal_in_words(each.key, each.error, each.reason)]
        ]
        spans = {"first": pl.Date(), "last": pl.Date(), "words": pl.String(), "seen_at": _TIME}
        schema = {"symbol": pl.String(), "kline_interval": pl.String(), **spans}
        days = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            pl.date_ranges("first", "last").alias("day")
        )
        return (
            days.explode("day", empty_as_null=False)
            .group_by(*_SERIES, "day")
            .agg(pl.col("words").sort().str.join("; ").alias("refused"), pl.col("seen_at").max().alias("refused_at"))
            .select(REFUSED_SCHEMA.names())
        )

    def lifetimes(self, dataset_name: str) -> Lifetimes:
        """Returns what is known of the start and the end of series; the newest entry of a series counts."""
        rows = self._log(dataset_name, "lifetimes").read().sort("at").unique(_SERIES, keep="last")
        return Lifetimes(
            {
                (row["symbol"], row["kline_interval"]): Lifetime(
                    _bounds(row["starts_from"], row["starts_to"]), _bounds(row["ends_from"], row["ends_to"])
                )
                for row in rows.iter_rows(named=True)
            }
        )

    def note_lifetimes(self, dataset_name: str, lifetimes: Lifetimes, at: datetime) -> None:
        """Appends the lifetimes that differ from what the log has."""
        known = self.lifetimes(dataset_name)
        rows = [
            {
                **dict(zip(_SERIES, series, strict=True)),
                **_instants("starts", lifetime.starts),
                **_instants("ends", lifetime.ends),
                "at": at,
            }
            for series, lifetime in sorted(lifetimes.by_series.items())
            if known.of(*series) != lifetime
        ]
        if rows:
            self._log(dataset_name, "lifetimes").append(rows)

    def compact(self, dataset_name: str, now: datetime | None = None) -> int:
        """Folds grown logs into one file each, without superseded rows; returns how many files were replaced."""
        before = (now or datetime.now(UTC)) - SUPERSEDED_FOR
        newest = _newest(self._log(dataset_name, "days").read()).filter(pl.col("newest") < before)

        def keep(rows: pl.DataFrame) -> pl.DataFrame:
            # Rows younger than the newest days belong to a publication that has not committed its days yet.
            joined = rows.join(newest, on="partition", how="left")
            return joined.filter(pl.col("newest").is_null() | (pl.col("at") >= pl.col("newest"))).drop("newest")

        return sum(self._log(dataset_name, name).compact(keep=keep) for name in _SCHEMAS)

    def _with_carried(self, dataset_name: str, frames: CoverageFrames) -> pl.DataFrame:
        """Returns the reconciliations with the earlier ones of replaced objects of the same partitions."""
        is_carried = pl.col("only_kept").is_not_null() & pl.col("partition").is_in(frames.days["partition"].implode())
        if self._log(dataset_name, "reconciliations").read().filter(is_carried).is_empty():
            return frames.reconciliations
        carried = self.reconciliations(dataset_name).filter(is_carried)
        return pl.concat([frames.reconciliations, carried]).unique(_RECONCILED_KEY)

    def _counting(self, dataset_name: str, log_name: str, days: pl.DataFrame) -> pl.DataFrame:
        rows = self._log(dataset_name, log_name).read()
        return rows.join(_newest(days), left_on=["partition", "at"], right_on=["partition", "newest"], how="semi")

    def _log(self, dataset_name: str, log_name: str) -> AppendLog:
        return AppendLog(self._storage, f"coverage/{dataset_name}/{log_name}/", _ALL_SCHEMAS[log_name])


_SCHEMAS = {"days": DAYS_SCHEMA, "holes": HOLES_SCHEMA, "reconciliations": RECONCILIATIONS_SCHEMA}
_ALL_SCHEMAS = {**_SCHEMAS, "lifetimes": LIFETIMES_SCHEMA}


def _bounds(start: datetime | None, end: datetime | None) -> Bounds | None:
    return (microseconds(start), microseconds(end)) if start and end else None


def _instants(name: str, bounds: Bounds | None) -> dict[str, datetime | None]:
    start, end = (instant(bounds[0]), instant(bounds[1])) if bounds else (None, None)
    return {f"{name}_from": start, f"{name}_to": end}


def _newest(days: pl.DataFrame) -> pl.DataFrame:
    return days.group_by("partition").agg(pl.col("at").max().alias("newest"))


def _newest_days(days: pl.DataFrame) -> pl.DataFrame:
    newest = days.lazy().filter(pl.col("at") == pl.col("at").max().over("partition"))
    return newest.unique(["partition", "day"]).collect()


def neighbours_by_id(days: pl.DataFrame) -> pl.DataFrame:
    """Returns the days that have identifiers, each with the columns of such a day before it in its series.

    The columns of the day before begin with an underscore. `skipped` is how many identifiers lie between the two days,
    and `between` how many days lie between them that objects cover.
    """
    ordered = days.sort(*_SERIES, "day").with_columns(pl.int_range(pl.len()).over(_SERIES).alias("place"))
    identified = ordered.filter(pl.col("first_id").is_not_null())
    before = [
        pl.col(name).shift(1).over(_SERIES).alias(f"_{name}") for name in identified.columns if name not in _SERIES
    ]
    pairs = identified.with_columns(before).filter(pl.col("_day").is_not_null())
    return pairs.with_columns(
        (pl.col("first_id") - pl.col("_last_id") - 1).alias("skipped"),
        (pl.col("place") - pl.col("_place") - 1).alias("between"),
    )


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


def _with_first_seen(holes: pl.DataFrame, before: pl.DataFrame, at: datetime) -> pl.DataFrame:
    earlier = before.group_by(_HOLE_KEY).agg(pl.col("first_seen").min())
    joined = holes.drop("first_seen").join(earlier, on=_HOLE_KEY, how="left")
    return joined.with_columns(pl.col("first_seen").fill_null(pl.lit(at, _TIME)))
