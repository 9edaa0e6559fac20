"""The coverage log: what counts, whatever was appended before, beside, or halfway."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

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
)
from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject, SourceUnavailable
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import SEQUENCE
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

NAME = "binance_um_klines"
AT = datetime(2025, 1, 1, tzinfo=UTC)
START = datetime(2024, 1, 1, 5, tzinfo=UTC)


def version_of(month: str = "2024-01", version: str = "v1") -> PartitionVersion:
    return PartitionVersion(NAME, f"kline_interval=1h/symbol_key=BTCUSDT/period={month}", "BTCUSDT", "1h", version)


def frames(month: str = "2024-01", version: str = "v1", holes: int = 1, rows: int = 24) -> CoverageFrames:
    partition = version_of(month, version)
    day = DayCoverage(partition, date(2024, 1, 1), DayCondition.AVAILABLE, "", rows, 24, 0, "archive_daily")
    lost = [
        Hole(
            partition,
            START + timedelta(days=n),
            START + timedelta(days=n, hours=1),
            1,
            HoleKind.GRID,
            "",
            "rest",
        )
        for n in range(holes)
    ]
    reconciled = ReconciledDay(partition, date(2024, 1, 1), "archive_daily", "rest", rows, 0, None, None, "", "")
    return CoverageFrames.of([day], lost, [reconciled])


def test_an_empty_log_has_empty_tables_of_its_columns(log: CoverageLog, tmp_path: Path) -> None:
    assert (log.days(NAME).schema, log.holes(NAME).schema) == (DAYS_SCHEMA, HOLES_SCHEMA)
    assert log.reconciliations(NAME).schema == RECONCILIATIONS_SCHEMA
    log.append(NAME, CoverageFrames.of(), AT)
    assert list(tmp_path.rglob("*.commit")) == []


def test_the_newest_rows_of_a_partition_count_and_those_of_others_stay(log: CoverageLog) -> None:
    log.append(NAME, frames(holes=2), AT)
    log.append(NAME, frames("2024-02"), AT)
    log.append(NAME, frames(version="v2", holes=0, rows=23), AT + timedelta(days=1))
    assert sorted(log.days(NAME).select("version", "rows").rows()) == [("v1", 24), ("v2", 23)]
    assert log.holes(NAME)["partition"].unique().to_list() == [version_of("2024-02").partition]
    assert sorted(log.reconciliations(NAME)["equal"]) == [23, 24]


def test_a_hole_keeps_when_it_was_first_seen(log: CoverageLog) -> None:
    log.append(NAME, frames(), AT)
    log.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=1))
    rows = log.holes(NAME).sort("start")
    assert rows["first_seen"].to_list() == [AT, AT + timedelta(days=1)]
    assert rows["at"].to_list() == [AT + timedelta(days=1)] * 2


def trades(day: int, first: int, last: int, sources: str = "archive_daily", partition: str = "") -> DayCoverage:
    version = PartitionVersion(NAME, partition or f"symbol_key=BTCUSDT/date=2024-01-{day:02}", "BTCUSDT", "", f"v{day}")
    noon = datetime(2024, 1, day, 12, tzinfo=UTC)
    ends = (first, noon, last, noon + timedelta(hours=11))
    return DayCoverage(version, noon.date(), DayCondition.AVAILABLE, "", 9, None, 0, sources, *ends)


def test_ids_lost_between_two_partitions_are_a_hole_until_either_is_mended(log: CoverageLog) -> None:
    log.append(NAME, CoverageFrames.of([trades(1, 10, 19, "archive_daily, rest")]), AT)
    log.append(NAME, CoverageFrames.of([trades(2, 25, 29, "rest, stream")]), AT + timedelta(days=1))
    (hole,) = log.holes(NAME).to_dicts()
    assert (hole["kind"], hole["missing"], hole["known"], hole["sources"]) == ("ids", 5, "", "rest")
    assert hole["start"] == datetime(2024, 1, 1, 23, tzinfo=UTC)
    assert hole["end"] == datetime(2024, 1, 2, 12, 0, 0, 1, tzinfo=UTC)
    assert hole["first_seen"] == AT + timedelta(days=1)
    log.append(NAME, CoverageFrames.of([trades(1, 10, 24)]), AT + timedelta(days=2))
    assert log.holes(NAME).is_empty()


def test_no_ids_are_lost_within_a_partition_over_a_missing_day_or_where_they_overlap(log: CoverageLog) -> None:
    month = "symbol_key=BTCUSDT/month=2024-01"
    days = [trades(1, 1, 2, partition=month), trades(2, 9, 10, partition=month), trades(4, 20, 30), trades(5, 25, 40)]
    log.append(NAME, CoverageFrames.of(days), AT)
    assert log.holes(NAME).is_empty()


def test_what_a_replaced_object_changed_stays_with_its_partition_once(log: CoverageLog) -> None:
    first = frames(version="v1")
    reconciled = ReconciledDay(
        version_of(version="v1"), date(2024, 1, 1), "rest", "rest", 3, 1, 0, 2, "close", "close 1"
    )
    log.append(NAME, first.joined(CoverageFrames.of(reconciled=[reconciled])), AT)
    for number in range(2, 5):
        log.append(NAME, frames(version=f"v{number}"), AT + timedelta(days=number))
    rows = log.reconciliations(NAME).sort("version")
    assert rows.select("version", "only_other").rows() == [("v1", 2), ("v4", None)]


def test_the_three_kinds_are_one_commit(log: CoverageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(NAME, frames(), AT)
    written: list[str] = []

    def write(_self: LocalStorage, key: str, _data: bytes, *, if_absent: bool = False) -> bool:
        assert if_absent
        written.append(key)
        raise SourceUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", write)
        with pytest.raises(SourceUnavailable):
            log.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=1))
    assert len(written) == 1
    assert (log.holes(NAME).height, log.days(NAME)["version"].item()) == (1, "v1")
    log.append(NAME, frames(version="v2", holes=2), AT + timedelta(days=2))
    assert (log.holes(NAME).height, log.days(NAME)["version"].item()) == (2, "v2")
    assert log.reconciliations(NAME).height == 1


def test_equal_rows_that_came_twice_count_once(log: CoverageLog) -> None:
    log.append(NAME, frames(), AT)
    log.append(NAME, frames(), AT)
    assert (log.days(NAME).height, log.holes(NAME).height, log.reconciliations(NAME).height) == (1, 1, 1)


def test_the_last_rows_of_a_partition_count_whatever_the_clocks_said(log: CoverageLog) -> None:
    log.append(NAME, frames(version="v1", holes=2), AT + timedelta(days=3650))
    log.append(NAME, frames(version="v2", holes=1), AT)
    assert log.days(NAME)["version"].item() == "v2"
    assert (log.holes(NAME).height, log.reconciliations(NAME)["version"].to_list()) == (1, ["v2"])


def test_a_partition_that_another_run_has_written_of_since_is_left_out(log: CoverageLog) -> None:
    mark = log.head(NAME)
    log.append(NAME, frames(version="newer"), AT)
    stopped = frames(version="older").joined(frames("2024-02", version="older"))
    assert log.append(NAME, stopped, AT, mark) == {version_of().partition}
    assert sorted(log.days(NAME).select("partition", "version").rows()) == [
        (version_of().partition, "newer"),
        (version_of("2024-02").partition, "older"),
    ]
    assert set(log.holes(NAME)["version"]) == {"newer", "older"}


def test_compaction_keeps_what_counts(log: CoverageLog) -> None:
    for number in range(2):
        log.append(NAME, frames(version=f"v{number}"), AT + timedelta(minutes=number))
    # More commits like the second one; `CoverageLog.append` would read all earlier ones each time.
    rows = log._log(NAME).read()
    for _ in range(97):
        log._log(NAME).append_frame(rows.filter(rows[SEQUENCE] == 2).drop(SEQUENCE))
    log.append(NAME, frames(version="v99"), AT + timedelta(minutes=99))
    before = log.days(NAME), log.holes(NAME), log.reconciliations(NAME)
    assert log.compact(NAME) == 100
    assert log._log(NAME).read().height == 3
    after = log.days(NAME), log.holes(NAME), log.reconciliations(NAME)
    assert all(old.equals(new) for old, new in zip(before, after, strict=True))
    assert log.days(NAME)["version"].item() == "v99"
    assert log.holes(NAME)["first_seen"].item() == AT
    assert log.compact(NAME) == 0


def test_damage_is_an_error_for_readers_and_a_warning_for_steps(log: CoverageLog, tmp_path: Path) -> None:
    log.append(NAME, frames(version="v1"), AT)
    log.append(NAME, frames(version="v2"), AT)
    path = tmp_path / "coverage" / NAME / "000000000002.commit"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptObject, match=f"{NAME}: coverage/{NAME}/000000000002.commit is damaged\n.*--repair"):
        log.days(NAME)
    assert CoverageLog(LocalStorage(tmp_path), skip_damage=True).days(NAME)["version"].item() == "v1"
    assert log.compact(NAME) == 0


def test_frames_are_stored_and_read_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "quality").mkdir()
    write_frames(tmp_path / "quality", frames())
    again = read_frames(LocalStorage(tmp_path), "quality")
    assert all(mine.equals(theirs) for mine, theirs in zip(frames().parts, again.parts, strict=True))
    assert again.of_partitions(["other"]).days.is_empty()
    with pytest.raises(ArchiveFileMissing):
        read_frames(LocalStorage(tmp_path), "nowhere")
