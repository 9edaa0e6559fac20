"""The comparison of a former file with the new one equals a comparison of plain dictionaries."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest, ManifestInput
from crypto_lakehouse.silver import republished
from crypto_lakehouse.silver.republished import compare_versions, replaced_inputs
from crypto_lakehouse.vocabulary import ChecksumStatus, Source

HOURLY = Partition.parse("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01")
TICKS = Partition.parse("binance_um_agg_trades", "symbol_key=BTCUSDT/date=2024-01-01")
START = datetime(2024, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def made_from(key: str, sha256: str, days: tuple[int, int], source: Source = Source.ARCHIVE_DAILY) -> ManifestInput:
    start, end = ((START + timedelta(days=day)).isoformat() for day in days)
    return ManifestInput(key, sha256, source, start, end, ChecksumStatus.VERIFIED, 1, "ms", header=False, inversions=0)


def manifest(*inputs: ManifestInput) -> Manifest:
    return Manifest("binance_um_klines", HOURLY.name, inputs, (), "d", 1, 1, 0, 0, 0, 0, ())


def write(path: Path, rows: dict[int, int], group: int = 5) -> Path:
    times = [START + timedelta(hours=hour) for hour in sorted(rows)]
    frame = pl.DataFrame({"open_time": times, "trade_count": [rows[hour] for hour in sorted(rows)]})
    typed = frame.cast({"open_time": TIME, "trade_count": pl.Int64}).with_columns(symbol=pl.lit("BTCUSDT"))
    typed.write_parquet(path, row_group_size=group)
    return path


def test_only_objects_under_the_same_key_with_other_bytes_were_replaced() -> None:
    former = manifest(made_from("a", "1", (0, 1)), made_from("b", "1", (1, 2)))
    new = manifest(made_from("a", "1", (0, 1)), made_from("b", "2", (1, 2)), made_from("c", "1", (2, 3)))
    assert [entry.key for entry in replaced_inputs(former, new)] == ["b"]
    assert replaced_inputs(former, former) == []


ROWS = st.dictionaries(st.integers(0, 95), st.integers(0, 3), min_size=1)


@given(former=ROWS, new=ROWS, first=st.integers(0, 3), count=st.integers(1, 4))
def test_what_changed_is_what_dictionaries_say(
    former: dict[int, int], new: dict[int, int], first: int, count: int
) -> None:
    replaced = [made_from("a", "2", (first, first + count))]
    with TemporaryDirectory() as folder:
        paths = write(Path(folder, "former"), former), write(Path(folder, "new"), new, 7)
        records = compare_versions(HOURLY, *paths, replaced)
    assert [record.day for record in records] == [date(2024, 1, day + 1) for day in range(first, first + count)]
    for record in records:
        hours = range(24 * (record.day.day - 1), 24 * record.day.day)
        mine, theirs = ({hour: rows[hour] for hour in hours if hour in rows} for rows in (new, former))
        both = set(mine) & set(theirs)
        different = [hour for hour in both if mine[hour] != theirs[hour]]
        assert (record.equal, record.different) == (len(both) - len(different), len(different))
        assert (record.only_kept, record.only_other) == (len(set(mine) - both), len(set(theirs) - both))
        largest = max((abs(mine[hour] - theirs[hour]) for hour in different), default=0)
        assert (record.columns, record.largest) == (
            ("trade_count", f"trade_count {largest}") if different else ("", "")
        )
        assert record.kept == record.other == "archive_daily"


def test_a_day_of_several_replaced_objects_is_told_of_the_best_of_their_sources(tmp_path: Path) -> None:
    paths = write(tmp_path / "former", {1: 1, 30: 1}), write(tmp_path / "new", {1: 2, 30: 2})
    replaced = [made_from("m", "2", (0, 31), Source.ARCHIVE_MONTHLY), made_from("d", "2", (1, 2))]
    records = compare_versions(HOURLY, *paths, replaced)
    assert len(records) == 31
    assert [record.kept for record in records[:3]] == ["archive_monthly", "archive_daily", "archive_monthly"]


def test_an_object_that_reaches_beyond_the_partition_is_compared_within_it(tmp_path: Path) -> None:
    paths = write(tmp_path / "former", {0: 1}), write(tmp_path / "new", {0: 1})
    records = compare_versions(HOURLY, *paths, [made_from("a", "2", (-3, 1))])
    assert [(record.day, record.equal) for record in records] == [(date(2024, 1, 1), 1)]


def test_columns_that_only_the_new_file_has_are_not_compared(tmp_path: Path) -> None:
    former, new = write(tmp_path / "former", {0: 1}), write(tmp_path / "new", {0: 1})
    pl.read_parquet(new).with_columns(added=pl.lit(1)).write_parquet(new)
    [record] = compare_versions(HOURLY, former, new, [made_from("a", "2", (0, 1))])
    assert (record.equal, record.different) == (1, 0)


def test_ticks_are_compared_a_few_row_groups_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ticks(path: Path, rows: int) -> Path:
        number = pl.arange(rows, eager=True)
        times = (number * 1_000 + int(START.timestamp() * 1_000_000)).cast(TIME)
        frame = pl.DataFrame({"agg_trade_id": number, "transact_time": times, "price": number % 100})
        frame.write_parquet(path, row_group_size=20_000)
        return path

    former, new = ticks(tmp_path / "former", 400_000), ticks(tmp_path / "new", 399_995)
    reads: list[int] = []
    true_rows = republished._rows

    def counting(*arguments: Any) -> pl.DataFrame:
        frame = true_rows(*arguments)
        reads.append(frame.height)
        return frame

    monkeypatch.setattr(republished, "_rows", counting)
    [record] = compare_versions(TICKS, former, new, [made_from("a", "2", (0, 1))])
    assert (record.equal, record.only_kept, record.only_other) == (399_995, 0, 5)
    assert len(reads) == 40, "both files were read a row group at a time"
    assert max(reads) == 20_000
