"""Which grid points and hours have rows, however the rows are cut into blocks."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.grid import FixedGrid, Points
from crypto_lakehouse.coverage.row_times import RowTimes
from crypto_lakehouse.instants import DAY_US, HOUR_US, microseconds
from crypto_lakehouse.lake.partition import Partition

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)


def hours_since(points: Points) -> list[int]:
    """Returns instants as hours since the first midnight."""
    return [(point - microseconds(MIDNIGHT)) // HOUR_US for point in points.tolist()]


HOURLY = Partition.parse("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01")
TICKS = Partition.parse("binance_um_agg_trades", "symbol_key=BTCUSDT/date=2024-01-01")


def collected(partition: Partition, instants: list[datetime], covered_hours: int, block: int = 100) -> RowTimes:
    end = MIDNIGHT + timedelta(hours=covered_hours)
    times = RowTimes(partition, ((MIDNIGHT.isoformat(), end.isoformat()),))
    rows = pl.DataFrame({"open_time": instants, "transact_time": instants}).cast(pl.Datetime("us", "UTC"))
    rows = rows.with_columns(pl.Series("agg_trade_id", range(len(instants)), pl.Int64))
    for start in range(0, rows.height, block):
        times.add(rows.slice(start, block))
    return times


@given(hours=st.sets(st.integers(0, 71)), block=st.integers(1, 20))
def test_present_and_missing_points_are_the_expected_ones(hours: set[int], block: int) -> None:
    times = collected(HOURLY, [MIDNIGHT + timedelta(hours=hour) for hour in sorted(hours)], 72, block)
    present = set(hours_since(times.present_points()))
    missing = set(hours_since(times.missing_points()))
    assert (present, missing) == (hours, set(range(72)) - hours)
    assert len(times.expected_points()) == 72
    assert times.rows == sum(times.rows_by_day.values()) == len(hours)


def test_a_row_off_the_grid_is_counted_and_is_no_grid_point() -> None:
    times = collected(HOURLY, [MIDNIGHT, MIDNIGHT + timedelta(hours=1, seconds=1)], 2)
    assert times.rows_by_day == {MIDNIGHT.toordinal() - datetime(1970, 1, 1).toordinal(): 2}  # noqa: DTZ001
    assert hours_since(times.missing_points()) == [1]
    assert times.count_off_grid() == 1


def test_a_table_expects_a_grid_or_rows_in_every_hour() -> None:
    hourly, ticks = collected(HOURLY, [], 24), collected(TICKS, [], 24)
    assert (hourly.expected_grid, hourly.expects_every_hour, hourly.id_gaps) == (FixedGrid(HOUR_US), False, None)
    assert (ticks.expected_grid, ticks.expects_every_hour) == (None, True)
    assert ticks.id_gaps is not None


def test_only_a_busy_stream_has_missing_hours() -> None:
    busy = [MIDNIGHT + timedelta(seconds=30 * number) for number in range(24 * 120) if number // 120 != 5]
    assert hours_since(collected(TICKS, busy, 24).missing_hours()) == [5]
    assert hours_since(collected(TICKS, busy[::10], 24).missing_hours()) == []


def test_a_day_has_24_hours_of_microseconds() -> None:
    assert DAY_US == 24 * HOUR_US
