"""A busy series that does not trade for minutes is noticed, a sleepy one is not."""

from datetime import date

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.quality.quiet import QuietRows
from crypto_lakehouse.vocabulary import Interval

MARCH = date(2024, 3, 1)


@pytest.mark.parametrize(
    ("interval", "rows", "quiet", "count"),
    [
        (Interval.M1, 1440, range(700, 713), 13),
        (Interval.M1, 1440, range(700, 709), 0),
        (Interval.M1, 1440, range(0, 1440, 144), 0),
        (Interval.M1, 1440, range(700, 720), 0),
        (Interval.S1, 86_400, range(5_000, 5_600), 600),
        (Interval.H1, 744, range(700, 703), 3),
        (Interval.H1, 744, range(700, 702), 0),
        (Interval.MO1, 1000, range(700, 709), 0),
    ],
)
def test_pauses_of_busy_series_count(interval: Interval, rows: int, quiet: range, count: int) -> None:
    table = dataset("binance_spot_klines")
    found = QuietRows(Partition(table, "BTCUSDT", MARCH, interval))
    frame = pl.DataFrame({"trade_count": [0 if number in quiet else 5 for number in range(rows)]})
    for start in range(0, rows, 709):
        found.add(frame.slice(start, 709))
    assert found.count() == count


def test_a_table_without_the_rule_collects_nothing() -> None:
    found = QuietRows(Partition(dataset("binance_um_mark_price_klines"), "BTCUSDT", MARCH, Interval.M1))
    found.add(pl.DataFrame({"open": [1.0]}))
    assert found.count() == 0
