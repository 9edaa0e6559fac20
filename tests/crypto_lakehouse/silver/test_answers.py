"""What the exchange answers and what its archive holds become the same Silver rows, column by column."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.exchange.windows import Series
from crypto_lakehouse.lake.partition import next_span_start, span_start
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval, Market, PartitionSpan
from tests.exchange.long_candles import is_long
from tests.rest_fixtures import OpenLake
from tests.rest_lake import RestLake, archive_inputs, conformed, days_between, silver_frame, utc

NOW = utc(2025, 1, 3, 0, 10)
WANTED = (utc(2024, 12, 30), utc(2025, 1, 2, 12))
"""From milliseconds to microseconds, and to the middle of a day."""

WITH_REST = [row for row in DATASETS if row.rest is not None and row.frequencies]
WITHOUT_INTERVAL = [row for row in WITH_REST if not row.has_interval]
KLINES = [
    pytest.param(row, interval, marks=pytest.mark.slow if interval is Interval.S1 else ())
    for row in WITH_REST
    for interval in row.intervals
]


def months(first: date, last: date) -> list[date]:
    found, day = [], span_start(PartitionSpan.MONTH, first)
    while day <= last:
        found.append(day)
        day = next_span_start(PartitionSpan.MONTH, day)
    return found


def archive_of(
    row: Dataset, interval: Interval | None, span: tuple[datetime, datetime], folder: Path
) -> list[InputObject]:
    monthly = is_long(interval) or Frequency.DAILY not in row.frequencies
    days = (span[0].date(), (span[1] - timedelta(microseconds=1)).date())
    starts = months(*days) if monthly else days_between(*days)
    frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
    return archive_inputs([ArchiveKey(row, frequency, row.sample_symbol, interval, day) for day in starts], folder)


def within(frame: pl.DataFrame, row: Dataset, span: tuple[datetime, datetime]) -> pl.DataFrame:
    return frame.filter((pl.col(row.event_time) >= span[0]) & (pl.col(row.event_time) < span[1]))


def asked(lake: RestLake, row: Dataset, interval: Interval | None, span: tuple[datetime, datetime]) -> pl.DataFrame:
    pieces = lake.fetch_missing(row, Series(row.sample_symbol, interval or ""), span)
    assert pieces
    return lake.silver(row)


def test_there_are_datasets_to_compare_and_ticks_and_candles_of_every_market() -> None:
    assert {row.market for row in WITH_REST if row.has_interval} == {Market.SPOT, Market.UM, Market.CM}
    assert {row.market for row in WITHOUT_INTERVAL} == {Market.SPOT, Market.UM, Market.CM}
    assert len(WITH_REST) == 19


@pytest.mark.parametrize("row", WITHOUT_INTERVAL, ids=lambda row: row.name)
def test_ticks_payments_and_metrics_are_the_same_from_either_source(
    row: Dataset, open_lake: OpenLake, tmp_path: Path
) -> None:
    assert row.rest is not None
    # What reaches back two days only is asked from just after the change of years on.
    span = WANTED if row.rest.reach_days != 2.0 else (utc(2025, 1, 1, 1), WANTED[1])
    lake = open_lake(NOW)
    rest = asked(lake, row, None, span)
    archive = within(silver_frame(row, archive_of(row, None, span, tmp_path), tmp_path), row, span)
    assert archive.height > 5
    assert_frame_equal(rest, archive)


def span_of(interval: Interval) -> tuple[datetime, datetime]:
    if interval is Interval.S1:
        return utc(2024, 12, 31, 23, 30), utc(2025, 1, 1, 0, 30)
    if is_long(interval):
        return utc(2024, 11, 1), utc(2025, 2, 1)
    return utc(2024, 12, 30), utc(2025, 1, 2)


@pytest.mark.parametrize(("row", "interval"), KLINES, ids=lambda one: getattr(one, "name", str(one)))
def test_candles_of_every_interval_are_the_same_from_either_source(
    row: Dataset, interval: Interval, open_lake: OpenLake, tmp_path: Path
) -> None:
    span = span_of(interval)
    lake = open_lake(utc(2025, 2, 10))
    rest = asked(lake, row, interval, span)
    archive = within(silver_frame(row, archive_of(row, interval, span, tmp_path), tmp_path), row, span)
    assert archive.height >= 3
    assert_frame_equal(rest, archive)


def test_spot_is_in_milliseconds_before_2025_and_in_microseconds_from_then_on(open_lake: OpenLake) -> None:
    row = dataset("binance_spot_klines")
    frame = asked(open_lake(NOW), row, Interval.H1, WANTED)
    units = {(close.year, close.microsecond) for close in frame["close_time"]}
    assert units == {(2024, 999000), (2025, 999999)}


@pytest.mark.parametrize("name", ["binance_spot_klines", "binance_um_klines"])
def test_a_candle_that_was_still_open_is_no_row(name: str, open_lake: OpenLake) -> None:
    row = dataset(name)
    lake = open_lake(utc(2025, 1, 3, 10, 7, 30))
    lake.fetch_missing(row, Series("BTCUSDT", "1m"), (utc(2025, 1, 3, 10), utc(2025, 1, 3, 10, 7, 30)))
    assert lake.silver(row)["open_time"].max() == utc(2025, 1, 3, 10, 6)


def test_a_damaged_object_is_refused_and_gives_no_row(open_lake: OpenLake, tmp_path: Path) -> None:
    row = dataset("binance_um_klines")
    lake = open_lake(NOW)
    lake.fetch_missing(row, Series("BTCUSDT", "1h"), WANTED)
    (one, *_) = lake.held(row)
    data = bytearray(one.path.read_bytes())
    data[len(data) // 2] ^= 4
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(data)
    outcome = conformed(row, [replace(one, path=damaged)], tmp_path)
    assert [(made.file, made.rows) for made in outcome.partitions] == [(None, 0)]
    assert [refused.error for refused in outcome.refused] == ["ChecksumMismatch"]
    assert conformed(row, [one], tmp_path).refused == []
