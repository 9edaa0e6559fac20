"""What is wanted less what is there, held against sets of minutes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.exchange.windows import Series, Span, batched, missing_windows, subtract
from crypto_lakehouse.lake.records import DeltaWindow
from crypto_lakehouse.vocabulary import Interval
from tests.fakes.exchange.long_candles import next_open, opens_on
from tests.rest_lake import utc

ORIGIN = datetime(2024, 12, 30, tzinfo=UTC)
MINUTES = 5 * 1440


def span(pair: tuple[int, int]) -> Span:
    return ORIGIN + timedelta(minutes=pair[0]), ORIGIN + timedelta(minutes=pair[1])


def minutes_of(start: datetime, end: datetime) -> set[int]:
    return set(range((start - ORIGIN) // timedelta(minutes=1), (end - ORIGIN) // timedelta(minutes=1)))


def instants(one: DeltaWindow) -> Span:
    return datetime.fromisoformat(one.start), datetime.fromisoformat(one.end)


pairs = st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES)).map(lambda pair: (min(pair), max(pair)))


@given(pairs, st.lists(pairs, max_size=12))
def test_the_windows_are_the_wanted_minutes_that_nothing_covers_each_once(
    wanted: tuple[int, int], covered: list[tuple[int, int]]
) -> None:
    windows = missing_windows(Series("BTCUSDT", "1m"), span(wanted), map(span, covered))
    left = set(range(*wanted)).difference(*(range(*one) for one in covered))
    found = [minutes_of(*instants(one)) for one in windows]
    assert set().union(*found) == left
    assert sum(map(len, found)) == len(left)


@given(pairs, st.lists(pairs, max_size=12))
def test_windows_are_in_order_do_not_touch_within_a_month_and_never_span_two(
    wanted: tuple[int, int], covered: list[tuple[int, int]]
) -> None:
    found = [instants(one) for one in missing_windows(Series("BTCUSDT", ""), span(wanted), map(span, covered))]
    assert found == sorted(found)
    for start, end in found:
        assert start < end
        assert (start.year, start.month) == (
            (end - timedelta(microseconds=1)).year,
            (end - timedelta(microseconds=1)).month,
        )
    for (_, end), (start, _) in pairwise(found):
        assert start > end or start.day == 1


@given(pairs, st.lists(pairs, max_size=12))
def test_what_was_subtracted_once_is_not_wanted_again(wanted: tuple[int, int], covered: list[tuple[int, int]]) -> None:
    spans = [span(one) for one in covered]
    left = subtract(span(wanted), spans)
    assert subtract(span(wanted), [*spans, *left]) == []


def test_a_rest_too_short_for_a_candle_is_not_asked_for() -> None:
    wanted = (utc(2025, 1, 2), utc(2025, 1, 2, 10, 30))
    covered = [(utc(2025, 1, 2), utc(2025, 1, 2, 10))]
    assert missing_windows(Series("BTCUSDT", "1h"), wanted, covered) == []
    (one,) = missing_windows(Series("BTCUSDT", "30m"), wanted, covered)
    assert instants(one) == (covered[0][1], wanted[1])
    assert len(missing_windows(Series("BTCUSDT", ""), wanted, covered)) == 1


@pytest.mark.parametrize("interval", [Interval.D3, Interval.W1, Interval.MO1])
@given(st.integers(0, 40), st.integers(0, 70))
def test_every_long_candle_that_opens_and_closes_in_the_wanted_time_lies_in_a_window(
    interval: Interval, first: int, length: int
) -> None:
    wanted = (utc(2024, 12, 1) + timedelta(days=first), utc(2024, 12, 1) + timedelta(days=first + length))
    spans = [instants(one) for one in missing_windows(Series("BTCUSDT", interval.value), wanted, [])]
    for number in range(length):
        opened = wanted[0] + timedelta(days=number)
        closed = utc(*next_open(interval, opened.date()).timetuple()[:3]) if opens_on(interval, opened.date()) else None
        if closed is not None and closed <= wanted[1]:
            assert any(start <= opened < end for start, end in spans)


@pytest.mark.parametrize("interval", [Interval.D1, Interval.D3, Interval.W1, Interval.MO1])
def test_the_time_since_the_last_whole_candle_is_not_asked_for(interval: Interval) -> None:
    wanted = (utc(2025, 1, 1), utc(2025, 1, 1, 23, 59))
    assert missing_windows(Series("BTCUSDT", interval.value), wanted, []) == []


@given(st.integers(0, 350), st.integers(1, 100))
def test_batches_hold_every_window_once_in_order(count: int, size: int) -> None:
    windows = [DeltaWindow(str(number), "", "", "") for number in range(count)]
    found = batched(windows, size)
    assert [one for batch in found for one in batch] == windows
    assert all(0 < len(batch) <= size for batch in found)


def test_a_candle_that_closed_after_the_wanted_time_is_asked_for_once_it_is_whole() -> None:
    wanted, week = (utc(2024, 12, 30), utc(2025, 1, 1)), Series("BTCUSDT", "1w")
    assert missing_windows(week, wanted, [], utc(2025, 1, 5, 23, 59)) == []
    (one,) = missing_windows(week, wanted, [], utc(2025, 1, 6))
    assert instants(one) == wanted


def test_a_part_of_a_month_in_which_no_candle_opens_is_not_asked_for() -> None:
    wanted = (utc(2024, 12, 30), utc(2025, 1, 5))
    (one,) = missing_windows(Series("BTCUSDT", "1w"), wanted, [], utc(2025, 2, 1))
    assert instants(one) == (wanted[0], utc(2025, 1, 1))
