"""What is missing between rows, as spans of time: grid points, identifiers, hours, and time that no object covers.

Instants are integers, microseconds since the epoch: a partition may have millions of them, in NumPy arrays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from crypto_lakehouse.coverage.grid import DAY_US, points_between
from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.vocabulary import HoleKind

MAX_HOLES = 1000
"""Most holes that are recorded of a partition; the last one stands for all that follow."""

Points = npt.NDArray[np.int64]
"""Numbers of grid points, or of hours since the epoch."""


@dataclass(frozen=True, slots=True)
class MissingSpan:
    """A half-open span in microseconds since the epoch, and how many rows or identifiers it lacks.

    `missing` is None where the expected number of rows is not known.
    """

    kind: HoleKind
    start: int
    end: int
    missing: int | None


def covered_bounds(covered: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Returns the covered spans of a manifest in microseconds since the epoch."""
    return [
        (microseconds(datetime.fromisoformat(start)), microseconds(datetime.fromisoformat(end)))
        for start, end in covered
    ]


def grid_points(spans: Iterable[tuple[int, int]], step: int) -> Points:
    """Returns the numbers of the grid points within spans."""
    points = [np.arange(*points_between(start, end, step)) for start, end in spans]
    return np.concatenate([*points, np.empty(0, np.int64)])


def longest_sequence(points: Points) -> int:
    """Returns the length of the longest sequence of neighbours in ascending points."""
    if not len(points):
        return 0
    breaks = np.flatnonzero(np.diff(points) != 1)
    edges = np.concatenate(([-1], breaks, [len(points) - 1]))
    return int(np.max(np.diff(edges)))


def missing_point_spans(points: Points, step: int, kind: HoleKind) -> list[MissingSpan]:
    """Returns one span per sequence of neighbours in ascending missing points.

    Args:
        points: The missing points.
        step: Their distance in microseconds.
        kind: `GRID`, or `HOURS`, of which the expected number of rows is not known.
    """
    if not len(points):
        return []
    breaks = np.flatnonzero(np.diff(points) != 1)
    starts, ends = points[np.concatenate(([0], breaks + 1))], points[np.concatenate((breaks, [len(points) - 1]))] + 1
    counts = [int(count) for count in ends - starts] if kind is HoleKind.GRID else [None] * len(starts)
    # In the worst case every second point is missing: only the first spans become objects.
    first = slice(MAX_HOLES)
    spans = [
        MissingSpan(kind, int(start) * step, int(end) * step, count)
        for start, end, count in zip(starts[first], ends[first], counts[first], strict=True)
    ]
    if len(starts) > MAX_HOLES:
        rest = sum(count or 0 for count in counts[MAX_HOLES - 1 :]) if kind is HoleKind.GRID else None
        spans[-1] = MissingSpan(kind, spans[-1].start, int(ends[-1]) * step, rest)
    return spans


def uncovered_spans(covered: Sequence[tuple[int, int]], step: int) -> list[MissingSpan]:
    """Returns the spans that no object covers, from the start of the first covered day to the end of the last one.

    Args:
        covered: The covered spans, ascending and not touching.
        step: The distance of the expected rows; 0 where there is no grid.
    """
    if not covered:
        return []
    edges = [covered[0][0] // DAY_US * DAY_US, *(instant for span in covered for instant in span)]
    edges.append(-(-covered[-1][1] // DAY_US) * DAY_US)
    gaps = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return [MissingSpan(HoleKind.DAYS, start, end, _points_in(start, end, step)) for start, end in gaps]


def _points_in(start: int, end: int, step: int) -> int | None:
    if not step:
        return None
    first, stop = points_between(start, end, step)
    return stop - first


def at_most(spans: Iterable[MissingSpan], limit: int = MAX_HOLES) -> list[MissingSpan]:
    """Returns spans in order of time; where there are more than `limit`, the last one stands for all that follow."""
    ordered = sorted(spans, key=lambda span: (span.start, span.end, span.kind))
    if len(ordered) <= limit:
        return ordered
    rest = ordered[limit - 1 :]
    counts = [span.missing for span in rest if span.missing is not None]
    last_end = max(span.end for span in rest)
    last = MissingSpan(rest[0].kind, rest[0].start, last_end, sum(counts) if counts else None)
    return [*ordered[: limit - 1], last]


@dataclass(frozen=True, slots=True)
class DayEnds:
    """The identifiers of the first and the last row of a day, and their times in microseconds since the epoch."""

    first_id: int
    first_at: int
    last_id: int
    last_at: int


@dataclass(slots=True)
class IdGaps:
    """Collects the gaps between identifiers while rows pass by; keeps the first gaps, and sums of the others.

    Args:
        column: The identifier that increases by one.
        time: The event time.
    """

    column: str
    time: str
    spans: list[MissingSpan] = field(default_factory=list)
    """The gaps, at most MAX_HOLES."""
    by_day: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Missing identifiers by day since the epoch, and the time of the row before the first of them."""
    ends: dict[int, DayEnds] = field(default_factory=dict)
    """First and last row by day since the epoch: the first row of the next partition should follow the last one."""
    _last: tuple[int, int] | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the next rows of the partition; they follow the rows of the call before."""
        ids, times = rows[self.column].to_numpy(), rows[self.time].dt.epoch("us").to_numpy()
        if not len(ids):
            return
        self._add_ends(ids, times)
        if self._last is not None:
            ids, times = np.concatenate(([self._last[0]], ids)), np.concatenate(([self._last[1]], times))
        self._last = int(ids[-1]), int(times[-1])
        steps = np.diff(ids)
        for place in np.flatnonzero(steps > 1):
            self._add_gap(int(times[place]), int(times[place + 1]), int(steps[place]) - 1)

    def _add_ends(self, ids: Points, times: Points) -> None:
        days = times // DAY_US
        firsts = np.concatenate(([0], np.flatnonzero(np.diff(days)) + 1))
        lasts = np.concatenate((firsts[1:], [len(days)])) - 1
        for day, first, last in zip(days[firsts].tolist(), firsts, lasts, strict=True):
            known = self.ends.get(day)
            start = (known.first_id, known.first_at) if known else (int(ids[first]), int(times[first]))
            self.ends[day] = DayEnds(*start, int(ids[last]), int(times[last]))

    def _add_gap(self, before: int, after: int, missing: int) -> None:
        total, first = self.by_day.get(before // DAY_US, (0, before))
        self.by_day[before // DAY_US] = (total + missing, first)
        # The missing rows lie between two rows, perhaps at the time of one row.
        start, end = min(before, after), max(before, after) + 1
        if len(self.spans) < MAX_HOLES:
            self.spans.append(MissingSpan(HoleKind.IDS, start, end, missing))
            return
        last = self.spans[-1]
        total_missing = (last.missing or 0) + missing
        self.spans[-1] = MissingSpan(HoleKind.IDS, min(last.start, start), max(last.end, end), total_missing)
