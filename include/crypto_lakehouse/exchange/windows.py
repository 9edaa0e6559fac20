"""Which stretches of time are to be asked of the exchange: what is wanted less what is there. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crypto_lakehouse.lake.partition import midnight, next_span_start
from crypto_lakehouse.lake.records import DeltaWindow
from crypto_lakehouse.vocabulary import Interval, PartitionSpan

Span = tuple[datetime, datetime]
"""A stretch of time: first instant, and first instant past it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """A symbol and its interval, empty where there is none."""

    symbol: str
    interval: str


def missing_windows(
    series: Series, wanted: Span, covered: Iterable[Span], now: datetime | None = None
) -> list[DeltaWindow]:
    """Returns the wanted stretch less what is covered, cut at the ends of months; none that can have no whole row yet.

    Months, because a partition spans no more, and because the unit of spot's times changes with one.

    Args:
        series: What is wanted.
        wanted: When.
        covered: What Bronze holds or is about to hold; may overlap.
        now: Which candles are whole; by default the end of what is wanted.
    """
    spans = [part for left in subtract(wanted, covered) for part in _months(left)]
    return [
        DeltaWindow(series.symbol, series.interval, start.isoformat(), end.isoformat())
        for start, end in spans
        if not series.interval or _has_whole_candle(Interval(series.interval), (start, end), now or wanted[1])
    ]


def _has_whole_candle(interval: Interval, span: Span, now: datetime) -> bool:
    """Returns whether a candle opens in a stretch, however far past it, that is whole by now."""
    opens, closes = _first_candle(interval, span[0])
    return opens < span[1] and closes <= now


def _first_candle(interval: Interval, start: datetime) -> Span:
    """Returns when the first candle from an instant on opens, and when the next one does.

    >>> [f"{one:%d %b}" for one in _first_candle(Interval.W1, datetime(2025, 1, 1, tzinfo=UTC))]
    ['06 Jan', '13 Jan']
    """
    if interval.microseconds is None:
        today = midnight(start.date())
        is_first = today == start and start.day == 1
        opens = start if is_first else midnight(next_span_start(PartitionSpan.MONTH, start.date()))
        return opens, midnight(next_span_start(PartitionSpan.MONTH, opens.date()))
    length = timedelta(microseconds=interval.microseconds)
    origin = _A_MONDAY if interval is Interval.W1 else _EPOCH
    opens = origin - (origin - start) // length * length
    return opens, opens + length


def subtract(wanted: Span, covered: Iterable[Span]) -> list[Span]:
    """Returns the parts of a stretch that no other one covers, in order.

    >>> day = lambda n: datetime(2025, 1, n)
    >>> [(a.day, b.day) for a, b in subtract((day(1), day(9)), [(day(5), day(6)), (day(2), day(4)), (day(3), day(5))])]
    [(1, 2), (6, 9)]
    """
    left, start = [], wanted[0]
    # A stretch of no length covers nothing, and cuts nothing in two.
    for begin, end in sorted(one for one in covered if one[0] < one[1]):
        if begin > start:
            left.append((start, min(begin, wanted[1])))
        start = max(start, end)
        if start >= wanted[1]:
            break
    left.append((start, wanted[1]))
    return [(begin, end) for begin, end in left if begin < end]


def clustered(spans: Iterable[Span], distance: timedelta) -> list[Span]:
    """Returns stretches with those no farther apart than `distance` made one, in order: one request serves many.

    >>> day = lambda n: datetime(2025, 1, n)
    >>> spans = [(day(9), day(10)), (day(1), day(2)), (day(3), day(4))]
    >>> [(a.day, b.day) for a, b in clustered(spans, timedelta(days=1))]
    [(1, 4), (9, 10)]
    """
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + distance:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


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
