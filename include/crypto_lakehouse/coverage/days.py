"""The coverage of a partition: one record per UTC day, and its holes, after one pass over its rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from crypto_lakehouse.coverage.grid import Points
from crypto_lakehouse.coverage.holes import (
    MissingSpan,
    at_most,
    covered_bounds,
    missing_point_spans,
    uncovered_spans,
)
from crypto_lakehouse.coverage.known_faults import KnownFault
from crypto_lakehouse.coverage.lifetime import clipped
from crypto_lakehouse.coverage.records import NO_OBJECT, DayCoverage, Hole, PartitionVersion, refusal_in_words
from crypto_lakehouse.coverage.row_times import HOURS, RowTimes
from crypto_lakehouse.instants import DAY_US, instant, microseconds
from crypto_lakehouse.lake.records import Manifest, RefusedRow
from crypto_lakehouse.vocabulary import DayCondition, HoleKind, Source

_EPOCH = date(1970, 1, 1)
FaultsByKind = Mapping[HoleKind, Sequence[KnownFault]]
"""The known faults of a partition that explain holes of a kind."""


@dataclass(frozen=True, slots=True)
class PartitionCoverage:
    """The days of a partition and its holes; both are empty where no object covers any of it."""

    days: tuple[DayCoverage, ...]
    holes: tuple[Hole, ...]


def partition_coverage(
    times: RowTimes, manifest: Manifest, partition_version: PartitionVersion, known_faults: FaultsByKind
) -> PartitionCoverage:
    """Returns the coverage of a partition.

    Args:
        times: What was collected from all its rows.
        manifest: The partition's manifest.
        partition_version: The partition and its version.
        known_faults: The known faults of the partition.
    """
    if not times.spans:
        return PartitionCoverage((), ())
    days = _PartitionDays(times, manifest, partition_version, known_faults)
    return PartitionCoverage(
        tuple(days.day(number) for number in days.numbers),
        tuple(days.hole(span) for span in at_most(days.missing_spans())),
    )


class _PartitionDays:
    """Makes the records of a partition. Days are numbered since the epoch."""

    def __init__(
        self, times: RowTimes, manifest: Manifest, partition_version: PartitionVersion, known_faults: FaultsByKind
    ) -> None:
        self.times, self.partition_version, self.known_faults = times, partition_version, known_faults
        self.grid, self.life, self.covered = times.expected_grid, times.bounds, times.spans
        self.numbers = range(self.covered[0][0] // DAY_US, (self.covered[-1][1] - 1) // DAY_US + 1)
        self.sources = _sources_by_day(manifest, self.numbers)
        self.refused = _refusals_by_day(manifest)
        self.refused_rows = _refused_rows_by_day(manifest)
        self.uncovered = uncovered_spans(self.covered, self.grid, self.life)
        self.missing = times.missing_points()
        self.present = _counts_by_day(times.present_points(), self.numbers) if self.grid else {}
        self.ids_missing = times.id_gaps.by_day if times.id_gaps else {}
        hours = missing_point_spans(times.missing_hours(), HOURS, HoleKind.HOURS)
        points = missing_point_spans(self.missing, self.grid, HoleKind.GRID) if self.grid else []
        self.within = [*points, *hours, *times.distance_holes()]

    def missing_spans(self) -> Iterable[MissingSpan]:
        """Yields everything that is missing."""
        yield from self.uncovered
        yield from self.within
        yield from self.times.id_gaps.spans if self.times.id_gaps else ()

    def hole(self, span: MissingSpan) -> Hole:
        """Returns a span as a record."""
        days = range(span.start // DAY_US, (span.end - 1) // DAY_US + 1)
        sources = {source for day in days for source in self.sources.get(day, ())}
        return Hole(
            partition_version=self.partition_version,
            start=instant(span.start),
            end=instant(span.end),
            missing=span.missing,
            kind=span.kind,
            known=_fault_words(self._faults(span.kind, days)),
            sources="" if span.kind is HoleKind.DAYS else _ranked(sources),
        )

    def day(self, number: int) -> DayCoverage:
        """Returns a day as a record."""
        reached = min((number + 1) * DAY_US, self.covered[-1][1])
        expected, missing = self._figures(number, reached)
        unexplained, explained = self._what_is_missing(number, expected, missing)
        unexplained += self._refused_row_words(number)
        condition, reasons = self._condition(number, reached, unexplained)
        return DayCoverage(
            self.partition_version,
            _EPOCH + timedelta(days=number),
            condition,
            "; ".join([*reasons, *explained]),
            self.times.rows_by_day.get(number, 0),
            expected,
            missing,
            _ranked(self.sources.get(number, ())),
            *self._ends(number),
        )

    def _condition(self, number: int, reached: int, unexplained: list[str]) -> tuple[DayCondition, list[str]]:
        start, end = number * DAY_US, min((number + 1) * DAY_US, self.life[1])
        refused = self.refused.get(number, [])
        if not any(first < end and stop > start for first, stop in self.covered):
            return DayCondition.MISSING, refused or [NO_OBJECT]
        if reached < end:
            return DayCondition.PENDING, [f"until {clock(reached)} UTC", *unexplained, *refused]
        if not unexplained:
            return DayCondition.AVAILABLE, []
        has_rows = number in self.times.rows_by_day
        return DayCondition.DEGRADED if has_rows else DayCondition.MISSING, [*unexplained, *refused]

    def _ends(self, number: int) -> tuple[int, datetime, int, datetime] | tuple[()]:
        ends = self.times.id_gaps.ends.get(number) if self.times.id_gaps else None
        return (ends.first_id, instant(ends.first_at), ends.last_id, instant(ends.last_at)) if ends else ()

    def _figures(self, number: int, reached: int) -> tuple[int | None, int | None]:
        """Returns how many rows of a day are expected, and how many rows or identifiers are missing."""
        if self.grid:
            expected = len(self.grid.points(max(number * DAY_US, self.life[0]), reached))
            return expected, max(0, expected - self.present.get(number, 0))
        payments = [hole.missing or 0 for hole in self._holes_that_start_on(number, HoleKind.PAYMENTS)]
        if payments:
            return None, sum(payments)
        if self.times.id_gaps is not None and not self.times.id_gaps.has_legal_holes:
            return None, self.ids_missing.get(number, (0, 0))[0]
        return None, None

    def _holes_that_start_on(self, number: int, kind: HoleKind) -> list[MissingSpan]:
        return [hole for hole in self.within if hole.kind is kind and hole.start // DAY_US == number]

    def _parts_of_day(self, number: int, kind: HoleKind) -> list[tuple[int, int]]:
        """Returns the parts of holes of a kind that lie within a day."""
        holes = [hole for hole in self.within if hole.kind is kind]
        if kind is HoleKind.PAUSE:
            holes = [hole for hole in holes if number in self._days_of_pause(hole)]
        return sorted(clipped([(hole.start, hole.end) for hole in holes], day_bounds(number)))

    def _days_of_pause(self, hole: MissingSpan) -> list[int]:
        """Returns the days that lack rows for a pause: a day of which only a short end is in the pause is whole."""
        days = range(hole.start // DAY_US, (hole.end - 1) // DAY_US + 1)
        lengths = {
            day: sum(end - start for start, end in clipped([(hole.start, hole.end)], day_bounds(day))) for day in days
        }
        long = [day for day in days if lengths[day] > self.times.longest_pause]
        return long or [max(days, key=lambda day: (lengths[day], day))]

    def _what_is_missing(self, number: int, expected: int | None, missing: int | None) -> tuple[list[str], list[str]]:
        """Returns what a day lacks in words: without a known reason, and with one."""
        words_by_kind = {
            HoleKind.GRID: self._grid_words(number, expected, missing),
            HoleKind.IDS: self._id_words(number, missing),
            HoleKind.HOURS: self._hour_words(number),
            HoleKind.PAUSE: self._part_words(number, HoleKind.PAUSE, "no rows from"),
            HoleKind.PAYMENTS: self._payment_words(number),
            HoleKind.DAYS: self._uncovered_words(number),
        }
        unexplained, explained = [], []
        for kind, words in words_by_kind.items():
            faults = self._faults(kind, [number])
            if words and faults:
                explained.append(f"{words}; known: {_fault_words(faults)}")
            elif words:
                unexplained.append(words)
        return unexplained, explained

    def _faults(self, kind: HoleKind, days: Iterable[int]) -> list[KnownFault]:
        """Returns the known faults that explain a kind of hole on all these days."""
        dates = [_EPOCH + timedelta(days=number) for number in days]
        return [
            fault
            for fault in self.known_faults.get(kind, ())
            if all(fault.first_day <= day <= fault.last_day for day in dates)
        ]

    def _grid_words(self, number: int, expected: int | None, missing: int | None) -> str:
        if self.grid is None:
            return ""
        if not missing:
            # A candle of several days that is missing is missing on each of them.
            return self._part_words(number, HoleKind.GRID, "no candle covers") if not expected else ""
        start, end = day_bounds(number)
        place = np.searchsorted(self.missing, start)
        is_known = place < len(self.missing) and self.missing[place] < end
        first = f", the first at {clock(int(self.missing[place]))}" if is_known else ""
        return f"{missing:,} of {expected:,} rows are missing{first}"

    def _id_words(self, number: int, missing: int | None) -> str:
        if not self.ids_missing or not missing:
            return ""
        return f"{missing:,} ids are missing, the first after {clock(self.ids_missing[number][1])}"

    def _hour_words(self, number: int) -> str:
        parts = self._parts_of_day(number, HoleKind.HOURS)
        hours = sum(end - start for start, end in parts) // HOURS.step
        return f"{hours} hours have no rows, the first at {clock(parts[0][0])}" if parts else ""

    def _payment_words(self, number: int) -> str:
        holes = self._holes_that_start_on(number, HoleKind.PAYMENTS)
        if holes:
            return (
                f"{sum(hole.missing or 0 for hole in holes)} payments are missing, the first at {clock(holes[0].start)}"
            )
        return self._part_words(number, HoleKind.PAYMENTS, "no payment from")

    def _part_words(self, number: int, kind: HoleKind, words: str) -> str:
        parts = self._parts_of_day(number, kind)
        return f"{words} {_spans_in_words(parts, number)}" if parts else ""

    def _refused_row_words(self, number: int) -> list[str]:
        rows = self.refused_rows.get(number, [])
        word = "row was" if len(rows) == 1 else "rows were"
        return [f"{len(rows):,} {word} refused, the first: {rows[0]}"] if rows else []

    def _uncovered_words(self, number: int) -> str:
        start, end = day_bounds(number)
        # The time after the last object is not missing yet.
        parts = clipped([(span.start, span.end) for span in self.uncovered], (start, min(end, self.covered[-1][1])))
        return f"no object covers {_spans_in_words(parts, number)}" if parts else ""


def day_bounds(number: int) -> tuple[int, int]:
    """Returns the bounds of a day since the epoch in microseconds."""
    return number * DAY_US, (number + 1) * DAY_US


def _spans_in_words(spans: Sequence[tuple[int, int]], number: int) -> str:
    end_of_day = (number + 1) * DAY_US
    return ", ".join(f"{clock(start)} to {_end_clock(end, end_of_day)}" for start, end in spans)


def clock(moment_us: int) -> str:
    """Returns the time of day of an instant in microseconds, as short as possible.

    >>> clock(36_000_000_000), clock(36_001_000_000), clock(36_001_250_000)
    ('10:00', '10:00:01', '10:00:01.250')
    """
    moment = instant(moment_us)
    if moment.microsecond:
        return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def _end_clock(moment_us: int, day_end: int) -> str:
    return "24:00" if moment_us == day_end else clock(moment_us)


def _counts_by_day(points: Points, days: range) -> dict[int, int]:
    numbers, counts = np.unique(points // DAY_US, return_counts=True)
    return {number: count for number, count in zip(numbers.tolist(), counts.tolist(), strict=True) if number in days}


def _refusals_by_day(manifest: Manifest) -> dict[int, list[str]]:
    """Returns what was refused, by day, in words."""
    refused: dict[int, list[str]] = defaultdict(list)
    for each in manifest.refused:
        for start, end in covered_bounds([(each.start, each.end)] if each.start else []):
            for day in range(start // DAY_US, (end - 1) // DAY_US + 1):
                refused[day].append(refusal_in_words(each.key, each.error, each.reason))
    return refused


def _sources_by_day(manifest: Manifest, days: range) -> dict[int, set[Source]]:
    sources: dict[int, set[Source]] = defaultdict(set)
    for manifest_input in manifest.inputs:
        [(start, end)] = covered_bounds([(manifest_input.start, manifest_input.end)])
        for day in range(max(days.start, start // DAY_US), min(days.stop, (end - 1) // DAY_US + 1)):
            sources[day].add(manifest_input.source)
    return sources


def _refused_rows_by_day(manifest: Manifest) -> dict[int, list[RefusedRow]]:
    refused: dict[int, list[RefusedRow]] = defaultdict(list)
    for row in manifest.refused_rows:
        refused[microseconds(datetime.fromisoformat(row.time)) // DAY_US].append(row)
    return refused


def _ranked(sources: Iterable[Source]) -> str:
    present = set(sources)
    return ", ".join(source for source in Source if source in present)


def _fault_words(faults: Iterable[KnownFault]) -> str:
    return "; ".join(f"{fault.reason}, {fault.link}" for fault in faults)
