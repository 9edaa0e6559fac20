"""Which spans of time are to be requested from the exchange: what is wanted less what is there. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crypto_lakehouse.instants import instant, midnight
from crypto_lakehouse.lake.partition import next_span_start
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.spans import Span, subtract
from crypto_lakehouse.vocabulary import Interval, PartitionSpan

_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """A symbol and its interval, empty where there is none."""

    symbol: str
    interval: str


def missing_spans(
    series: Series, wanted: Span, covered: Iterable[Span], now: datetime | None = None
) -> list[RequestSpan]:
    """Returns the wanted span less what is covered, cut at the ends of months, without spans that have no whole row.

    A request stays within a month because the partitions of most tables do, and because the unit of spot's times
    changes with a month.

    Args:
        series: The symbol and interval.
        wanted: The time of the rows.
        covered: What Bronze has or is about to have; may overlap.
        now: Decides which klines are whole; by default the end of what is wanted.
    """
    parts = [part for left in subtract(wanted, covered) for part in left.months()]
    return [
        RequestSpan(series.symbol, series.interval, part)
        for part in parts
        if not series.interval or _has_whole_kline(Interval(series.interval), part, now or wanted.end)
    ]


def _has_whole_kline(interval: Interval, span: Span, now: datetime) -> bool:
    """Returns whether a kline opens in a span, whenever it ends, that is whole by now."""
    kline = _first_kline(interval, span.start)
    return kline.start < span.end and kline.end <= now


def _first_kline(interval: Interval, start: datetime) -> Span:
    """Returns the span of the first kline that opens at an instant or after it.

    >>> first = _first_kline(Interval.W1, datetime(2025, 1, 1, tzinfo=UTC))
    >>> f"{first.start:%d %b} - {first.end:%d %b}"
    '06 Jan - 13 Jan'
    """
    if interval.microseconds is None:
        today = midnight(start.date())
        is_first = today == start and start.day == 1
        opens = start if is_first else midnight(next_span_start(PartitionSpan.MONTH, start.date()))
        return Span(opens, midnight(next_span_start(PartitionSpan.MONTH, opens.date())))
    length = timedelta(microseconds=interval.microseconds)
    origin = _A_MONDAY if interval is Interval.W1 else instant(0)
    opens = origin - (origin - start) // length * length
    return Span(opens, opens + length)


def batched(spans: Sequence[RequestSpan], size: int) -> list[tuple[RequestSpan, ...]]:
    """Returns spans in batches of at most `size`."""
    return [tuple(spans[start : start + size]) for start in range(0, len(spans), size)]
