"""Holes that the distance of neighbouring rows proves: pauses of a stream with a cadence, and payments not made."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl

from crypto_lakehouse.coverage.grid import FixedGrid, Points
from crypto_lakehouse.coverage.holes import MissingSpan
from crypto_lakehouse.coverage.lifetime import ALWAYS, Bounds, clipped
from crypto_lakehouse.instants import HOUR_US
from crypto_lakehouse.vocabulary import HoleKind

FUNDING_HOURS = (1, 2, 4, 8)
"""The hours between payments that exist; another number was counted over a payment that is missing."""


@dataclass(slots=True)
class Pauses:
    """Collects the pauses that are longer than a bound while rows pass by in order of time.

    Args:
        limit: The bound in microseconds.
    """

    limit: int
    _spans: list[Bounds] = field(default_factory=list)
    _last: int = ALWAYS[0]

    def add(self, times: Points) -> None:
        """Adds the next times."""
        if not len(times):
            return
        joined = np.concatenate(([self._last], times))
        for place in np.flatnonzero(np.diff(joined) > self.limit):
            self._spans.append((int(joined[place]), int(joined[place + 1])))
        self._last = max(self._last, int(times[-1]))

    def holes(self, covered: Sequence[Bounds]) -> list[MissingSpan]:
        """Returns the parts of pauses that lie in covered spans and are longer than the bound."""
        spans = [*self._spans, (self._last, ALWAYS[1])]
        parts = [part for span in spans for part in clipped(covered, span)]
        return [MissingSpan(HoleKind.PAUSE, start, end, None) for start, end in parts if end - start > self.limit]


@dataclass(slots=True)
class Payments:
    """Collects payments and the hours between them.

    Args:
        column: The column with the hours between two payments.
        time: The event time.
    """

    column: str
    time: str
    _rows: list[tuple[int, int]] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the next rows."""
        self._rows += rows.select(pl.col(self.time).dt.epoch("us"), pl.col(self.column).fill_null(0)).iter_rows()

    def holes(self, covered: Sequence[Bounds]) -> list[MissingSpan]:
        """Returns the payments that covered spans lack: a hole lasts from the first one to the next payment."""
        known = Counter(hours for _, hours in self._rows if hours in FUNDING_HOURS)
        usual = known.most_common(1)[0][0] if known else FUNDING_HOURS[-1]
        paid = [(time, (hours if hours in FUNDING_HOURS else usual) * HOUR_US) for time, hours in sorted(self._rows)]
        due = [*_before(paid[:1], covered), *_between(paid), *_after(paid[-1:], covered)]
        return [hole for times, step in due for hole in _covered_holes(times, step, covered)]


def _before(first: Iterable[tuple[int, int]], covered: Sequence[Bounds]) -> list[tuple[Points, int]]:
    """Returns the times that are due before the first payment, from the start of what is covered."""
    return [(FixedGrid(step, time).points(covered[0][0], time), step) for time, step in first if covered]


def _between(paid: Sequence[tuple[int, int]]) -> list[tuple[Points, int]]:
    # Where the distance changes, either of the two may hold in between.
    steps = [(before, after, max(step, other)) for (before, step), (after, other) in pairwise(paid)]
    return [(FixedGrid(step, before).points(before + step, after), step) for before, after, step in steps]


def _after(last: Iterable[tuple[int, int]], covered: Sequence[Bounds]) -> list[tuple[Points, int]]:
    return [(FixedGrid(step, time).points(time + step, covered[-1][1]), step) for time, step in last if covered]


def _covered_holes(times: Points, step: int, covered: Sequence[Bounds]) -> list[MissingSpan]:
    """Returns one hole for each covered span that has any of these times."""
    holes = []
    for start, end in covered:
        within = times[(times >= start) & (times < end)]
        if len(within):
            first, last = int(within[0]), int(within[-1])
            holes.append(MissingSpan(HoleKind.PAYMENTS, first, min(last + step, end), len(within)))
    return holes
