"""What neighbours of rows say: counted in blocks of any size, the sum is the same."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.quality.counts import IS_NEW

BANDS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)


def counted(name: str, check: Check, rows: pl.DataFrame, block: int) -> int:
    """Counts over blocks, each with the row before it, as the profile does."""
    table = dataset(name)
    expectation = next(each for each in table.expectations if each.check is check)
    count = CHECKS[check].count
    assert count is not None
    expression, total = count(Partition(table, "BTCUSDT", date(2024, 3, 1)), expectation), 0
    for start in range(0, rows.height, block):
        first = max(start - 1, 0)
        part = rows.slice(first, block + start - first)
        marked = part.with_columns((pl.int_range(pl.len()) >= start - first).alias(IS_NEW))
        total += marked.select(expression).item()
    return total


def depth(without: tuple[tuple[int, int], ...] = (), odd: tuple[tuple[int, int], ...] = ()) -> pl.DataFrame:
    """Returns twenty snapshots: without some bands, and with too little in others, by snapshot and band."""
    start = datetime(2024, 3, 1, tzinfo=UTC)
    rows = [
        (
            start + timedelta(seconds=30 * number),
            band,
            0.5 if (number, band) in odd else abs(band) * 10.0,
            1.0 * abs(band),
        )
        for number in range(20)
        for band in BANDS
        if (number, band) not in without
    ]
    return pl.DataFrame(rows, schema=["snapshot_time", "percentage", "depth", "notional"], orient="row")


@pytest.mark.parametrize("block", [1, 3, 7, 10, 1000])
def test_missing_bands_are_counted(block: int) -> None:
    for missing in ((), ((3, -5),), ((0, -5), (7, 1), (19, 5))):
        assert counted("binance_um_book_depth", Check.BANDS_PRESENT, depth(missing), block) == len(missing)


@pytest.mark.parametrize("block", [1, 3, 7, 10, 1000])
def test_bands_with_less_than_a_narrower_band_are_counted(block: int) -> None:
    for odd in ((), ((3, -4),), ((2, 3), (9, -5))):
        assert counted("binance_um_book_depth", Check.DEPTH_CUMULATIVE, depth(odd=odd), block) == len(odd)


@pytest.mark.parametrize("block", [1, 2, 1000])
@pytest.mark.parametrize(
    ("ranges", "count"),
    [([(1, 3), (4, 4), (5, 9)], 0), ([(1, 3), (6, 7)], 0), ([(1, 3), (3, 4)], 1), ([(1, 3), (1, 3), (2, 2)], 2)],
)
def test_rows_that_repeat_trades_of_the_row_before_are_counted(
    ranges: list[tuple[int, int]], count: int, block: int
) -> None:
    rows = pl.DataFrame(ranges, schema=["first_trade_id", "last_trade_id"], orient="row")
    assert counted("binance_spot_agg_trades", Check.TRADE_RANGES_DISJOINT, rows, block) == count


@pytest.mark.parametrize("block", [1, 2, 1000])
def test_trades_that_no_aggregate_has_are_counted_where_no_aggregate_is_missing(block: int) -> None:
    ranges = [(1, 1, 3), (2, 4, 4), (3, 7, 9), (5, 20, 20), (6, 21, 21)]
    rows = pl.DataFrame(ranges, schema=["agg_trade_id", "first_trade_id", "last_trade_id"], orient="row")
    assert counted("binance_spot_agg_trades", Check.TRADE_RANGES_CONTIGUOUS, rows, block) == 2
