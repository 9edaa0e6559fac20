"""What is missing between rows, as spans of time: grid points, identifiers, hours, and time that no object covers.

Instants are integers, microseconds since the epoch: a partition may have millions of them, in NumPy arrays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from crypto_lakehouse.coverage.grid import Grid, Points
from crypto_lakehouse.instants import DAY_US, microseconds
from crypto_lakehouse.vocabulary import HoleKind

MAX_HOLES = 1000
"""Most holes that are recorded of a partition; the last one stands for all that follow."""


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


def grid_points(spans: Iterable[tuple[int, int]], grid: Grid) -> Points:
    """Returns the points of a grid within spans."""
    points = [grid.points(start, end) for start, end in spans]
    return np.concatenate([*points, np.empty(0, np.int64)])


def _breaks(points: Points, grid: Grid) -> Points:
    """Returns the places of the points whose successor on the grid does not follow."""
    return np.flatnonzero(grid.ends(points[:-1]) != points[1:])


def longest_sequence(points: Points, grid: Grid) -> int:
    """Returns the length of the longest sequence of neighbours in ascending points."""
    if not len(points):
        return 0
    edges = np.concatenate(([-1], _breaks(points, grid), [len(points) - 1]))
    return int(np.max(np.diff(edges)))


def missing_point_spans(points: Points, grid: Grid, kind: HoleKind) -> list[MissingSpan]:
    """Returns one span per sequence of neighbours in ascending missing points.

    Args:
        points: The missing points.
        grid: Their grid.
        kind: `GRID`, or `HOURS`, of which the expected number of rows is not known.
    """
    if not len(points):
        return []
    breaks = _breaks(points, grid)
    firsts, lasts = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(points) - 1]))
    counts = [int(count) for count in lasts - firsts + 1] if kind is HoleKind.GRID else [None] * len(firsts)
    starts, ends = points[firsts], grid.ends(points[lasts])
    # In the worst case every second point is missing: only the first spans become objects.
    first = slice(MAX_HOLES)
    spans = [
        MissingSpan(kind, int(start), int(end), count)
        for start, end, count in zip(starts[first], ends[first], counts[first], strict=True)
    ]
    if len(starts) > MAX_HOLES:
        rest = sum(count or 0 for count in counts[MAX_HOLES - 1 :]) if kind is HoleKind.GRID else None
        spans[-1] = MissingSpan(kind, spans[-1].start, int(ends[-1]), rest)
    return spans


def uncovered_spans(covered: Sequence[tuple[int, int]], grid: Grid | None, life: tuple[int, int]) -> list[MissingSpan]:
    """Returns the spans that no object covers, from the start of the first covered day to the end of the last one.

    Args:
        covered: The covered spans, ascending and not touching.
        grid: The grid of the expected rows; None where there is none.
        life: Nothing is missing before its start or from its end on.
    """
    if not covered:
        return []
    first, end = max(covered[0][0] // DAY_US * DAY_US, life[0]), min(-(-covered[-1][1] // DAY_US) * DAY_US, life[1])
    edges = [first, *(instant for span in covered for instant in span), end]
    gaps = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return [
        MissingSpan(HoleKind.DAYS, start, end, len(grid.points(start, end)) if grid else None) for start, end in gaps
    ]


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
    """The lowest and the highest identifier of a day, and its first and last time in microseconds since the epoch."""

    first_id: int
    first_at: int
    last_id: int
    last_at: int

    def joined(self, other: "DayEnds") -> "DayEnds":
        """Returns the ends of the rows of both."""
        return DayEnds(
            min(self.first_id, other.first_id),
            min(self.first_at, other.first_at),
            max(self.last_id, other.last_id),
            max(self.last_at, other.last_at),
        )


@dataclass(slots=True)
class IdGaps:
    """Collects which identifiers there are while rows pass by, as runs without a gap.

    The order of the rows does not matter: identifiers that ascend while times do not are not missing.

    Args:
        column: The identifier.
        time: The event time.
        has_legal_holes: Whether identifiers skip some legally, so that only the ends of days are collected.
    """

    column: str
    time: str
    has_legal_holes: bool = False
    ends: dict[int, DayEnds] = field(default_factory=dict)
    """Lowest and highest identifier by day since the epoch, with the first and the last time of the day."""
    _runs: Points = field(default_factory=lambda: np.empty((4, 0), np.int64))
    """First identifier and its time, last identifier and its time, of each run, ascending."""

    def add(self, rows: pl.DataFrame) -> None:
        """Adds rows of the partition."""
        ids, times = rows[self.column].to_numpy(), rows[self.time].dt.epoch("us").to_numpy()
        if not len(ids):
            return
        self._add_ends(rows)
        if self.has_legal_holes:
            return
        if (np.diff(ids) < 0).any():
            order = np.argsort(ids, kind="stable")
            ids, times = ids[order], times[order]
        breaks = np.flatnonzero(np.diff(ids) > 1)
        firsts, lasts = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(ids) - 1]))
        runs = np.stack((ids[firsts], times[firsts], ids[lasts], times[lasts]))
        self._runs = _joined_runs(np.concatenate((self._runs, runs), axis=1))

    @property
    def missing(self) -> int:
        """How many identifiers are missing between the lowest and the highest one."""
        return int((self._runs[0, 1:] - self._runs[2, :-1] - 1).sum())

    @property
    def spans(self) -> list[MissingSpan]:
        """The gaps between runs, at most MAX_HOLES: the last one stands for all that follow."""
        return at_most(span for span, _ in self._gaps())

    @property
    def by_day(self) -> dict[int, tuple[int, int]]:
        """Missing identifiers by day since the epoch, and the time of the row before the first of them."""
        days: dict[int, tuple[int, int]] = {}
        for span, before in self._gaps():
            total, first = days.get(before // DAY_US, (0, before))
            days[before // DAY_US] = (total + (span.missing or 0), first)
        return days

    def _gaps(self) -> Iterator[tuple[MissingSpan, int]]:
        """Yields each gap and the time of the row before it."""
        for before, after, last, first in zip(
            self._runs[3, :-1].tolist(),
            self._runs[1, 1:].tolist(),
            self._runs[2, :-1].tolist(),
            self._runs[0, 1:].tolist(),
            strict=True,
        ):
            # The missing rows lie between two rows, perhaps at the time of one row.
            yield MissingSpan(HoleKind.IDS, min(before, after), max(before, after) + 1, first - last - 1), before

    def _add_ends(self, rows: pl.DataFrame) -> None:
        identifier, time = pl.col(self.column), pl.col(self.time).dt.epoch("us")
        days = rows.group_by((time // DAY_US).alias("day")).agg(
            identifier.min().alias("first_id"),
            time.min().alias("first_at"),
            identifier.max().alias("last_id"),
            time.max().alias("last_at"),
        )
        for day, *values in days.iter_rows():
            ends = DayEnds(*values)
            self.ends[day] = ends.joined(self.ends[day]) if day in self.ends else ends


def _joined_runs(runs: Points) -> Points:
    """Returns runs with those that overlap or touch joined, ascending."""
    runs = runs[:, np.argsort(runs[0], kind="stable")]
    reached = np.maximum.accumulate(runs[2])
    firsts = np.concatenate(([0], np.flatnonzero(runs[0, 1:] > reached[:-1] + 1) + 1))
    # Of each joined run the end is where the highest identifier so far was reached.
    highest = np.maximum.accumulate(np.where(runs[2] == reached, np.arange(len(reached)), 0))
    lasts = highest[np.concatenate((firsts[1:], [len(reached)])) - 1]
    return np.stack((runs[0, firsts], runs[1, firsts], runs[2, lasts], runs[3, lasts]))
