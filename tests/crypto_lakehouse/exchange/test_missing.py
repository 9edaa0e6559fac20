"""What is wanted less what is there, held against sets of minutes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.exchange.missing import Series, batched, missing_spans
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.spans import Span
from crypto_lakehouse.vocabulary import Interval
from tests.fakes.exchange.long_candles import next_open, opens_on
from tests.rest_lake import utc

ORIGIN = datetime(2024, 12, 30, tzinfo=UTC)
MINUTES = 5 * 1440


def span(pair: tuple[int, int]) -> Span:
    return Span(ORIGIN + timedelta(minutes=pair[0]), ORIGIN + timedelta(minutes=pair[1]))


def minutes_of(of: Span) -> set[int]:
    return set(range((of.start - ORIGIN) // timedelta(minutes=1), (of.end - ORIGIN) // timedelta(minutes=1)))


pairs = st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES)).map(lambda pair: (min(pair), max(pair)))


@given(pairs, st.lists(pairs, max_size=12))
def test_the_spans_are_the_wanted_minutes_that_nothing_covers_each_once(
    wanted: tuple[int, int], covered: list[tuple[int, int]]
) -> None:
    requests = missing_spans(Series("BTCUSDT", "1m"), span(wanted), map(span, covered))
    left = set(range(*wanted)).difference(*(range(*one) for one in covered))
    found = [minutes_of(request.span) for request in requests]
    assert set().union(*found) == left
    assert sum(map(len, found)) == len(left)


@given(pairs, st.lists(pairs, max_size=12))
def test_spans_are_in_order_do_not_touch_within_a_month_and_never_cover_two(
    wanted: tuple[int, int], covered: list[tuple[int, int]]
) -> None:
    found = [request.span for request in missing_spans(Series("BTCUSDT", ""), span(wanted), map(span, covered))]
    assert found == sorted(found)
    for part in found:
        last = part.end - timedelta(microseconds=1)
        assert part.start < part.end
        assert (part.start.year, part.start.month) == (last.year, last.month)
    for before, after in pairwise(found):
        assert after.start > before.end or after.start.day == 1


@given(pairs, st.lists(pairs, max_size=12))
def test_what_was_requested_once_is_not_missing_again(wanted: tuple[int, int], covered: list[tuple[int, int]]) -> None:
    series, spans = Series("BTCUSDT", ""), [span(pair) for pair in covered]
    requested = [request.span for request in missing_spans(series, span(wanted), spans)]
    assert missing_spans(series, span(wanted), [*spans, *requested]) == []


def test_a_rest_too_short_for_a_candle_is_not_asked_for() -> None:
    wanted = Span(utc(2025, 1, 2), utc(2025, 1, 2, 10, 30))
    covered = [Span(utc(2025, 1, 2), utc(2025, 1, 2, 10))]
    assert missing_spans(Series("BTCUSDT", "1h"), wanted, covered) == []
    (one,) = missing_spans(Series("BTCUSDT", "30m"), wanted, covered)
    assert one.span == Span(covered[0].end, wanted.end)
    assert len(missing_spans(Series("BTCUSDT", ""), wanted, covered)) == 1


@pytest.mark.parametrize("interval", [Interval.D3, Interval.W1, Interval.MO1])
@given(st.integers(0, 40), st.integers(0, 70))
def test_every_long_candle_that_opens_and_closes_in_the_wanted_time_lies_in_a_span(
    interval: Interval, first: int, length: int
) -> None:
    wanted = Span(utc(2024, 12, 1) + timedelta(days=first), utc(2024, 12, 1) + timedelta(days=first + length))
    spans = [request.span for request in missing_spans(Series("BTCUSDT", interval.value), wanted, [])]
    for number in range(length):
        opened = wanted.start + timedelta(days=number)
        closed = utc(*next_open(interval, opened.date()).timetuple()[:3]) if opens_on(interval, opened.date()) else None
        if closed is not None and closed <= wanted.end:
            assert any(part.contains(opened) for part in spans)


@pytest.mark.parametrize("interval", [Interval.D1, Interval.D3, Interval.W1, Interval.MO1])
def test_the_time_since_the_last_whole_candle_is_not_asked_for(interval: Interval) -> None:
    wanted = Span(utc(2025, 1, 1), utc(2025, 1, 1, 23, 59))
    assert missing_spans(Series("BTCUSDT", interval.value), wanted, []) == []


@given(st.integers(0, 350), st.integers(1, 100))
def test_batches_hold_every_request_once_in_order(count: int, size: int) -> None:
    windows = [RequestSpan(str(number), "", Span(ORIGIN, ORIGIN)) for number in range(count)]
    found = batched(windows, size)
    assert [one for batch in found for one in batch] == windows
    assert all(0 < len(batch) <= size for batch in found)


def test_a_candle_that_closed_after_the_wanted_time_is_asked_for_once_it_is_whole() -> None:
    wanted, week = Span(utc(2024, 12, 30), utc(2025, 1, 1)), Series("BTCUSDT", "1w")
    assert missing_spans(week, wanted, [], utc(2025, 1, 5, 23, 59)) == []
    (one,) = missing_spans(week, wanted, [], utc(2025, 1, 6))
    assert one.span == wanted


def test_a_part_of_a_month_in_which_no_candle_opens_is_not_asked_for() -> None:
    wanted = Span(utc(2024, 12, 30), utc(2025, 1, 5))
    (one,) = missing_spans(Series("BTCUSDT", "1w"), wanted, [], utc(2025, 2, 1))
    assert one.span == Span(wanted.start, utc(2025, 1, 1))
