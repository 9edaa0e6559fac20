"""Rows that do not fit in memory are merged range by range, with the same result."""

from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.silver import buffers, range_merge, reading
from crypto_lakehouse.silver.decode import blocks
from tests.archive_builder import agg_trade_rows
from tests.conforming import MARCH, TRADES, build, trades_input


def test_a_merge_in_ranges_gives_what_a_merge_in_memory_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = agg_trade_rows(MARCH, 900)
    mixed = rows[300:] + rows[:500]
    given = trades_input("2024-03-01", mixed, tmp_path)
    in_memory = build(TRADES, [MARCH], [given], tmp_path / "a").partitions[0]
    monkeypatch.setattr(reading, "SMALL_OBJECT_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(buffers, "MEMORY_ROWS", 100)
    monkeypatch.setattr(range_merge, "ROWS_PER_RANGE", 150)
    in_ranges = build(TRADES, [MARCH], [given], tmp_path / "b").partitions[0]
    assert in_ranges.sha256 == in_memory.sha256
    assert in_ranges.manifest.duplicates == 200
    assert pl.read_parquet(in_ranges.file)["agg_trade_id"].to_list() == list(range(1000, 1900))


def test_identifiers_that_run_against_time_end_sorted_by_time(tmp_path: Path, streamed: None) -> None:
    rows = agg_trade_rows(MARCH, 600)
    for row, twin in zip(rows[:300], rows[300:], strict=True):
        row[0], twin[0] = twin[0], row[0]
    made = build(TRADES, [MARCH], [trades_input("2024-03-01", rows, tmp_path)], tmp_path / "work").partitions[0]
    frame = pl.read_parquet(made.file)
    assert frame["transact_time"].is_sorted()
    assert frame["agg_trade_id"].n_unique() == frame.height == 600
