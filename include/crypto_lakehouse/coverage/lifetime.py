"""The lifetime of a series: before its first instant and from its end on, nothing is missing. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass

Bounds = tuple[int, int]
"""A half-open span in microseconds since the epoch."""

ALWAYS: Bounds = (-(2**62), 2**62)
"""The lifetime of a series of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is known of the start and the end of a series, in microseconds since the epoch.

    Args:
        starts: The span in which its first row lies: a day or a month, or an instant as an empty span. None where
            its start is not known.
        ends: The span in which its last row lies, likewise.
    """

    starts: Bounds | None = None
    ends: Bounds | None = None

    def bounds(self, first_at: int | None, last_at: int | None) -> Bounds:
        """Returns the lifetime, given the first and the last row of a partition.

        The first row starts the series where it lies in the span of its start. Rows outside the lifetime prove that
        it is longer.
        """
        start, end = ALWAYS
        if self.starts is not None:
            is_first = first_at is not None and first_at < max(self.starts)
            start = first_at if first_at is not None and is_first else self.starts[0]
        if self.ends is not None:
            is_last = last_at is not None and last_at >= min(self.ends)
            end = last_at + 1 if last_at is not None and is_last else self.ends[1]
        return start, end


UNKNOWN_LIFETIME = Lifetime()


def clipped(spans: Sequence[Bounds], bounds: Bounds) -> list[Bounds]:
    """Returns the parts of spans within bounds.

    >>> clipped([(0, 10), (20, 30)], (5, 20))
    [(5, 10)]
    """
    cut = [(max(start, bounds[0]), min(end, bounds[1])) for start, end in spans]
    return [(start, end) for start, end in cut if start < end]
