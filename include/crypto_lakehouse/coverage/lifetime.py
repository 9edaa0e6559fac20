"""The lifetime of a series: before its first instant and from its end on, nothing is missing. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from crypto_lakehouse.instants import microseconds, midnight

Bounds = tuple[int, int]
"""A half-open span in microseconds since the epoch."""

ALWAYS: Bounds = (-(2**62), 2**62)
"""The lifetime of a series of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is known of the start and the end of a series: the earliest and the latest instant of each.

    Args:
        starts: Between these instants its first row lies. None where its start is not known.
        ends: Between these instants its last row lies, likewise.
    """

    starts: Bounds | None = None
    ends: Bounds | None = None

    def bounds(self, first_at: int | None, last_at: int | None) -> Bounds:
        """Returns the lifetime, given the first and the last row of a partition.

        Within what is known the rows decide. Rows outside of it refute it. Without rows it is as long as it may be.
        """
        start, end = ALWAYS
        if self.starts is not None and (first_at is None or first_at >= self.starts[0]):
            start = self.starts[0] if first_at is None else min(first_at, self.starts[1])
        if self.ends is not None and (last_at is None or last_at < self.ends[1]):
            end = self.ends[1] if last_at is None else max(last_at + 1, self.ends[0])
        return start, end


UNKNOWN_LIFETIME = Lifetime()


def bounds_of_days(first: date, last: date) -> Bounds:
    """Returns the bounds of UTC days, the last one included.

    >>> bounds_of_days(date(1970, 1, 1), date(1970, 1, 2))
    (0, 172800000000)
    """
    return microseconds(midnight(first)), microseconds(midnight(last + timedelta(days=1)))


def clipped(spans: Sequence[Bounds], bounds: Bounds) -> list[Bounds]:
    """Returns the parts of spans within bounds.

    >>> clipped([(0, 10), (20, 30)], (5, 20))
    [(5, 10)]
    """
    cut = [(max(start, bounds[0]), min(end, bounds[1])) for start, end in spans]
    return [(start, end) for start, end in cut if start < end]
