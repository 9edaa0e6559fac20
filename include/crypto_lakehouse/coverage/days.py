"""The coverage of a partition: one record per UTC day, and its holes, after one pass over its rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from crypto_lakehouse.coverage.grid import DAY_US, HOUR_US, points_between
from crypto_lakehouse.coverage.holes import (
    MissingSpan,
    Points,
    at_most,
    covered_bounds,
    missing_point_spans,
    uncovered_spans,
)
from crypto_lakehouse.coverage.known_faults import KnownFault
from crypto_lakehouse.coverage.records import NO_OBJECT, DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.coverage.row_times import RowTimes
from crypto_lakehouse.instants import instant, microseconds
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
    if not manifest.covered:
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
        self.step = times.step
        self.covered = covered_bounds(manifest.covered)
        self.numbers = range(self.covered[0][0] // DAY_US, (self.covered[-1][1] - 1) // DAY_US + 1)
        self.sources = _sources_by_day(manifest, self.numbers)
        self.uncovered = uncovered_spans(self.covered, self.step)
        self.missing = times.missing_points() if self.step else np.empty(0, np.int64)
        self.present = _counts_by_day(times.present_points(), self.step, self.numbers)
        self.refused = _refused_by_day(manifest)
        self.hours = times.missing_hours() if times.expects_every_hour else []

    def missing_spans(self) -> Iterable[MissingSpan]:
        """Yields everything that is missing."""
        yield from self.uncovered
        yield from missing_point_spans(self.missing, self.step, HoleKind.GRID)
        yield from missing_point_spans(np.array(self.hours, np.int64), HOUR_US, HoleKind.HOURS)
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
        unexplained += self._refused_words(number)
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
        start, end = number * DAY_US, (number + 1) * DAY_US
        if not any(first < end and stop > start for first, stop in self.covered):
            return DayCondition.MISSING, [NO_OBJECT]
        if reached < end:
            return DayCondition.PENDING, [f"until {clock(reached)} UTC", *unexplained]
        return DayCondition.DEGRADED if unexplained else DayCondition.AVAILABLE, unexplained

    def _ends(self, number: int) -> tuple[int, datetime, int, datetime] | tuple[()]:
        ends = self.times.id_gaps.ends.get(number) if self.times.id_gaps else None
        return (ends.first_id, instant(ends.first_at), ends.last_id, instant(ends.last_at)) if ends else ()

    def _figures(self, number: int, reached: int) -> tuple[int | None, int | None]:
        """Returns how many rows of a day are expected, and how many rows or identifiers are missing."""
        if self.step:
            first, stop = points_between(number * DAY_US, reached, self.step)
            return stop - first, max(0, stop - first - int(self.present[number - self.numbers.start]))
        if self.times.id_gaps is not None:
            return None, self.times.id_gaps.by_day.get(number, (0, 0))[0]
        return None, None

    def _what_is_missing(self, number: int, expected: int | None, missing: int | None) -> tuple[list[str], list[str]]:
        """Returns what a day lacks in words: without a known reason, and with one."""
        words_by_kind = {
            HoleKind.GRID: self._grid_words(number, expected, missing),
            HoleKind.IDS: self._id_words(number, missing),
            HoleKind.HOURS: self._hour_words(number),
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
        if not self.step or not missing:
            return ""
        per_day = DAY_US // self.step
        place = np.searchsorted(self.missing, number * per_day)
        is_known = place < len(self.missing) and self.missing[place] < (number + 1) * per_day
        first = f", the first at {clock(int(self.missing[place]) * self.step)}" if is_known else ""
        return f"{missing:,} of {expected:,} rows are missing{first}"

    def _id_words(self, number: int, missing: int | None) -> str:
        if self.times.id_gaps is None or not missing:
            return ""
        return f"{missing:,} ids are missing, the first after {clock(self.times.id_gaps.by_day[number][1])}"

    def _hour_words(self, number: int) -> str:
        hours = [hour for hour in self.hours if hour * HOUR_US // DAY_US == number]
        return f"{len(hours)} hours have no rows, the first at {clock(hours[0] * HOUR_US)}" if hours else ""

    def _refused_words(self, number: int) -> list[str]:
        rows = self.refused.get(number, [])
        if not rows:
            return []
        word = "row was" if len(rows) == 1 else "rows were"
        return [f"{len(rows):,} {word} refused, the first: {rows[0]}"]

    def _uncovered_words(self, number: int) -> str:
        start, end = number * DAY_US, (number + 1) * DAY_US
        # The time after the last object is not missing yet.
        last = self.covered[-1][1]
        spans = [span for span in self.uncovered if span.start < min(end, last) and span.end > start]
        words = [f"{clock(max(span.start, start))} to {_end_clock(min(span.end, end), end)}" for span in spans]
        return f"no object covers {', '.join(words)}" if words else ""


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


def _counts_by_day(points: Points, step: int, days: range) -> Points:
    if not step:
        return np.zeros(len(days), np.int64)
    numbers = points * step // DAY_US - days.start
    return np.bincount(numbers[(numbers >= 0) & (numbers < len(days))], minlength=len(days))


def _sources_by_day(manifest: Manifest, days: range) -> dict[int, set[Source]]:
    sources: dict[int, set[Source]] = defaultdict(set)
    for manifest_input in manifest.inputs:
        [(start, end)] = covered_bounds([(manifest_input.start, manifest_input.end)])
        for day in range(max(days.start, start // DAY_US), min(days.stop, (end - 1) // DAY_US + 1)):
            sources[day].add(manifest_input.source)
    return sources


def _refused_by_day(manifest: Manifest) -> dict[int, list[RefusedRow]]:
    refused: dict[int, list[RefusedRow]] = defaultdict(list)
    for row in manifest.refused_rows:
        refused[microseconds(datetime.fromisoformat(row.time)) // DAY_US].append(row)
    return refused


def _ranked(sources: Iterable[Source]) -> str:
    present = set(sources)
    return ", ".join(source for source in Source if source in present)


def _fault_words(faults: Iterable[KnownFault]) -> str:
    return "; ".join(f"{fault.reason}, {fault.link}" for fault in faults)
