"""The distance of a partition's rows, and which grid points lie within a span."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.grid import HOUR_US, grid_step, points_between
from crypto_lakehouse.lake.partition import Partition


@pytest.mark.parametrize(
    ("interval", "step"), [("1h", HOUR_US), ("1d", 24 * HOUR_US), ("3d", 0), ("1w", 0), ("1mo", 0)]
)
def test_klines_of_at_most_a_day_have_a_grid(interval: str, step: int) -> None:
    name = f"kline_interval={interval}/symbol_key=BTCUSDT/period=2024-01"
    assert grid_step(Partition.parse("binance_um_klines", name)) == step


def test_a_table_may_state_the_distance_itself() -> None:
    metrics = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")
    assert (grid_step(metrics), grid_step(metrics, 300.0)) == (0, 300_000_000)


@given(start=st.integers(0, 500), length=st.integers(0, 500), step=st.integers(1, 60))
def test_points_of_a_span_are_the_multiples_of_the_step_within_it(start: int, length: int, step: int) -> None:
    points = {point * step for point in range(*points_between(start, start + length, step))}
    assert points == {instant for instant in range(start, start + length) if instant % step == 0}
