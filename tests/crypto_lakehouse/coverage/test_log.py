"""The coverage log: what counts, whatever was appended before, beside, or halfway."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.coverage.log import (
    DAYS_SCHEMA,
    HOLES_SCHEMA,
    RECONCILIATIONS_SCHEMA,
    CoverageFrames,
    CoverageLog,
    read_frames,
    write_frames,
)
from crypto_lakehouse.coverage.records import (
    DayCoverage,
    Hole,
    PartitionVersion,
    ReconciledDay,
    reconciled_day_from_json,
    record_json,
)
from crypto_lakehouse.errors import ArchiveFileMissing, SourceUnavailable
from crypto_lakehouse.lake.local_storage import LocalStorage
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

NAME = "binance_um_klines"
AT = datetime(2025, 1, 1, tzinfo=UTC)
START = datetime(2024, 1, 1, 5, tzinfo=UTC)


def place(month: str = "2024-01", version: str = "v1") -> PartitionVersion:
    return PartitionVersion(NAME, f"kline_interval=1h/symbol_key=BTCUSDT/period={month}", "BTCUSDT", "1h", version)


def frames(month: str = "2024-01", version: str = "v1", holes: int = 1, rows: int = 24) -> CoverageFrames:
    where = place(month, version)
    day = DayCoverage(where, date(2024, 1, 1), DayCondition.AVAILABLE, "", rows, 24, 0, "archive_daily")
    lost = [
        Hole(where, START + timedelta(days=n), START + timedelta(days=n, hours=1), 1, HoleKind.GRID, "", "rest")
        for n in range(holes)
    ]
    said = ReconciledDay(where, "2024-01-01", "archive_daily", "rest", rows, 0, None, None, "", "")
    return CoverageFrames.of([day], lost, [said])


def log(folder: Path) -> CoverageLog:
    return CoverageLog(LocalStorage(folder))


def test_an_empty_log_has_empty_tables_of_its_columns(tmp_path: Path) -> None:
    one = log(tmp_path)
    assert (one.days(NAME).schema, one.holes(NAME).schema) == (DAYS_SCHEMA, HOLES_SCHEMA)
    assert one.reconciliations(NAME).schema == RECONCILIATIONS_SCHEMA
    one.append(NAME, CoverageFrames.of(), AT)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_the_newest_rows_of_a_partition_count_and_those_of_others_stay(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append(NAME, frames(holes=2), AT)
    one.append(NAME, frames("2024-02"), AT)
    one.append(NAME, frames(version="v2", holes=0, rows=23), AT + timedelta(days=1))
    assert sorted(one.days(NAME).select("version", "rows").rows()) == [("v1", 24), ("v2", 23)]
    assert one.holes(NAME)["partition"].unique().to_list() == [place("2024-02").partition]
    assert sorted(one.reconciliations(NAME)["equal"]) == [23, 24]


def test_a_hole_keeps_when_it_was_first_seen(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append(NAME, frames(), AT)
    one.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=1))
    found = one.holes(NAME).sort("start")
    assert found["first_seen"].to_list() == [AT, AT + timedelta(days=1)]
    assert found["at"].to_list() == [AT + timedelta(days=1)] * 2


def trades(day: int, first: int, last: int, sources: str = "archive_daily", partition: str = "") -> DayCoverage:
    where = PartitionVersion(NAME, partition or f"symbol_key=BTCUSDT/date=2024-01-{day:02}", "BTCUSDT", "", f"v{day}")
    noon = datetime(2024, 1, day, 12, tzinfo=UTC)
    ends = (first, noon, last, noon + timedelta(hours=11))
    return DayCoverage(where, noon.date(), DayCondition.AVAILABLE, "", 9, None, 0, sources, *ends)


def test_ids_lost_between_two_partitions_are_a_hole_until_either_is_mended(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append(NAME, CoverageFrames.of([trades(1, 10, 19, "archive_daily, rest")]), AT)
    one.append(NAME, CoverageFrames.of([trades(2, 25, 29, "rest, stream")]), AT + timedelta(days=1))
    (hole,) = one.holes(NAME).to_dicts()
    assert (hole["kind"], hole["missing"], hole["known"], hole["sources"]) == ("ids", 5, "", "rest")
    assert hole["start"] == datetime(2024, 1, 1, 23, tzinfo=UTC)
    assert hole["end"] == datetime(2024, 1, 2, 12, 0, 0, 1, tzinfo=UTC)
    assert hole["first_seen"] == AT + timedelta(days=1)
    one.append(NAME, CoverageFrames.of([trades(1, 10, 24)]), AT + timedelta(days=2))
    assert one.holes(NAME).is_empty()


def test_no_ids_are_lost_within_a_partition_over_a_missing_day_or_where_they_overlap(tmp_path: Path) -> None:
    one = log(tmp_path)
    month = "symbol_key=BTCUSDT/month=2024-01"
    days = [trades(1, 1, 2, partition=month), trades(2, 9, 10, partition=month), trades(4, 20, 30), trades(5, 25, 40)]
    one.append(NAME, CoverageFrames.of(days), AT)
    assert one.holes(NAME).is_empty()


def test_what_a_replaced_object_changed_stays_with_its_partition_once(tmp_path: Path) -> None:
    one = log(tmp_path)
    first = frames(version="v1")
    said = ReconciledDay(place(version="v1"), "2024-01-01", "rest", "rest", 3, 1, 0, 2, "close", "close 1")
    one.append(NAME, first.joined(CoverageFrames.of(reconciled=[said])), AT)
    for number in range(2, 5):
        one.append(NAME, frames(version=f"v{number}"), AT + timedelta(days=number))
    found = one.reconciliations(NAME).sort("version")
    assert found.select("version", "only_other").rows() == [("v1", 2), ("v4", None)]


def test_rows_without_their_days_do_not_count_and_the_repeated_append_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = log(tmp_path)
    one.append(NAME, frames(), AT)
    written: list[str] = []
    true_write = LocalStorage.write

    def write(self: LocalStorage, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        if "/days/" in key:
            raise SourceUnavailable("gone")
        written.append(key)
        return true_write(self, key, data, if_absent=if_absent)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", write)
        with pytest.raises(SourceUnavailable):
            one.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=1))
    assert len(written) == 2, "holes and reconciliations were written before the crash"
    assert (one.holes(NAME).height, one.days(NAME)["version"].item()) == (1, "v1")
    one.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=2))
    assert (one.holes(NAME).height, one.days(NAME)["version"].item()) == (2, "v2")
    assert one.reconciliations(NAME).height == 1


def test_equal_rows_that_came_twice_count_once(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append(NAME, frames(), AT)
    one.append(NAME, frames(), AT)
    assert (one.days(NAME).height, one.holes(NAME).height, one.reconciliations(NAME).height) == (1, 1, 1)


def test_compaction_keeps_what_counts_and_what_readers_may_still_want(tmp_path: Path) -> None:
    one = log(tmp_path)
    for number in range(120):
        one.append(NAME, frames(version=f"v{number}"), AT + timedelta(minutes=number))
    before = one.days(NAME), one.holes(NAME)
    # The newest is not an hour old: superseded rows may still be wanted.
    assert one.compact(NAME, AT + timedelta(minutes=150)) == 360
    assert one._log(NAME, "holes").read().height == 120
    for number in range(120, 240):
        one.append(NAME, frames(version=f"v{number}"), AT + timedelta(minutes=number))
    assert one.compact(NAME, AT + timedelta(days=2)) == 363
    assert one._log(NAME, "days").read().height == one._log(NAME, "holes").read().height == 1
    assert before[0]["version"].item() == "v119"
    assert one.days(NAME)["version"].item() == "v239"
    assert one.holes(NAME)["first_seen"].item() == AT


def test_compaction_keeps_holes_whose_days_are_not_there_yet(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append(NAME, frames(), AT)
    early = frames(holes=1).holes.with_columns(pl.lit(AT + timedelta(days=1)).cast(HOLES_SCHEMA["at"]).alias("at"))
    for _ in range(100):
        one._log(NAME, "holes").append_frame(early)
    assert one.compact(NAME, AT + timedelta(days=9)) == 101
    assert one._log(NAME, "holes").read().height == 101


def test_frames_are_stored_and_read_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "quality").mkdir()
    write_frames(tmp_path / "quality", frames())
    again = read_frames(LocalStorage(tmp_path), "quality")
    assert all(mine.equals(theirs) for mine, theirs in zip(frames().parts, again.parts, strict=True))
    assert again.of_partitions(["other"]).days.is_empty()
    with pytest.raises(ArchiveFileMissing):
        read_frames(LocalStorage(tmp_path), "nowhere")


def test_a_reconciliation_goes_through_json_unchanged() -> None:
    said = ReconciledDay(place(), "2024-01-01", "rest", "rest", 1, 2, 3, 4, "close", "close 0.5")
    assert reconciled_day_from_json(record_json(said)) == said
