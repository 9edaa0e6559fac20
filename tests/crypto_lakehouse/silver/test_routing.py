"""Rows go to the partitions that their times belong to."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.inputs import Segment
from crypto_lakehouse.silver.routing import CheckedRows, split_by_series
from crypto_lakehouse.silver.sniff import Sniffed
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import agg_trade_rows, archive_file, build_input, kline_rows
from tests.conforming import MARCH, TRADES, build, kline_input, trades_input

KLINES = dataset("binance_spot_klines")


def test_a_monthly_tick_file_becomes_a_partition_a_day_in_one_pass(tmp_path: Path, streamed: None) -> None:
    days = [MARCH + timedelta(number) for number in range(31)]
    rows = [row for number, day in enumerate(days) for row in agg_trade_rows(day, 130, 1000 * (number + 1))]
    given = trades_input("2024-03-01", rows, tmp_path, frequency=Frequency.MONTHLY)
    outcome = build(TRADES, days[:30], [given], tmp_path / "work")
    assert [made.rows for made in outcome.partitions] == [130] * 30
    assert {made.manifest.inversions for made in outcome.partitions} == {0}


def test_a_day_that_crosses_a_month_goes_to_both_partitions(tmp_path: Path) -> None:
    april = date(2024, 4, 1)
    rows = [*kline_rows(date(2024, 3, 31), 1440)[-10:], *kline_rows(april, 5)]
    given = kline_input("2024-03-01", rows[:10], tmp_path, frequency=Frequency.MONTHLY)
    later = kline_input("2024-04-01", rows[10:], tmp_path)
    outcome = build(KLINES.name, [MARCH, april], [given, later], tmp_path / "work")
    assert [made.rows for made in outcome.partitions] == [10, 5]
    assert [[entry.rows for entry in made.manifest.inputs] for made in outcome.partitions] == [[10], [5]]


def test_rows_of_many_files_are_split_by_symbol_and_interval(tmp_path: Path) -> None:
    given = [
        build_input(archive_file(KLINES.name, "2024-03-01", symbol=symbol, interval=interval), b"", tmp_path)
        for symbol, interval in (("BTCUSDT", Interval.M1), ("BTCUSDT", Interval.M1), ("ETHUSDT", Interval.H1))
    ]
    segments = tuple(Segment(each, rows) for each, rows in zip(given, (2, 0, 3), strict=True))
    sniffed = Sniffed(KLINES.layouts[0], has_header=False, body_offset=0)
    rows = CheckedRows(pl.DataFrame({"n": [1, 2, 3, 4, 5]}), segments, ("ms", "", "us"), sniffed)
    first, second = split_by_series(rows)
    assert (first.frame["n"].to_list(), first.units, len(first.segments)) == ([1, 2], ("ms", ""), 2)
    assert (second.frame["n"].to_list(), second.units, len(second.segments)) == ([3, 4, 5], ("us",), 1)
