"""What is missing between rows: stretches of time without grid points, identifiers, hours or objects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.vocabulary import HoleKind

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MAX_HOLES = 1000
"""Holes of a partition that are told apart; the last one stands for all that follow."""

Points = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of time in microseconds since the epoch, its end exclusive, and how many rows or ids it lacks."""

    kind: HoleKind
    start: int
    end: int
    missing: int | None


def bounds(covered: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Returns a manifest's stretches in microseconds since the epoch."""
    return [
        (microseconds(datetime.fromisoformat(start)), microseconds(datetime.fromisoformat(end)))
        for start, end in covered
    ]


def points_between(start: int, end: int, step: int) -> tuple[int, int]:
    """Returns the number of the first grid point of a stretch, and of the first one after it.

    >>> points_between(90, 300, 60)
    (2, 5)
    """
    # -(-a // b) rounds up: a stretch may start between two points.
    return -(-start // step), -(-end // step)


def grid_points(stretches: Iterable[tuple[int, int]], step: int) -> Points:
    """Returns the numbers of the grid points within stretches."""
    found = [np.arange(*points_between(start, end, step)) for start, end in stretches]
    return np.concatenate([*found, np.empty(0, np.int64)])


def point_runs(points: Points, step: int, kind: HoleKind) -> list[Run]:
    """Returns ascending points as runs of neighbours; of hours it is not known how many rows they should have."""
    if not len(points):
        return []
    breaks = np.flatnonzero(np.diff(points) != 1)
    starts, ends = points[np.concatenate(([0], breaks + 1))], points[np.concatenate((breaks, [len(points) - 1]))] + 1
    counted = [int(one) for one in ends - starts] if kind is HoleKind.GRID else [None] * len(starts)
    # Objects are made of the first ones only: in the worst case every second point is missing.
    first = slice(MAX_HOLES)
    runs = [
        Run(kind, int(start) * step, int(end) * step, count)
        for start, end, count in zip(starts[first], ends[first], counted[first], strict=True)
    ]
    if len(starts) > MAX_HOLES:
        rest = sum(one or 0 for one in counted[MAX_HOLES - 1 :]) if kind is HoleKind.GRID else None
        runs[-1] = Run(kind, runs[-1].start, int(ends[-1]) * step, rest)
    return runs


def uncovered_runs(covered: Sequence[tuple[int, int]], step: int) -> list[Run]:
    """Returns the stretches that no object covers, from the first covered day's start to the last one's end."""
    if not covered:
        return []
    edges = [covered[0][0] // DAY_US * DAY_US, *(at for stretch in covered for at in stretch)]
    edges.append(-(-covered[-1][1] // DAY_US) * DAY_US)
    gaps = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return [Run(HoleKind.DAYS, start, end, _points_in(start, end, step)) for start, end in gaps]


def _points_in(start: int, end: int, step: int) -> int | None:
    if not step:
        return None
    first, stop = points_between(start, end, step)
    return stop - first


def at_most(runs: Iterable[Run], limit: int = MAX_HOLES) -> list[Run]:
    """Returns runs in order of time; where there are more than `limit`, the last stands for all that follow."""
    ordered = sorted(runs, key=lambda one: (one.start, one.end, one.kind))
    if len(ordered) <= limit:
        return ordered
    rest = ordered[limit - 1 :]
    counted = [one.missing for one in rest if one.missing is not None]
    last = Run(rest[0].kind, rest[0].start, max(one.end for one in rest), sum(counted) if counted else None)
    return [*ordered[: limit - 1], last]


@dataclass(frozen=True, slots=True)
class IdEnds:
    """The identifiers of the first and the last row of a stretch, and their times in microseconds since the epoch."""

    first_id: int
    first_at: int
    last_id: int
    last_at: int


@dataclass(slots=True)
class IdGaps:
    """Collects the gaps between identifiers while rows pass by; holds the first ones and sums of the rest.

    Args:
        column: The identifier that counts up by one.
        time: The event time.
    """

    column: str
    time: str
    runs: list[Run] = field(default_factory=list)
    by_day: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Identifiers missing by day since the epoch, and the time of the row before the first of them."""
    ends: dict[int, IdEnds] = field(default_factory=dict)
    """The first and last row of each day: the next partition's first row should follow the last one."""
    _last: tuple[int, int] | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Takes note of a stretch of rows, which follows the one before."""
        ids, times = rows[self.column].to_numpy(), rows[self.time].dt.epoch("us").to_numpy()
        if not len(ids):
            return
        self._note_ends(ids, times)
        if self._last is not None:
            ids, times = np.concatenate(([self._last[0]], ids)), np.concatenate(([self._last[1]], times))
        self._last = int(ids[-1]), int(times[-1])
        steps = np.diff(ids)
        for at in np.flatnonzero(steps > 1):
            self._note(int(times[at]), int(times[at + 1]), int(steps[at]) - 1)

    def _note_ends(self, ids: Points, times: Points) -> None:
        days = times // DAY_US
        firsts = np.concatenate(([0], np.flatnonzero(np.diff(days)) + 1))
        lasts = np.concatenate((firsts[1:], [len(days)])) - 1
        for day, first, last in zip(days[firsts].tolist(), firsts, lasts, strict=True):
            known = self.ends.get(day)
            start = (known.first_id, known.first_at) if known else (int(ids[first]), int(times[first]))
            self.ends[day] = IdEnds(*start, int(ids[last]), int(times[last]))

    def _note(self, before: int, after: int, missing: int) -> None:
        total, first = self.by_day.get(before // DAY_US, (0, before))
        self.by_day[before // DAY_US] = (total + missing, first)
        # The lost rows lie between two rows, perhaps at the very time of either.
        start, end = min(before, after), max(before, after) + 1
        if len(self.runs) < MAX_HOLES:
            self.runs.append(Run(HoleKind.IDS, start, end, missing))
            return
        last = self.runs[-1]
        self.runs[-1] = Run(HoleKind.IDS, min(last.start, start), max(last.end, end), (last.missing or 0) + missing)


def clock(instant: int) -> str:
    """Returns the time of day of an instant, as short as it can be said.

    >>> clock(36_000_000_000), clock(36_001_000_000), clock(36_001_250_000)
    ('10:00', '10:00:01', '10:00:01.250')
    """
    moment = datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=instant % DAY_US)
    if moment.microsecond:
        return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
