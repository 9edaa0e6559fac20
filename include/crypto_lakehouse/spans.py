"""Spans: half-open spans of time, and their union, difference and intersection. Standard library only.

>>> day = lambda number: datetime(2025, 1, number, tzinfo=UTC)
>>> wanted, covered = Span(day(1), day(9)), [Span(day(5), day(6)), Span(day(2), day(4)), Span(day(3), day(5))]
>>> [(left.start.day, left.end.day) for left in subtract(wanted, covered)]
[(1, 2), (6, 9)]
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

from crypto_lakehouse.instants import instant_from_iso, midnight

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_A_MONTH_AT_LEAST = timedelta(days=31)
# Twice as fast as the comparison of spans themselves.
_BY_TIME = attrgetter("start", "end")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open span of time.

    Args:
        start: First instant, inclusive, UTC.
        end: First instant after it, UTC; equal to `start` where the span is empty.

    Raises:
        ValueError: An instant has no time zone, or the end is before the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a span from {self.start} to {self.end} needs a time zone")
        if self.end < self.start:
            raise ValueError(f"a span cannot end at {self.end}, before its start at {self.start}")

    @classmethod
    def of_days(cls, first_day: date, last_day: date) -> "Span":
        """Returns the span of whole UTC days, both inclusive.

        >>> Span.of_days(date(2025, 1, 1), date(2025, 1, 31)).duration.days
        31
        """
        return cls(midnight(first_day), midnight(last_day + _DAY))

    @classmethod
    def from_iso(cls, start: str, end: str) -> "Span":
        """Returns the span between two instants in ISO form; UTC unless they name another zone."""
        return cls(instant_from_iso(start), instant_from_iso(end))

    @property
    def duration(self) -> timedelta:
        """The time from its start to its end."""
        return self.end - self.start

    @property
    def is_empty(self) -> bool:
        """Whether it contains no instant."""
        return self.start == self.end

    def contains(self, instant: datetime) -> bool:
        """Returns whether an instant lies in it."""
        return self.start <= instant < self.end

    def overlaps(self, other: "Span") -> bool:
        """Returns whether any instant lies in both."""
        return not self.intersect(other).is_empty

    def intersect(self, other: "Span") -> "Span":
        """Returns the span of the instants that lie in both; an empty one where there are none."""
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.end, other.end)))

    def days(self) -> list[date]:
        """Returns the UTC days that it touches, in order.

        >>> Span.from_iso("2025-01-31T23:59", "2025-02-01").days()
        [datetime.date(2025, 1, 31)]
        """
        if self.is_empty:
            return []
        first, last = self.start.astimezone(UTC).date(), (self.end - _TICK).astimezone(UTC).date()
        return [first + number * _DAY for number in range((last - first).days + 1)]

    def months(self) -> list["Span"]:
        """Returns its parts in each UTC month that it touches, in order.

        >>> [f"{part.start:%d %b} - {part.end:%d %b}" for part in Span.from_iso("2025-01-30", "2025-02-02").months()]
        ['30 Jan - 01 Feb', '01 Feb - 02 Feb']
        """
        parts, start = list[Span](), self.start
        while start < self.end:
            first_of_next = (start.astimezone(UTC).date().replace(day=1) + _A_MONTH_AT_LEAST).replace(day=1)
            parts.append(Span(start, min(self.end, midnight(first_of_next))))
            start = parts[-1].end
        return parts


def union(spans: Iterable[Span]) -> list[Span]:
    """Returns the spans of the instants that lie in any of `spans`: in order, apart from each other, none empty."""
    return cluster(spans, timedelta())


def cluster(spans: Iterable[Span], distance: timedelta) -> list[Span]:
    """Returns the union of spans, where spans no farther apart than `distance` become one with the time between them.

    >>> day = lambda number: datetime(2025, 1, number, tzinfo=UTC)
    >>> spans = [Span(day(9), day(10)), Span(day(1), day(2)), Span(day(3), day(4))]
    >>> [(joined.start.day, joined.end.day) for joined in cluster(spans, timedelta(days=1))]
    [(1, 4), (9, 10)]
    """
    joined: list[Span] = []
    for span in sorted(spans, key=_BY_TIME):
        if span.is_empty:
            continue
        if joined and span.start <= joined[-1].end + distance:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def clip(spans: Iterable[Span], within: Span) -> list[Span]:
    """Returns the parts of spans that lie within another one, in the order of `spans`, none empty."""
    parts = (span.intersect(within) for span in spans)
    return [part for part in parts if not part.is_empty]


def subtract(span: Span, covered: Iterable[Span]) -> list[Span]:
    """Returns the parts of a span that none of `covered` contains, in order, none empty."""
    left, start = list[Span](), span.start
    for part in sorted((part for part in covered if not part.is_empty), key=_BY_TIME):
        if part.start >= span.end:
            break
        if part.start > start:
            left.append(Span(start, part.start))
        start = max(start, part.end)
    return [*left, Span(start, span.end)] if start < span.end else left
