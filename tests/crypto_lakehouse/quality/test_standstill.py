"""Hours and bands in which a value stands still, however the rows are cut into blocks."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.quality.standstill import Standstill

MIDNIGHT = datetime(2024, 1, 10, tzinfo=UTC)
DEPTH = Partition.parse("binance_um_book_depth", "symbol_key=BTCUSDT/month=2024-01")


def rows(per_hour: int, still_hour: int) -> pl.DataFrame:
    """Returns three hours of two bands; the depth of band 1 stands still in one hour."""
    samples = [
        (
            MIDNIGHT + timedelta(hours=hour, minutes=minute),
            band,
            7.0 if (hour, band) == (still_hour, 1.0) else float(minute),
        )
        for hour in range(3)
        for minute in range(per_hour)
        for band in (1.0, 2.0)
    ]
    names = {DEPTH.table.event_time: pl.Datetime("us", "UTC"), "percentage": pl.Float64, "depth": pl.Float64}
    return pl.DataFrame(samples, schema=names, orient="row")


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_an_hour_and_band_with_a_single_value_stands_still(block: int) -> None:
    standstill, table = Standstill(DEPTH), rows(20, still_hour=1)
    for start in range(0, table.height, block):
        standstill.add(table.slice(start, block))
    assert standstill.hours().rows() == [(MIDNIGHT + timedelta(hours=1), 1.0)]


def test_few_samples_prove_nothing() -> None:
    standstill = Standstill(DEPTH)
    standstill.add(rows(5, still_hour=1))
    assert standstill.hours().is_empty()


def test_a_table_without_the_check_collects_nothing() -> None:
    standstill = Standstill(Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024"))
    standstill.add(pl.DataFrame({"period_start": [MIDNIGHT]}))
    assert standstill.hours().is_empty()
