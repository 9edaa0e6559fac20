"""What the exchange answers and what its archive holds become the same Silver rows, column by column."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.exchange.bodies import Answer
from crypto_lakehouse.exchange.fetching import AnsweredSpan, store
from crypto_lakehouse.exchange.missing import Series
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import next_span_start, span_start
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spans import Span
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval, Market, PartitionSpan
from tests.fakes.exchange.long_candles import is_long
from tests.rest_fixtures import OpenLake
from tests.rest_lake import RestLake, archive_inputs, conformed, days_between, silver_frame, utc, window

NOW = utc(2025, 1, 3, 0, 10)
WANTED = (utc(2024, 12, 30), utc(2025, 1, 2, 12))
"""From milliseconds to microseconds, and to the middle of a day."""

WITH_REST = [row for row in DATASETS if row.rest is not None and row.frequencies]
WITHOUT_INTERVAL = [row for row in WITH_REST if not row.has_interval]
KLINES = [
    pytest.param(row, interval, marks=pytest.mark.long if interval is Interval.S1 else ())
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
    table: Dataset, interval: Interval | None, span: tuple[datetime, datetime], folder: Path
) -> list[InputObject]:
    monthly = is_long(interval) or Frequency.DAILY not in table.frequencies
    days = (span[0].date(), (span[1] - timedelta(microseconds=1)).date())
    starts = months(*days) if monthly else days_between(*days)
    frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
    return archive_inputs([ArchiveKey(table, frequency, table.sample_symbol, interval, day) for day in starts], folder)


def within(frame: pl.DataFrame, table: Dataset, span: tuple[datetime, datetime]) -> pl.DataFrame:
    return frame.filter((pl.col(table.event_time) >= span[0]) & (pl.col(table.event_time) < span[1]))


def asked(lake: RestLake, table: Dataset, interval: Interval | None, span: tuple[datetime, datetime]) -> pl.DataFrame:
    parts = lake.fetch_missing(table, Series(table.sample_symbol, interval or ""), span)
    assert parts
    return lake.silver(table)


def test_there_are_datasets_to_compare_and_ticks_and_candles_of_every_market() -> None:
    assert {row.market for row in WITH_REST if row.has_interval} == {Market.SPOT, Market.UM, Market.CM}
    assert {row.market for row in WITHOUT_INTERVAL} == {Market.SPOT, Market.UM, Market.CM}
    assert len(WITH_REST) == 19


@pytest.mark.parametrize("table", WITHOUT_INTERVAL, ids=lambda table: table.name)
def test_ticks_payments_and_metrics_are_the_same_from_either_source(
    table: Dataset, open_lake: OpenLake, tmp_path: Path
) -> None:
    assert table.rest is not None
    # What reaches back two days only is asked from just after the change of years on.
    span = WANTED if table.rest.reach_days != 2.0 else (utc(2025, 1, 1, 1), WANTED[1])
    lake = open_lake(NOW)
    rest = asked(lake, table, None, span)
    archive = within(silver_frame(table, archive_of(table, None, span, tmp_path), tmp_path), table, span)
    assert archive.height > 5
    assert_frame_equal(rest, archive)


def span_of(interval: Interval) -> tuple[datetime, datetime]:
    if interval is Interval.S1:
        return utc(2024, 12, 31, 23, 30), utc(2025, 1, 1, 0, 30)
    if is_long(interval):
        return utc(2024, 11, 1), utc(2025, 2, 1)
    return utc(2024, 12, 30), utc(2025, 1, 2)


@pytest.mark.parametrize(("table", "interval"), KLINES, ids=lambda one: getattr(one, "name", str(one)))
def test_candles_of_every_interval_are_the_same_from_either_source(
    table: Dataset, interval: Interval, open_lake: OpenLake, tmp_path: Path
) -> None:
    span = span_of(interval)
    lake = open_lake(utc(2025, 2, 10))
    rest = asked(lake, table, interval, span)
    archive = within(silver_frame(table, archive_of(table, interval, span, tmp_path), tmp_path), table, span)
    assert archive.height >= 3
    assert_frame_equal(rest, archive)


def test_spot_is_in_milliseconds_before_2025_and_in_microseconds_from_then_on(open_lake: OpenLake) -> None:
    table = dataset("binance_spot_klines")
    frame = asked(open_lake(NOW), table, Interval.H1, WANTED)
    units = {(close.year, close.microsecond) for close in frame["close_time"]}
    assert units == {(2024, 999000), (2025, 999999)}


@pytest.mark.parametrize("name", ["binance_spot_klines", "binance_um_klines"])
def test_a_candle_that_was_still_open_is_no_row(name: str, open_lake: OpenLake) -> None:
    table = dataset(name)
    lake = open_lake(utc(2025, 1, 3, 10, 7, 30))
    lake.fetch_missing(table, Series("BTCUSDT", "1m"), (utc(2025, 1, 3, 10), utc(2025, 1, 3, 10, 7, 30)))
    assert lake.silver(table)["open_time"].max() == utc(2025, 1, 3, 10, 6)


def test_a_damaged_object_is_refused_and_gives_no_row(open_lake: OpenLake, tmp_path: Path) -> None:
    table = dataset("binance_um_klines")
    lake = open_lake(NOW)
    lake.fetch_missing(table, Series("BTCUSDT", "1h"), WANTED)
    (first, *_) = lake.held(table)
    data = bytearray(first.path.read_bytes())
    data[len(data) // 2] ^= 4
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(data)
    outcome = conformed(table, [replace(first, path=damaged)], tmp_path)
    assert [(made.file, made.rows) for made in outcome.partitions] == [(None, 0)]
    assert [refused.error for refused in outcome.refused] == ["CorruptObject"]
    assert conformed(table, [first], tmp_path).refused == []


KLINE = [1735689600000, "1.1", "1.3", "1.0", "1.2", "5.5", 1735689659999, "6.6", 3, "2.2", "2.4", "0"]


def held(lake: RestLake, bodies: Sequence[str], at: datetime = NOW, status: int = 200) -> list[InputObject]:
    """Keeps answers of klines with these bodies as one object of an hour."""
    table = dataset("binance_um_klines")
    asked_for = window("BTCUSDT", "1m", utc(2025, 1, 1), utc(2025, 1, 1, 1))
    answers = tuple(Answer(at, "klines", {}, status, None, body) for body in bodies)
    answered = AnsweredSpan(Span(utc(2025, 1, 1), utc(2025, 1, 1, 1)), answers)
    BronzeLog(lake.storage).commit([store(answered, table, asked_for, lake.storage)])
    return lake.held(table)


def kline(minute: int, **changes: object) -> list[object]:
    row: list[object] = [KLINE[0] + minute * 60_000, *KLINE[1:6], KLINE[6] + minute * 60_000, *KLINE[7:]]  # type: ignore[operator]
    for place, value in changes.items():
        row[int(place.removeprefix("at_"))] = value
    return row


def test_rows_told_twice_or_outside_the_window_or_after_a_refusal_are_left_out(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    pages = [[kline(-1), kline(0), kline(1)], [kline(1), kline(2)], [kline(59), kline(60)]]
    frame = silver_frame(dataset("binance_um_klines"), held(lake, [json.dumps(one) for one in pages]), lake.folder)
    assert [one.minute for one in frame["open_time"]] == [0, 1, 2, 59]
    refused = open_lake(NOW, "refused")
    assert silver_frame(
        dataset("binance_um_klines"), held(refused, ["no JSON at all"], status=400), refused.folder
    ).is_empty()


def test_what_was_open_when_it_was_answered_is_left_out_though_it_has_closed_since(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    body = json.dumps([kline(0), kline(1)])
    frame = silver_frame(dataset("binance_um_klines"), held(lake, [body], utc(2025, 1, 1, 0, 1, 30)), lake.folder)
    assert frame["open_time"].to_list() == [utc(2025, 1, 1)]


def test_numbers_without_quotes_keep_every_digit(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    body = json.dumps([kline(0)]).replace('"5.5"', "128493650123.12345678")
    frame = silver_frame(dataset("binance_um_klines"), held(lake, [body]), lake.folder)
    assert frame["base_volume"].to_list() == [Decimal("128493650123.12345678")]


@pytest.mark.parametrize(
    "body", ["", "null", "{", "<html>", '{"code": -1121, "msg": "Invalid symbol."}', "[" * 100_000]
)
def test_an_answer_of_another_form_is_refused_whole(open_lake: OpenLake, body: str) -> None:
    lake = open_lake(NOW)
    table = dataset("binance_um_klines")
    outcome = conformed(table, held(lake, [json.dumps([kline(0)]), body]), lake.folder)
    assert len(outcome.refused) == 1
    assert [one.rows for one in outcome.partitions] == [0]


@pytest.mark.parametrize(
    "row",
    [
        1,
        None,
        [],
        {},
        ["x", 1],
        kline(5)[:8],
        [*kline(5), "more"],
        kline(5, at_4="1.2,9"),
        kline(5, at_4="1.2\n1"),
        kline(5, at_11="0\n" + ",".join(map(str, kline(6)))),
        kline(5, at_4="NaN"),
        kline(5, at_4=None),
        kline(5, at_4=[1]),
        kline(5, at_4=""),
        kline(5, at_4="\ud800"),
        kline(5, at_4="0.1234567891"),
        kline(5, at_8="three"),
        kline(5, at_5="-1"),
        kline(5, at_2="0.5"),
    ],
    ids=repr,
)
def test_a_row_of_another_form_costs_one_row(open_lake: OpenLake, row: object) -> None:
    lake = open_lake(NOW)
    table = dataset("binance_um_klines")
    body = json.dumps([kline(3), kline(4), row, kline(6), kline(7)])
    outcome = conformed(table, held(lake, [body]), lake.folder)
    [made] = outcome.partitions
    assert (outcome.refused, made.rows) == ([], 4)
    [refused] = made.manifest.refused_rows
    assert (refused.line, refused.time[:16]) == (3, "2025-01-01T00:04" if refused.text[0] != "1" else refused.time[:16])
    assert refused.reason
