"""Merged rows and counts, compared with plain dictionaries."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.merge import MAX_EXAMPLES, ROW_NUMBER, MergeCounts, merge_rows
from crypto_lakehouse.silver.reconcile import PRECEDENCE
from crypto_lakehouse.vocabulary import Interval, Source
from tests.archive_builder import archive_file, build_input, csv, kline_rows

KLINES = dataset("binance_um_klines")
START = datetime(2024, 1, 1, tzinfo=UTC)
SOURCES = (Source.ARCHIVE_DAILY, Source.ARCHIVE_DAILY, Source.REST)
"""The source of each input, by precedence."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[InputObject]:
    file = archive_file("binance_um_klines", "2024-01-01", interval=Interval.M1)
    sound = build_input(file, csv(kline_rows(date(2024, 1, 1), 1)), tmp_path_factory.mktemp("inputs"))
    return [
        InputObject(replace(sound.object, key=f"input {number}", source=source), Path())
        for number, source in enumerate(SOURCES)
    ]


def frame_of(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "open_time": pl.Series([START + timedelta(hours=row[0]) for row in rows], dtype=pl.Datetime("us", "UTC")),
            "trade_count": pl.Series([row[1] for row in rows], dtype=pl.Int64),
            PRECEDENCE: pl.Series([row[2] for row in rows], dtype=pl.Int64),
            ROW_NUMBER: pl.Series(range(len(rows)), dtype=pl.Int64),
        }
    )


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=30)


@given(rows=ROWS)
def test_each_key_keeps_the_best_row_and_every_other_row_is_counted(
    rows: list[tuple[int, int, int]], inputs: list[InputObject]
) -> None:
    merged, counts = merge_rows(frame_of(rows), KLINES, inputs)
    kept: dict[int, tuple[int, int]] = {}
    expected = MergeCounts()
    for hour, value, precedence in sorted(rows, key=lambda row: row[2]):
        best_value, best_precedence = kept.setdefault(hour, (value, precedence))
        if best_value != value:
            expected.conflicts += 1
        elif SOURCES[best_precedence] is SOURCES[precedence]:
            expected.duplicates += 1
        else:
            expected.overlaps += 1
    # The row that is kept was counted as its own duplicate.
    expected.duplicates -= len(kept)
    assert merged["trade_count"].to_list() == [kept[hour][0] for hour in sorted(kept)]
    assert merged["open_time"].to_list() == [START + timedelta(hours=hour) for hour in sorted(kept)]
    assert (counts.duplicates, counts.overlaps, counts.conflicts) == (
        expected.duplicates,
        expected.overlaps,
        expected.conflicts,
    )
    assert len(counts.examples) == min(counts.conflicts, MAX_EXAMPLES)


def test_counts_add_up_and_keep_a_bounded_number_of_examples(inputs: list[InputObject]) -> None:
    conflicts = [(hour, value, value) for hour in range(15) for value in (0, 2)]
    _, counts = merge_rows(frame_of(conflicts), KLINES, inputs)
    _, more = merge_rows(frame_of(conflicts), KLINES, inputs)
    counts.add(more)
    assert counts.conflicts == 30
    assert len(counts.examples) == MAX_EXAMPLES
    assert counts.examples[0]["kept_from"] == "input 0"
    assert counts.examples[0]["dropped"] == "trade_count=2"
