"""Conform as a whole: purity, merging, routing, and what manifests say."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake import partition_file
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import inputs_digest
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import reading
from crypto_lakehouse.silver.conform import ConformOutcome, InputObject, conform
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.vocabulary import Frequency, Interval, MergeStrategy, Source
from tests.archive_builder import agg_trade_rows, archive_file, build_input, kline_rows
from tests.conforming import MARCH, METRICS_HEADER, SPOT_KLINES, TRADES, build, kline_input, trades_input


def digests(outcome: ConformOutcome) -> list[str]:
    for one in outcome.partitions:
        assert one.file is None or hashlib.sha256(one.file.read_bytes()).hexdigest() == one.sha256
    return [one.sha256 for one in outcome.partitions]


def month_of_klines(folder: Path) -> list[InputObject]:
    days = [MARCH + timedelta(number) for number in range(4)]
    return [kline_input(day.isoformat(), kline_rows(day, 200), folder) for day in days]


def test_the_same_inputs_give_the_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    inputs = month_of_klines(tmp_path)
    first = build(SPOT_KLINES, [MARCH], inputs, tmp_path / "a")
    again = build(SPOT_KLINES, [MARCH], inputs[::-1], tmp_path / "b")
    assert digests(first) == digests(again)
    assert first.partitions[0].rows == 800


def test_streaming_and_reading_whole_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = month_of_klines(tmp_path)
    whole = build(SPOT_KLINES, [MARCH], inputs, tmp_path / "a")
    monkeypatch.setattr(reading, "SMALL_OBJECT_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4096)
    assert digests(build(SPOT_KLINES, [MARCH], inputs, tmp_path / "b")) == digests(whole)


def test_the_file_is_sorted_checksummed_and_carries_its_manifest(tmp_path: Path) -> None:
    made = build(SPOT_KLINES, [MARCH], month_of_klines(tmp_path), tmp_path / "work").partitions[0]
    assert made.file is not None
    assert read_manifest(made.file) == made.manifest
    assert pl.read_parquet(made.file)["open_time"].is_sorted()
    column = pq.read_metadata(made.file).row_group(0).column(2)
    assert (column.compression, column.is_stats_set) == ("ZSTD", True)
    assert (made.first_time, made.last_time) == (
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(2024, 3, 4, 3, 19, tzinfo=UTC),
    )


def test_a_flipped_bit_in_a_page_is_detected_by_its_checksum(tmp_path: Path) -> None:
    made = build(SPOT_KLINES, [MARCH], month_of_klines(tmp_path), tmp_path / "work").partitions[0]
    assert made.file is not None
    data = bytearray(made.file.read_bytes())
    data[200] ^= 1
    made.file.write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(made.file, page_checksum_verification=True)


def test_the_manifest_names_every_input_with_its_sha256(tmp_path: Path) -> None:
    inputs = month_of_klines(tmp_path)
    manifest = build(SPOT_KLINES, [MARCH], inputs, tmp_path / "work").partitions[0].manifest
    assert {one.key: one.sha256 for one in manifest.inputs} == {one.object.key: one.object.sha256 for one in inputs}
    assert [one.rows for one in manifest.inputs] == [200] * 4
    assert {one.unit for one in manifest.inputs} == {"ms"}
    assert manifest.inputs_digest == inputs_digest(SPOT_KLINES, ((one.object.key, one.object.sha256) for one in inputs))
    assert manifest.covered == (("2024-03-01T00:00:00+00:00", "2024-03-05T00:00:00+00:00"),)


def test_units_change_between_files_of_one_batch_but_not_within_one(tmp_path: Path) -> None:
    inputs = [
        kline_input("2024-12-31", kline_rows(date(2024, 12, 31), 5), tmp_path),
        kline_input("2025-01-01", kline_rows(date(2025, 1, 1), 5, scale=1000), tmp_path),
    ]
    made = build(SPOT_KLINES, [date(2024, 12, 1), date(2025, 1, 1)], inputs, tmp_path / "work").partitions
    assert [one.manifest.inputs[0].unit for one in made] == ["ms", "us"]
    assert pl.read_parquet(made[1].file)["close_time"][0].microsecond == 999999
    assert pl.read_parquet(made[0].file)["close_time"][0].microsecond == 999000


def other_close(row: list[object]) -> str:
    """Returns a close that the candle could have had as well."""
    middle = (Decimal(str(row[2])) + Decimal(str(row[3]))) / 2
    return f"{middle:.8f}" if middle != Decimal(str(row[4])) else str(row[2])


@pytest.mark.parametrize("newer_is", ["daily", "monthly"])
def test_daily_rows_win_over_monthly_ones_whichever_is_newer(tmp_path: Path, newer_is: str) -> None:
    daily_rows = kline_rows(MARCH, 10)
    monthly_rows = [[*row] for row in kline_rows(MARCH, 12)]
    monthly_rows[3][4] = other_close(monthly_rows[3])
    daily = kline_input("2024-03-01", daily_rows, tmp_path)
    monthly = kline_input("2024-03-01", monthly_rows, tmp_path, frequency=Frequency.MONTHLY)
    late = datetime(2026, 6, 1, tzinfo=UTC)
    if newer_is == "daily":
        daily = InputObject(replace(daily.object, last_modified=late), daily.path)
    else:
        monthly = InputObject(replace(monthly.object, last_modified=late), monthly.path)
    made = build(SPOT_KLINES, [MARCH], [monthly, daily], tmp_path / "work").partitions[0]
    manifest = made.manifest
    assert (manifest.rows_in, manifest.rows_out) == (22, 12)
    assert (manifest.overlaps, manifest.conflicts, manifest.duplicates) == (9, 1, 0)
    assert str(pl.read_parquet(made.file)["close"][3]) == str(daily_rows[3][4])
    assert manifest.conflict_examples[0]["kept_from"] == daily.object.key
    assert manifest.conflict_examples[0]["dropped"] == f"close={monthly_rows[3][4]}"
    (record,) = manifest.reconciliations
    assert (record.day, record.kept, record.other) == ("2024-03-01", Source.ARCHIVE_DAILY, Source.ARCHIVE_MONTHLY)
    assert (record.equal, record.different) == (9, 1)
    (close,) = record.columns
    assert (close.column, close.rows) == ("close", 1)
    assert Decimal(close.largest) == abs(Decimal(str(daily_rows[3][4])) - Decimal(str(monthly_rows[3][4])))


@pytest.mark.parametrize("newer_is", ["daily", "monthly"])
def test_newest_first_keeps_the_newer_object_whatever_its_source(tmp_path: Path, newer_is: str) -> None:
    table = replace(dataset(SPOT_KLINES), merge=MergeStrategy.NEWEST_FIRST)
    other = [[*one] for one in kline_rows(MARCH, 10)]
    other[3][4] = other_close(other[3])
    daily = kline_input("2024-03-01", kline_rows(MARCH, 10), tmp_path)
    monthly = kline_input("2024-03-01", other, tmp_path, frequency=Frequency.MONTHLY)
    late = datetime(2026, 6, 1, tzinfo=UTC)
    if newer_is == "daily":
        daily = InputObject(replace(daily.object, last_modified=late), daily.path)
    else:
        monthly = InputObject(replace(monthly.object, last_modified=late), monthly.path)
    (example,) = build(table, [MARCH], [monthly, daily], tmp_path / "work").partitions[0].manifest.conflict_examples
    assert example["kept_from"] == (daily if newer_is == "daily" else monthly).object.key


def test_a_monthly_and_a_daily_tick_file_of_the_same_rows_give_the_same_rows(tmp_path: Path, streamed: None) -> None:
    rows = agg_trade_rows(MARCH, 400)
    daily = trades_input("2024-03-01", rows, tmp_path)
    monthly = trades_input("2024-03-01", rows, tmp_path, frequency=Frequency.MONTHLY)
    alone = build(TRADES, [MARCH], [daily], tmp_path / "a").partitions[0]
    both = build(TRADES, [MARCH], [daily, monthly], tmp_path / "b").partitions[0]
    assert pl.read_parquet(alone.file).equals(pl.read_parquet(both.file))
    assert (both.manifest.overlaps, both.manifest.duplicates, both.manifest.conflicts) == (400, 0, 0)


def test_one_identifier_at_two_times_is_a_conflict_even_far_apart(tmp_path: Path, streamed: None) -> None:
    rows = agg_trade_rows(MARCH, 600)
    rows[590][0] = rows[2][0]
    made = build(TRADES, [MARCH], [trades_input("2024-03-01", rows, tmp_path)], tmp_path / "work").partitions[0]
    assert (made.rows, made.manifest.conflicts) == (599, 1)


def test_row_groups_have_a_fixed_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_file, "ROW_GROUP_ROWS", 300)
    made = build(SPOT_KLINES, [MARCH], month_of_klines(tmp_path), tmp_path / "work").partitions[0]
    metadata = pq.read_metadata(made.file)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [300, 300, 200]


def test_a_partition_without_sound_inputs_has_no_file_and_says_why(tmp_path: Path) -> None:
    given = kline_input("2024-03-01", [[1, 2, 3]], tmp_path)
    outcome = build(SPOT_KLINES, [MARCH], [given], tmp_path / "work")
    made = outcome.partitions[0]
    assert (made.file, made.rows, made.sha256) == (None, 0, "")
    assert made.manifest.refused[0].reason == "line 1 has 3 fields, known are [12]"


def test_a_partition_that_nothing_covers_is_empty(tmp_path: Path) -> None:
    made = build(SPOT_KLINES, [MARCH], [], tmp_path / "work").partitions[0]
    assert (made.file, made.manifest.inputs) == (None, ())


def test_a_file_of_a_header_alone_is_accepted_with_no_rows(tmp_path: Path) -> None:
    table = dataset("binance_um_book_depth")
    given = build_input(archive_file(table.name, "2024-03-01"), b"timestamp,percentage,depth,notional\n", tmp_path)
    outcome = conform(table, [Partition(table, "BTCUSDT", MARCH)], [given], tmp_path, ConformSettings())
    assert outcome.refused == []
    assert outcome.partitions[0].manifest.inputs[0].rows == 0
    assert outcome.partitions[0].manifest.covered == (("2024-03-01T00:00:00+00:00", "2024-03-02T00:00:00+00:00"),)


def test_a_file_refused_at_its_end_leaves_no_row_and_no_file_behind(tmp_path: Path, streamed: None) -> None:
    rows = agg_trade_rows(MARCH, 2000)
    for row in rows[-11:]:
        row[1] = "NaN"
    bad = trades_input("2024-03-01", rows, tmp_path, frequency=Frequency.MONTHLY)
    good = trades_input("2024-03-01", agg_trade_rows(MARCH, 50), tmp_path)
    made = build(TRADES, [MARCH], [bad, good], tmp_path / "work").partitions[0]
    assert (made.rows, len(made.manifest.refused), made.manifest.rows_in) == (50, 1, 50)
    assert [path for path in (tmp_path / "work").iterdir() if path != made.file] == []


def test_more_rows_than_allowed_are_refused(tmp_path: Path) -> None:
    table = dataset(SPOT_KLINES)
    given = kline_input("2024-03-01", kline_rows(MARCH, 5), tmp_path)
    partition = Partition(table, "BTCUSDT", MARCH, Interval.M1)
    outcome = conform(table, [partition], [given], tmp_path, ConformSettings(max_rows=4))
    assert outcome.refused[0].reason == "5 rows, the limit is 4"


def test_doubled_metrics_rows_are_removed_and_counted(tmp_path: Path) -> None:
    table = dataset("binance_um_metrics")
    lines = [f"2021-03-01 {hour:02}:05:00,BTCUSDT,1,2,1,1,1,1\n" * 2 for hour in range(24)]
    given = build_input(archive_file(table.name, "2021-03-01"), (METRICS_HEADER + "".join(lines)).encode(), tmp_path)
    made = conform(table, [Partition(table, "BTCUSDT", date(2021, 1, 1))], [given], tmp_path, ConformSettings())
    assert (made.partitions[0].rows, made.partitions[0].manifest.duplicates) == (24, 24)


def test_rows_past_midnight_go_to_the_next_year_that_was_asked_for(tmp_path: Path) -> None:
    table = dataset("binance_um_metrics")
    content = (
        f"{METRICS_HEADER}2024-12-31 23:55:00,BTCUSDT,1,2,1,1,1,1\n2025-01-01 00:05:01,BTCUSDT,1,2,1,1,1,1\n".encode()
    )
    given = build_input(archive_file(table.name, "2024-12-31"), content, tmp_path)
    years = [Partition(table, "BTCUSDT", date(year, 1, 1)) for year in (2024, 2025)]
    outcome = conform(table, years, [given], tmp_path, ConformSettings())
    assert [made.rows for made in outcome.partitions] == [1, 1]
    assert outcome.partitions[1].manifest.covered == ()


def test_progress_counts_every_file(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    table = dataset(SPOT_KLINES)
    partition = Partition(table, "BTCUSDT", MARCH, Interval.M1)
    inputs = month_of_klines(tmp_path)
    conform(table, [partition], inputs, tmp_path, ConformSettings(), lambda *what: heard.append(what))
    assert heard[-1] == ("files", 4, 4)
