"""A partition's coverage: one record per UTC day, and its holes, from what one pass over its rows collected."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from crypto_lakehouse.coverage.cover import Cover
from crypto_lakehouse.coverage.holes import (
    DAY_US,
    HOUR_US,
    Points,
    Run,
    at_most,
    bounds,
    clock,
    point_runs,
    points_between,
    uncovered_runs,
)
from crypto_lakehouse.coverage.known_faults import KnownFault, faults_of
from crypto_lakehouse.coverage.records import DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.spec import Check
from crypto_lakehouse.vocabulary import DayCondition, HoleKind, Source

_EPOCH = date(1970, 1, 1)
_CHECK_OF = {
    HoleKind.GRID: Check.GRID_COMPLETE,
    HoleKind.IDS: Check.IDS_CONTIGUOUS,
    HoleKind.HOURS: Check.HOURS_COVERED,
}
"""The check that a known fault names for each kind of hole; where no object is, no fault of an object is known."""


@dataclass(frozen=True, slots=True)
class PartitionCoverage:
    """What a partition has of its days, and what it lacks; nothing where no object covers any of it."""

    days: tuple[DayCoverage, ...]
    holes: tuple[Hole, ...]


def partition_coverage(cover: Cover, manifest: Manifest, partition_version: PartitionVersion) -> PartitionCoverage:
    """Returns the coverage of a partition whose rows have all passed by.

    Args:
        cover: What was collected of them.
        manifest: The partition's manifest.
        partition_version: The partition and its version.
    """
    if not manifest.covered:
        return PartitionCoverage((), ())
    facts = _Facts(cover, manifest, partition_version)
    return PartitionCoverage(
        tuple(facts.day(number) for number in facts.numbers),
        tuple(facts.hole(run) for run in at_most(facts.runs())),
    )


class _Facts:
    """What days and holes are told from; days are numbered since the epoch."""

    def __init__(self, cover: Cover, manifest: Manifest, partition_version: PartitionVersion) -> None:
        self.cover, self.partition_version, self.step = cover, partition_version, cover.step
        self.covered = bounds(manifest.covered)
        self.numbers = range(self.covered[0][0] // DAY_US, (self.covered[-1][1] - 1) // DAY_US + 1)
        self.sources = _sources_by_day(manifest, self.numbers)
        self.uncovered = uncovered_runs(self.covered, self.step)
        self.missing = cover.missing_points() if self.step else np.empty(0, np.int64)
        self.present = _counts_by_day(cover.present(), self.step, self.numbers)
        self.hours = [] if self.step else cover.missing_hours()
        self.faults = faults_of(cover.partition, manifest.covered)

    def runs(self) -> Iterable[Run]:
        """Yields everything that is missing."""
        yield from self.uncovered
        yield from point_runs(self.missing, self.step, HoleKind.GRID)
        yield from point_runs(np.array(self._busy_hours(), np.int64), HOUR_US, HoleKind.HOURS)
        yield from self.cover.id_gaps.runs if self.cover.id_gaps else ()

    def hole(self, run: Run) -> Hole:
        """Returns a run as a record."""
        start, end = _instant(run.start), _instant(run.end)
        days = range(run.start // DAY_US, (run.end - 1) // DAY_US + 1)
        known = [one for one in self.faults if one.check is _CHECK_OF.get(run.kind) and _holds(one, days)]
        beside = {source for day in days for source in self.sources.get(day, ())}
        named = "" if run.kind is HoleKind.DAYS else _ranked(beside)
        return Hole(self.partition_version, start, end, run.missing, run.kind, _words(known), named)

    def day(self, number: int) -> DayCoverage:
        """Returns a day as a record."""
        start, end = number * DAY_US, (number + 1) * DAY_US
        reached = min(end, self.covered[-1][1])
        is_pending, is_missing = reached < end, not self._is_touched(start, end)
        expected, missing = self._figures(number, reached)
        unknown, known = self._lacks(number, expected, missing)
        condition = DayCondition.DEGRADED if unknown else DayCondition.AVAILABLE
        if is_missing:
            condition, unknown = DayCondition.MISSING, ["no object covers it, and there are days before and after it"]
        elif is_pending:
            condition, unknown = DayCondition.PENDING, [f"until {clock(reached)} UTC", *unknown]
        return DayCoverage(
            self.partition_version,
            _EPOCH + timedelta(days=number),
            condition,
            "; ".join([*unknown, *known]),
            self.cover.rows_by_day.get(number, 0),
            expected,
            missing,
            _ranked(self.sources.get(number, ())),
            *self._ends(number),
        )

    def _ends(self, number: int) -> tuple[int, datetime, int, datetime] | tuple[()]:
        ends = self.cover.id_gaps.ends.get(number) if self.cover.id_gaps else None
        return (ends.first_id, _instant(ends.first_at), ends.last_id, _instant(ends.last_at)) if ends else ()

    def _is_touched(self, start: int, end: int) -> bool:
        return any(begin < end and stop > start for begin, stop in self.covered)

    def _figures(self, number: int, reached: int) -> tuple[int | None, int | None]:
        if self.step:
            first, stop = points_between(number * DAY_US, reached, self.step)
            return stop - first, max(0, stop - first - int(self.present[number - self.numbers.start]))
        if self.cover.id_gaps is not None:
            return None, self.cover.id_gaps.by_day.get(number, (0, 0))[0]
        return None, None

    def _lacks(self, number: int, expected: int | None, missing: int | None) -> tuple[list[str], list[str]]:
        """Returns what a day lacks in words: without a known reason, and with one."""
        said = {
            HoleKind.GRID: self._grid_words(number, expected, missing),
            HoleKind.IDS: self._id_words(number, missing),
            HoleKind.HOURS: self._hour_words(number),
            HoleKind.DAYS: self._uncovered_words(number),
        }
        unknown, known = [], []
        for kind, words in said.items():
            faults = [one for one in self.faults if one.check is _CHECK_OF.get(kind) and _holds(one, [number])]
            if words and faults:
                known.append(f"{words}; known: {_words(faults)}")
            elif words:
                unknown.append(words)
        return unknown, known

    def _grid_words(self, number: int, expected: int | None, missing: int | None) -> str:
        if not self.step or not missing:
            return ""
        per_day = DAY_US // self.step
        at = np.searchsorted(self.missing, number * per_day)
        is_here = at < len(self.missing) and self.missing[at] < (number + 1) * per_day
        first = f", the first at {clock(int(self.missing[at]) * self.step)}" if is_here else ""
        return f"{missing:,} of {expected:,} rows are missing{first}"

    def _id_words(self, number: int, missing: int | None) -> str:
        if self.cover.id_gaps is None or not missing:
            return ""
        return f"{missing:,} ids are missing, the first after {clock(self.cover.id_gaps.by_day[number][1])}"

    def _hour_words(self, number: int) -> str:
        hours = [one for one in self._busy_hours() if one * HOUR_US // DAY_US == number]
        return f"{len(hours)} hours have no rows, the first at {clock(hours[0] * HOUR_US)}" if hours else ""

    def _busy_hours(self) -> list[int]:
        return self.hours if self.cover.has_busy_hours else []

    def _uncovered_words(self, number: int) -> str:
        start, end = number * DAY_US, (number + 1) * DAY_US
        inner = [one for one in self.uncovered if one.start < end and one.end > start]
        # What follows the last object is not missing yet.
        inner = [one for one in inner if one.start < self.covered[-1][1]]
        spans = [f"{clock(max(one.start, start))} to {_until(min(one.end, end), end)}" for one in inner]
        return f"no object covers {', '.join(spans)}" if spans else ""


def _until(instant: int, day_end: int) -> str:
    return "24:00" if instant == day_end else clock(instant)


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _counts_by_day(points: Points, step: int, days: range) -> Points:
    if not step:
        return np.zeros(len(days), np.int64)
    numbers = points * step // DAY_US - days.start
    return np.bincount(numbers[(numbers >= 0) & (numbers < len(days))], minlength=len(days))


def _sources_by_day(manifest: Manifest, days: range) -> dict[int, set[Source]]:
    found: dict[int, set[Source]] = defaultdict(set)
    for one in manifest.inputs:
        [(start, end)] = bounds([(one.start, one.end)])
        for day in range(max(days.start, start // DAY_US), min(days.stop, (end - 1) // DAY_US + 1)):
            found[day].add(one.source)
    return found


def _ranked(sources: Iterable[Source]) -> str:
    held = set(sources)
    return ", ".join(one for one in Source if one in held)


def _holds(fault: KnownFault, days: Iterable[int]) -> bool:
    """Returns whether all days are days of the fault."""
    return all(fault.first_day <= _EPOCH + timedelta(days=one) <= fault.last_day for one in days)


def _words(faults: Iterable[KnownFault]) -> str:
    return "; ".join(f"{one.reason}, {one.link}" for one in faults)
