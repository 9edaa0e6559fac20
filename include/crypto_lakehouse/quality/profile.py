"""The profile: one row of exact facts about a partition, computed in one pass over its file with limited memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.coverage.grid import Points
from crypto_lakehouse.coverage.holes import longest_sequence
from crypto_lakehouse.coverage.row_times import NO_EVIDENCE, RowTimes, SeriesEvidence
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.foreign_errors import known_error
from crypto_lakehouse.instants import instant
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.quality.counts import IS_NEW, null_count
from crypto_lakehouse.quality.quiet import QuietRows
from crypto_lakehouse.quality.standstill import Standstill
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, HoleKind, MergeStrategy

Facts = Mapping[str, int | str]
"""The facts of a partition by name, and texts that describe them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The facts of a partition.

    Args:
        partition: Name of the partition.
        counts: Facts by name. A fact that a rule judges is 0 in a sound partition, except `rows`.
        details: Texts that describe facts, such as the first missing time; empty where there is nothing to describe.
    """

    partition: str
    counts: Mapping[str, int]
    details: Mapping[str, str]

    def with_counts(self, counts: Mapping[str, int]) -> "Profile":
        """Returns the profile with some counts replaced or added."""
        return replace(self, counts={**self.counts, **counts})

    @property
    def facts(self) -> Facts:
        """Counts and details as one row."""
        return {"partition": self.partition, **self.counts, **self.details}


@dataclass(frozen=True, slots=True)
class Examination:
    """The profile of a partition, and what was collected of its times."""

    profile: Profile
    times: RowTimes


@dataclass(slots=True)
class _Pass:
    """One pass over the rows of a partition: counts of blocks are added up, times and hours are collected."""

    partition: Partition
    times: RowTimes
    standstill: Standstill
    quiet: QuietRows
    expressions: list[tuple[str, pl.Expr]]
    totals: dict[str, int] = field(init=False)
    _last_row: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        self.totals = dict.fromkeys((fact for fact, _ in self.expressions), 0)

    def add(self, block: pl.DataFrame) -> None:
        """Adds the next rows of the partition."""
        self.times.add(block)
        self.standstill.add(block)
        self.quiet.add(block)
        marked = block.with_columns(pl.lit(value=True).alias(IS_NEW))
        if self._last_row is not None:
            marked = pl.concat([self._last_row.with_columns(pl.lit(value=False).alias(IS_NEW)), marked])
        # Two expectations may count into one fact: columns are numbered, not named.
        counts = marked.select(count.alias(str(place)) for place, (_, count) in enumerate(self.expressions)).row(0)
        for (fact, _), count in zip(self.expressions, counts, strict=True):
            self.totals[fact] += count or 0
        self._last_row = block.tail(1)


def profile(file: Path, partition: Partition, manifest: Manifest) -> Profile:
    """Returns the facts of a partition; see `examine`.

    Raises:
        CorruptObject: The file cannot be read.
    """
    return examine(file, partition, manifest).profile


def examine(
    file: Path, partition: Partition, manifest: Manifest, evidence: SeriesEvidence = NO_EVIDENCE
) -> Examination:
    """Returns the profile of a partition and the times of its rows, from one pass over its file.

    Args:
        file: The file of the partition.
        partition: The partition that the file should hold.
        manifest: The manifest of the file.
        evidence: What is known of its series.

    Raises:
        CorruptObject: The file cannot be read, or the checksum of a page is wrong.
    """
    times = RowTimes(partition, manifest.covered, evidence)
    rows_pass = _Pass(partition, times, Standstill(partition), QuietRows(partition), _expressions(partition))
    _read(file, partition, rows_pass.add)
    still = rows_pass.standstill.hours()
    time_counts, time_details = _time_facts(times)
    counts = {
        "rows": times.rows,
        **rows_pass.totals,
        **time_counts,
        "hours_stale": still.height,
        "quiet_rows": rows_pass.quiet.count(),
        **_manifest_counts(manifest, partition, times.rows),
    }
    details = {**time_details, **_still_details(still), **_refused_details(manifest)}
    return Examination(Profile(partition.name, counts, details), times)


def _expressions(partition: Partition) -> list[tuple[str, pl.Expr]]:
    """Returns the facts that a block of rows decides, with their expressions; a fact may come more than once."""
    expressions = [("nulls", null_count(partition))]
    for expectation in partition.table.expectations:
        definition = CHECKS[expectation.check]
        if definition.count is not None:
            expressions.append((definition.fact, definition.count(partition, expectation)))
    return expressions


def _read(file: Path, partition: Partition, add: Callable[[pl.DataFrame], None]) -> None:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as source:
            for group in range(source.num_row_groups):
                add(_frame(source.read_row_group(group)))
    except (pa.ArrowInvalid, OSError) as error:
        # Arrow uses OSError both for a failing disk and for bytes that are no Parquet.
        if (known := known_error(error, str(file))) is not error:
            raise known from error
        raise CorruptObject(
            f"{file.name} cannot be read back: {error}", "Rebuild it", partition=partition.name
        ) from error


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a row group is a table")
    return frame


def _time_facts(times: RowTimes) -> tuple[dict[str, int], dict[str, str]]:
    """Returns the counts of missing grid points and hours, and the first of each in words."""
    grid, missing, hours = times.expected_grid, times.missing_points(), times.missing_hours()
    distances = times.distance_holes()
    counts = {
        "grid_missing": len(missing),
        "grid_expected": len(times.expected_points()),
        "grid_longest_hole": longest_sequence(missing, grid) if grid else 0,
        "rows_off_grid": times.count_off_grid(),
        "hours_missing": len(hours),
        "ids_missing": times.id_gaps.missing if times.id_gaps else 0,
        "pauses": sum(hole.kind is HoleKind.PAUSE for hole in distances),
        "payments_missing": sum(hole.missing or 0 for hole in distances if hole.kind is HoleKind.PAYMENTS),
    }
    details = {
        "grid_first_missing": _first_moment(missing),
        "hours_first_missing": _first_moment(hours),
        "distances_first": _first_moment(sorted(hole.start for hole in distances)),
    }
    return counts, details


def _first_moment(moments: Sequence[int] | Points) -> str:
    return _moment(int(moments[0])) if len(moments) else ""


def _moment(microseconds: int) -> str:
    return f"{instant(microseconds):%Y-%m-%dT%H:%M:%SZ}"


def _still_details(still: pl.DataFrame) -> dict[str, str]:
    first = f"{still['hour'][0]:%Y-%m-%dT%H:00Z} in band {still['band'][0]}" if still.height else ""
    return {"hours_first_stale": first}


def _refused_details(manifest: Manifest) -> dict[str, str]:
    return {"rows_refused_first": str(next(iter(manifest.refused_rows), ""))}


def _manifest_counts(manifest: Manifest, partition: Partition, rows: int) -> dict[str, int]:
    table = partition.table
    refuses = isinstance(table, Dataset) and table.merge is MergeStrategy.REFUSE_ON_CONFLICT
    revised = 0 if refuses else _revised(manifest)
    # Rows that one file repeats are compared with no other source.
    between = sum(pair.different for pair in manifest.reconciliations)
    return {
        "row_difference": abs(rows - manifest.rows_out),
        "rows_in": manifest.rows_in,
        "duplicates": manifest.duplicates,
        "overlaps": manifest.overlaps,
        "conflicts": between - revised,
        "contradictions": manifest.conflicts - between,
        "rows_revised": revised,
        "inversions": manifest.inversions,
        "inputs_refused": len(manifest.refused),
        "rows_refused": len(manifest.refused_rows),
        "inputs_unverified": sum(used.checksum is ChecksumStatus.ABSENT for used in manifest.inputs),
    }


def _revised(manifest: Manifest) -> int:
    """Returns how many rows of the exchange's API the archive replaced by different ones: the archive is better."""
    pairs = [pair for pair in manifest.reconciliations if pair.kept.is_archive and not pair.other.is_archive]
    return sum(pair.different for pair in pairs)
