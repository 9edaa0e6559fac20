"""Which stretches of time are to be asked of the exchange: what is wanted less what is there. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crypto_lakehouse.lake.partition import midnight, next_span_start
from crypto_lakehouse.lake.work import DeltaWindow
from crypto_lakehouse.vocabulary import Interval, PartitionSpan

Span = tuple[datetime, datetime]
"""A stretch of time: first instant, and first instant past it."""


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """A symbol and its interval, empty where there is none."""

    symbol: str
    interval: str


def missing_windows(series: Series, wanted: Span, covered: Iterable[Span]) -> list[DeltaWindow]:
    """Returns the wanted stretch less what is covered, cut at the ends of months.

    Months, because a partition spans no more, and because the unit of spot's times changes with one.

    Args:
        series: What is wanted.
        wanted: When.
        covered: What Bronze holds or is about to hold; may overlap.
    """
    shortest = _shortest(series)
    # Cut after they were measured: a candle may open in one month and close in the next.
    spans = [part for left in subtract(wanted, covered) if left[1] - left[0] >= shortest for part in _months(left)]
    return [DeltaWindow(series.symbol, series.interval, start.isoformat(), end.isoformat()) for start, end in spans]


def _shortest(series: Series) -> timedelta:
    """Returns how long a stretch must be to hold a row that is whole."""
    if not series.interval:
        return timedelta(microseconds=1)
    step = Interval(series.interval).microseconds
    return timedelta(days=28) if step is None else timedelta(microseconds=step)


def subtract(wanted: Span, covered: Iterable[Span]) -> list[Span]:
    """Returns the parts of a stretch that no other one covers, in order.

    >>> day = lambda n: datetime(2025, 1, n)
    >>> [(a.day, b.day) for a, b in subtract((day(1), day(9)), [(day(5), day(6)), (day(2), day(4)), (day(3), day(5))])]
    [(1, 2), (6, 9)]
    """
    left, start = [], wanted[0]
    for begin, end in sorted(covered):
        if begin > start:
            left.append((start, min(begin, wanted[1])))
        start = max(start, end)
        if start >= wanted[1]:
            break
    left.append((start, wanted[1]))
    return [(begin, end) for begin, end in left if begin < end]


def _months(span: Span) -> list[Span]:
    parts, (start, end) = [], span
    while start < end:
        stop = min(end, midnight(next_span_start(PartitionSpan.MONTH, start.date())))
        parts.append((start, stop))
        start = stop
    return parts


def batched(windows: Sequence[DeltaWindow], size: int) -> list[tuple[DeltaWindow, ...]]:
    """Returns windows in batches of at most `size`."""
    return [tuple(windows[start : start + size]) for start in range(0, len(windows), size)]
