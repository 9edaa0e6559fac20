"""A buffer gives back the rows that it was given, from memory or from its file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.silver import buffers
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.buffers import InputRows, RowBuffer
from crypto_lakehouse.silver.merge import ROW_NUMBER
from crypto_lakehouse.silver.reconcile import PRECEDENCE

PARTITION = Partition.parse("binance_um_book_depth", "symbol_key=BTCUSDT/month=2024-03")
START = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def background() -> Iterator[Background]:
    started = Background()
    yield started
    started.close()


def depth(first: int, count: int) -> pl.DataFrame:
    seconds = range(first, first + count)
    times = pl.Series([START + timedelta(seconds=number) for number in seconds], dtype=pl.Datetime("us", "UTC"))
    ratio, quantity = pl.Decimal(38, 18), pl.Decimal(38, 8)
    return pl.DataFrame(
        {
            "snapshot_time": times,
            "percentage": pl.Series([str(number) for number in seconds]).cast(ratio),
            "depth": pl.Series(["1.5"] * count).cast(quantity),
            "notional": pl.Series(["2.5"] * count).cast(quantity),
        }
    )


@pytest.mark.parametrize("memory_rows", [1000, 7], ids=["in memory", "in a file"])
def test_rows_come_back_with_their_number_and_the_precedence_of_their_input(
    memory_rows: int, background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "MEMORY_ROWS", memory_rows)
    buffer = RowBuffer(PARTITION, tmp_path / "rows.parquet", background)
    buffer.append(depth(0, 5), [InputRows(1, 2), InputRows(0, 3)], is_ordered=True)
    buffer.append(depth(5, 5), [InputRows(0, 5)], is_ordered=True)
    buffer.append(depth(0, 0), [], is_ordered=True)
    buffer.close()
    rows = pl.concat([load() for load in buffer.loads()])
    assert (tmp_path / "rows.parquet").exists() == (memory_rows == 7)
    assert rows[ROW_NUMBER].to_list() == list(range(10))
    assert rows[PRECEDENCE].to_list() == [1, 1, *[0] * 8]
    assert rows.drop(ROW_NUMBER, PRECEDENCE).equals(depth(0, 10))
    assert (buffer.is_ordered, buffer.rows) == (True, 10)
    assert (buffer.first_time, buffer.last_time) == (START, START + timedelta(seconds=9))


def test_rows_that_do_not_follow_the_rows_before_are_not_in_order(background: Background, tmp_path: Path) -> None:
    buffer = RowBuffer(PARTITION, tmp_path / "rows.parquet", background)
    buffer.append(depth(5, 3), [InputRows(0, 3)], is_ordered=True)
    buffer.append(depth(7, 3), [InputRows(1, 3)], is_ordered=True)
    assert not buffer.is_ordered
    assert (buffer.first_time, buffer.last_time) == (START + timedelta(seconds=5), START + timedelta(seconds=9))


def test_a_paused_buffer_writes_what_waits_and_is_not_in_order_if_more_follows(
    background: Background, tmp_path: Path
) -> None:
    buffer = RowBuffer(PARTITION, tmp_path / "rows.parquet", background)
    buffer.append(depth(0, 3), [InputRows(0, 3)], is_ordered=True)
    buffer.pause()
    assert (tmp_path / "rows.parquet").exists()
    assert buffer.is_ordered
    buffer.append(depth(3, 3), [InputRows(0, 3)], is_ordered=True)
    assert not buffer.is_ordered
    buffer.discard()
    assert not (tmp_path / "rows.parquet").exists()
