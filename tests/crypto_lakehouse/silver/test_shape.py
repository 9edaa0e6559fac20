"""Source values become Silver columns, and rows that contradict the name of their file are refused."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import conform
from tests.archive_builder import archive_file, build_input, kline_rows
from tests.conforming import MARCH, METRICS_HEADER, SPOT_KLINES, build, kline_input


@pytest.mark.parametrize(
    ("day", "stamp", "start"),
    [
        ("2024-12-31", "2025-01-01 00:00:03", datetime(2024, 12, 31, 23, 55, tzinfo=UTC)),
        ("2026-06-24", "2026-06-24 10:05:00", datetime(2026, 6, 24, 10, 0, tzinfo=UTC)),
        ("2026-06-25", "2026-06-25 10:05:02", datetime(2026, 6, 25, 10, 5, tzinfo=UTC)),
    ],
)
def test_a_metrics_stamp_is_its_periods_end_until_its_meaning_changed(
    day: str, stamp: str, start: datetime, tmp_path: Path
) -> None:
    table = dataset("binance_um_metrics")
    given = build_input(
        archive_file(table.name, day), f'{METRICS_HEADER}{stamp},BTCUSDT,1,2,"",1,1,0E-16\n'.encode(), tmp_path
    )
    year = Partition(table, "BTCUSDT", start.date().replace(month=1, day=1))
    outcome = conform(table, [year], [given], tmp_path, ConformSettings())
    frame = pl.read_parquet(outcome.partitions[0].file)
    assert frame["period_start"][0] == start
    assert frame["period_end"][0] == start + timedelta(minutes=5)
    assert frame["toptrader_account_long_short_ratio"][0] is None
    assert frame["taker_long_short_volume_ratio"][0] == 0


def test_a_time_that_no_calendar_has_is_refused_in_words(tmp_path: Path) -> None:
    table = dataset("binance_um_book_depth")
    content = b"timestamp,percentage,depth,notional\n-2024-03-01 00:00:00,1,1,1\n"
    given = build_input(archive_file(table.name, "2024-03-01"), content, tmp_path)
    outcome = conform(table, [Partition(table, "BTCUSDT", MARCH)], [given], tmp_path, ConformSettings())
    assert outcome.refused[0].error == "ContentRefused"


@pytest.mark.parametrize("most", [1, 1000])
def test_the_unit_of_a_file_is_that_of_most_of_its_rows(most: int, tmp_path: Path) -> None:
    other = 1000 if most == 1 else 1
    rows = [*kline_rows(MARCH, 3, scale=other), *kline_rows(MARCH, 10, scale=most)[3:]]
    outcome = build(SPOT_KLINES, [MARCH], [kline_input("2024-03-01", rows, tmp_path)], tmp_path / "work")
    [made] = outcome.partitions
    assert (outcome.refused, made.rows) == ([], 7)
    assert [row.line for row in made.manifest.refused_rows] == [1, 2, 3]
    assert made.manifest.inputs[0].unit == ("ms" if most == 1 else "us")


def test_rows_of_another_day_are_set_aside(tmp_path: Path) -> None:
    rows = [*kline_rows(MARCH, 2), *kline_rows(date(2024, 3, 2), 1)]
    outcome = build(SPOT_KLINES, [MARCH], [kline_input("2024-03-01", rows, tmp_path)], tmp_path / "work")
    [row] = outcome.partitions[0].manifest.refused_rows
    assert row.reason == "open_time 2024-03-02T00:00:00+00:00 lies outside 2024-03-01 to 2024-03-01"
    assert (row.line, row.time) == (3, "2024-03-01T00:01:00+00:00"), "it is placed by the row before it"


@pytest.mark.parametrize(
    "stamp",
    ["2024-03-01 12:34:60", "2024-03-01 24:00:00", "2024-02-30 12:00:00", "2024-03-01T12:00:00", "2024-3-1 12:00:00"],
)
def test_a_text_that_is_no_time_costs_its_row(stamp: str, tmp_path: Path) -> None:
    table = dataset("binance_um_book_depth")
    sound = "".join(f"2024-03-01 00:0{minute}:00,1,1,1\n" for minute in range(5))
    content = f"timestamp,percentage,depth,notional\n{sound}{stamp},1,1,1\n".encode()
    given = build_input(archive_file(table.name, "2024-03-01"), content, tmp_path)
    [made] = conform(table, [Partition(table, "BTCUSDT", MARCH)], [given], tmp_path, ConformSettings()).partitions
    assert made.rows == 5
    assert [(row.line, row.text[: len(stamp)]) for row in made.manifest.refused_rows] == [(7, stamp)]
