"""The grid of a series: the instants at which its rows are expected.

Instants are microseconds since the epoch. Rows of up to a day stand on multiples of their distance. Weeks start on
Mondays 00:00 UTC, months on the 1st. On which days candles of three days start is not documented: it is learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crypto_lakehouse.instants import DAY_US
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.vocabulary import Interval

MONDAY_US = 4 * DAY_US
"""1970-01-05, the first Monday of the epoch."""

Points = npt.NDArray[np.int64]
"""Instants on a grid, ascending."""


class Grid(Protocol):
    """Where rows are expected."""

    def points(self, start: int, end: int) -> Points:
        """Returns the expected instants from `start` to before `end`."""
        ...

    def ends(self, points: Points) -> Points:
        """Returns the end of the time that each point stands for."""
        ...

    def has(self, times: Points) -> npt.NDArray[np.bool_]:
        """Returns whether each time is on the grid."""
        ...


@dataclass(frozen=True, slots=True)
class FixedGrid:
    """Rows of one distance.

    Args:
        step: The distance in microseconds.
        anchor: Any instant of the grid.

    >>> FixedGrid(60).points(90, 300).tolist()
    [120, 180, 240]
    """

    step: int
    anchor: int = 0

    def points(self, start: int, end: int) -> Points:
        """See `Grid`."""
        # -(-a // b) rounds up: a span may start between two points.
        first = self.anchor - (self.anchor - start) // self.step * self.step
        return np.arange(first, end, self.step, dtype=np.int64)

    def ends(self, points: Points) -> Points:
        """See `Grid`."""
        return points + self.step

    def has(self, times: Points) -> npt.NDArray[np.bool_]:
        """See `Grid`."""
        return np.equal((times - self.anchor) % self.step, 0)


class MonthGrid:
    """One row for each calendar month, on its first day.

    >>> MonthGrid().points(0, 40 * DAY_US).tolist() == [0, 31 * DAY_US]
    True
    """

    def points(self, start: int, end: int) -> Points:
        """See `Grid`."""
        months = np.arange(np.datetime64(start, "us").astype("M8[M]"), np.datetime64(end, "us").astype("M8[M]") + 1)
        points = months.astype("M8[us]").astype(np.int64)
        return points[(points >= start) & (points < end)]

    def ends(self, points: Points) -> Points:
        """See `Grid`."""
        months = points.astype("M8[us]").astype("M8[M]") + 1
        return months.astype("M8[us]").astype(np.int64)

    def has(self, times: Points) -> npt.NDArray[np.bool_]:
        """See `Grid`."""
        return np.equal(times.astype("M8[us]").astype("M8[M]").astype("M8[us]").astype(np.int64), times)


def grid_of(partition: Partition, seconds: float = 0.0, anchor: int | None = None) -> Grid | None:
    """Returns the grid of a partition, None where its rows have no fixed distance or their first day is not known yet.

    Args:
        partition: The partition.
        seconds: The distance, where the table states it; 0 where the kline interval decides.
        anchor: An instant at which a candle of three days starts, once it is known.
    """
    if seconds:
        return FixedGrid(int(seconds * 1_000_000))
    interval = partition.interval
    if interval is Interval.MO1:
        return MonthGrid()
    if interval is Interval.D3:
        return None if anchor is None else FixedGrid(3 * DAY_US, anchor)
    if interval is None or interval.microseconds is None:
        return None
    return FixedGrid(interval.microseconds, MONDAY_US if interval is Interval.W1 else 0)


def learned_anchor(times: Sequence[int]) -> int | None:
    """Returns the instant within the first three days of the epoch that most candles of three days fit.

    >>> learned_anchor([0, 3 * DAY_US, 7 * DAY_US])
    0
    """
    residues = [time % (3 * DAY_US) for time in times]
    # Of residues that are equally frequent the one of the earliest candle counts: the answer does not depend on order.
    return max(residues, key=lambda residue: (residues.count(residue), -times[residues.index(residue)]), default=None)
