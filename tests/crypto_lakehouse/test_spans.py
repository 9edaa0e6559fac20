"""Spans against a brute-force model: a span is the set of the ticks in it, a tick every 20 minutes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.spans import Span, clip, cluster, subtract, union

ORIGIN = datetime(2024, 2, 28, 23, 0, tzinfo=UTC)
TICK = timedelta(minutes=20)
TICKS = 180
"""Enough to reach over three midnights, one of them between leap day and March."""


def at(tick: int) -> datetime:
    return ORIGIN + tick * TICK


def between(first: int, second: int) -> Span:
    return Span(at(min(first, second)), at(max(first, second)))


spans = st.builds(between, st.integers(0, TICKS), st.integers(0, TICKS))
some_spans = st.lists(spans, max_size=8)


def model(of: Iterable[Span]) -> set[datetime]:
    """Returns every instant of the model that lies in any of the spans, by comparing each one."""
    several = list(of)
    return {at(tick) for tick in range(TICKS) if any(span.start <= at(tick) < span.end for span in several)}


def is_normal(of: list[Span]) -> bool:
    """Returns whether spans are not empty, in order, and apart."""
    return all(not span.is_empty for span in of) and all(left.end < right.start for left, right in pairwise(of))


@given(some_spans)
def test_a_union_contains_what_any_span_contains(several: list[Span]) -> None:
    assert model(union(several)) == model(several)
    assert is_normal(union(several))


@given(spans, some_spans)
def test_a_difference_contains_what_no_other_span_contains(whole: Span, covered: list[Span]) -> None:
    left = subtract(whole, covered)
    assert model(left) == model([whole]) - model(covered)
    assert is_normal(left)


@given(some_spans, spans)
def test_clipped_spans_lie_within(several: list[Span], within: Span) -> None:
    assert model(clip(several, within)) == model(several) & model([within])
    assert all(not part.is_empty for part in clip(several, within))


@given(spans, spans)
def test_an_intersection_contains_what_both_contain(first: Span, second: Span) -> None:
    both = model([first]) & model([second])
    assert model([first.intersect(second)]) == both
    assert first.overlaps(second) == second.overlaps(first) == bool(both)


@given(some_spans, st.integers(0, 30))
def test_clusters_contain_the_spans_and_the_time_between_near_ones(several: list[Span], steps: int) -> None:
    distance = steps * TICK
    joined = cluster(several, distance)
    assert model(joined) >= model(several)
    assert all(right.start - left.end > distance for left, right in pairwise(joined))
    # Nothing is joined over a longer distance, and nothing is added before, between or after.
    assert all(part.duration <= distance for whole in joined for part in subtract(whole, several))
    assert model(union(several)) <= model(joined) <= model([Span(at(0), at(TICKS))])


@given(spans)
def test_days_are_those_of_every_instant(whole: Span) -> None:
    assert whole.days() == sorted({instant.date() for instant in model([whole])})


@given(spans)
def test_months_are_the_span_cut_at_the_first_of_each(whole: Span) -> None:
    parts = whole.months()
    assert model(parts) == model([whole])
    assert all(len({(day.year, day.month) for day in part.days()}) == 1 for part in parts)
    assert all(left.end == right.start for left, right in pairwise(parts))


@given(spans, st.integers(0, TICKS))
def test_a_span_contains_its_start_and_not_its_end(whole: Span, tick: int) -> None:
    assert whole.contains(at(tick)) == (at(tick) in model([whole]) and at(tick) != whole.end)
    assert whole.is_empty == (not whole.contains(whole.start))
    assert not whole.contains(whole.end)


def test_whole_days_are_inclusive() -> None:
    assert Span.of_days(date(2024, 2, 28), date(2024, 2, 29)).days() == [date(2024, 2, 28), date(2024, 2, 29)]
    assert Span.of_days(date(2024, 2, 29), date(2024, 2, 29)).duration == timedelta(days=1)


def test_a_month_ends_with_its_last_microsecond() -> None:
    last = Span.from_iso("2024-12-31T23:59:59.999999", "2025-01-01")
    assert (last.days(), last.months()) == ([date(2024, 12, 31)], [last])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
        (datetime(2025, 1, 1), datetime(2025, 1, 2)),  # noqa: DTZ001 - the point of the test
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2)),  # noqa: DTZ001
    ],
)
def test_reversed_instants_and_instants_without_a_zone_are_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="span"):
        Span(start, end)
