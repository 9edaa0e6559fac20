"""The instants at which rows of a series are expected, compared with the calendar of the standard library."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.grid import FixedGrid, Grid, grid_of, learned_anchor
from crypto_lakehouse.instants import DAY_US, HOUR_US, instant, microseconds
from crypto_lakehouse.lake.partition import Partition

START, END = datetime(2023, 11, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)


def grid(interval: str, anchor: int | None = None) -> Grid:
    name = f"kline_interval={interval}/symbol_key=BTCUSDT/period=2024-01"
    found = grid_of(Partition.parse("binance_um_klines", name), anchor=anchor)
    assert found is not None
    return found


def days(interval: str, anchor: int | None = None) -> list[date]:
    points = grid(interval, anchor).points(microseconds(START), microseconds(END)).tolist()
    assert all(instant(point).time() == START.time() for point in points)
    return [instant(point).date() for point in points]


ALL_DAYS = [START.date() + timedelta(days=number) for number in range((END - START).days)]


def test_weeks_start_on_mondays_and_months_on_the_first() -> None:
    assert days("1w") == [day for day in ALL_DAYS if day.weekday() == 0]
    assert days("1mo") == [day for day in ALL_DAYS if day.day == 1]
    assert days("1d") == ALL_DAYS


def test_candles_of_three_days_have_no_grid_before_their_anchor_is_known() -> None:
    name = "kline_interval=3d/symbol_key=BTCUSDT/period=2024-01"
    assert grid_of(Partition.parse("binance_um_klines", name)) is None
    start = microseconds(START)
    assert days("3d", start + 2 * DAY_US) == ALL_DAYS[2::3]


@given(anchor=st.integers(0, 2), wrong=st.integers(0, 2), kept=st.sets(st.integers(0, 20), min_size=3))
def test_the_anchor_is_the_one_of_most_candles(anchor: int, wrong: int, kept: set[int]) -> None:
    right = [(anchor + 3 * number) * DAY_US for number in sorted(kept)]
    assert learned_anchor([*right, (wrong + 300) * DAY_US]) == anchor * DAY_US
    assert learned_anchor([]) is None


def test_a_table_may_state_the_distance_itself() -> None:
    metrics = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")
    assert (grid_of(metrics), grid_of(metrics, 300.0)) == (None, FixedGrid(300_000_000))


@pytest.mark.parametrize("interval", ["1h", "1w", "1mo"])
def test_the_end_of_a_candle_is_the_start_of_the_next(interval: str) -> None:
    points = grid(interval).points(microseconds(START), microseconds(END))
    assert np.array_equal(grid(interval).ends(points)[:-1], points[1:])
    assert grid(interval).has(points).all()
    assert not grid(interval).has(points + HOUR_US // 2).any()


@given(start=st.integers(0, 500), length=st.integers(0, 500), step=st.integers(1, 60), anchor=st.integers(0, 60))
def test_points_of_a_span_are_the_steps_from_the_anchor_within_it(
    start: int, length: int, step: int, anchor: int
) -> None:
    points = set(FixedGrid(step, anchor).points(start, start + length).tolist())
    assert points == {moment for moment in range(start, start + length) if (moment - anchor) % step == 0}
