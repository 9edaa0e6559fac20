"""Days and gaps as they are asked for: silent days, overdue days, and stretches that touch."""

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from crypto_lakehouse.coverage.known_holes import KNOWN_HOLES, KnownHole
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.records import DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.coverage.tables import COVERAGE_SCHEMA, GAPS_SCHEMA, CoverageQuery, coverage, find_gaps
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.local_storage import LocalStorage
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import DayCondition, HoleKind
from tests.small_lake import small_lake

NAME = "binance_um_klines"
NOW = datetime(2024, 2, 10, 12, tzinfo=UTC)
A, P, M = DayCondition.AVAILABLE, DayCondition.PENDING, DayCondition.MISSING


def utc(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def place(month: str, symbol: str = "BTCUSDT", version: str = "v") -> PartitionVersion:
    return PartitionVersion(NAME, f"kline_interval=1h/symbol_key={symbol}/period={month}", symbol, "1h", version)


def whole(where: PartitionVersion, first: date, count: int = 1, condition: DayCondition = A) -> list[DayCoverage]:
    missing = 24 if condition is M else 0
    return [
        DayCoverage(where, first + timedelta(days=n), condition, "why", 24 - missing, 24, missing, "archive_daily")
        for n in range(count)
    ]


@pytest.fixture
def log(tmp_path: Path) -> CoverageLog:
    """An empty log."""
    return CoverageLog(LocalStorage(tmp_path))


def add(log: CoverageLog, days: list[DayCoverage], holes: list[Hole] | None = None, at: datetime = NOW) -> None:
    log.append(NAME, CoverageFrames.of(days, holes or []), at)


def asked(**other: object) -> CoverageQuery:
    return CoverageQuery(NOW, **other)  # type: ignore[arg-type]


def conditions(log: CoverageLog, **other: object) -> list[str]:
    found = coverage(log, dataset(NAME), asked(**other))
    return [f"{row['day'].month}-{row['day'].day} {row['condition']}" for row in found.iter_rows(named=True)]


def test_a_silent_day_is_missing_when_overdue_and_pending_before(log: CoverageLog) -> None:
    add(log, whole(place("2024-01"), date(2024, 1, 31)))
    assert conditions(log) == [
        "1-31 available",
        "2-1 missing",
        "2-2 missing",
        *(f"2-{day} pending" for day in range(3, 10)),
    ]


def test_no_day_comes_before_the_first_covered_one_or_outside_the_days_asked_for(log: CoverageLog) -> None:
    add(log, whole(place("2024-01"), date(2024, 1, 30)))
    assert conditions(log, first_day=date(2023, 1, 1), last_day=date(2024, 1, 31)) == ["1-30 available", "1-31 missing"]
    assert conditions(log, first_day=date(2024, 1, 31), last_day=date(2024, 1, 31)) == ["1-31 missing"]
    assert conditions(log, last_day=date(2024, 1, 29)) == []


def test_days_between_two_partitions_are_missing_whatever_their_partitions_know(log: CoverageLog) -> None:
    add(log, [*whole(place("2024-01"), date(2024, 1, 30)), *whole(place("2024-02"), date(2024, 2, 9))])
    found = coverage(log, dataset(NAME), asked())
    assert found["condition"].to_list() == ["available", *["missing"] * 3, *["pending"] * 6, "available"]
    assert found["reason"][1] == "no object covers it, and there are days before and after it"
    gaps = find_gaps(log, dataset(NAME), asked())
    assert gaps.select("start", "end", "missing", "kind", "since").rows() == [
        (utc(date(2024, 1, 31)), utc(date(2024, 2, 3)), 72, "days", utc(date(2024, 2, 8)))
    ]


def test_nothing_is_missing_after_a_dataset_ended(log: CoverageLog) -> None:
    ended = dataset("binance_um_book_ticker")
    where = PartitionVersion(ended.name, "symbol_key=BTCUSDT/date=2024-03-28", "BTCUSDT", "", "v")
    day = DayCoverage(where, date(2024, 3, 28), A, "", 10, None, None, "archive_daily")
    log.append(ended.name, CoverageFrames.of([day]), NOW)
    found = coverage(log, ended, CoverageQuery(datetime(2026, 1, 1, tzinfo=UTC)))
    assert found.select("day", "condition", "missing", "kline_interval").rows() == [
        (date(2024, 3, 28), "available", None, None),
        (date(2024, 3, 29), "missing", None, None),
        (date(2024, 3, 30), "missing", None, None),
    ]


def test_days_of_a_month_that_is_not_out_are_pending_where_only_monthly_files_exist(log: CoverageLog) -> None:
    funding = dataset("binance_um_funding_rate")
    where = PartitionVersion(funding.name, "symbol_key=BTCUSDT/year=2024", "BTCUSDT", "", "v")
    day = DayCoverage(where, date(2024, 1, 31), A, "", 3, None, None, "archive_monthly")
    log.append(funding.name, CoverageFrames.of([day]), NOW)
    now = [coverage(log, funding, CoverageQuery(datetime(2024, 3, day, tzinfo=UTC))) for day in (10, 20)]
    assert set(now[0]["condition"][1:]) == {"pending"}
    assert now[1]["condition"].to_list() == ["available", *["missing"] * 29, *["pending"] * 19]


def test_a_day_that_was_pending_is_degraded_once_the_rest_is_overdue(log: CoverageLog) -> None:
    where, last = place("2024-01"), date(2024, 1, 31)
    pending = DayCoverage(where, last, P, "until 10:00 UTC", 10, 10, 0, "rest")
    rest = Hole(where, utc(last, 10), utc(date(2024, 2, 1)), 14, HoleKind.DAYS, "", "")
    add(log, [pending], [rest])
    early = CoverageQuery(datetime(2024, 2, 1, tzinfo=UTC))
    assert coverage(log, dataset(NAME), early).select("condition", "expected", "missing").rows() == [("pending", 10, 0)]
    assert find_gaps(log, dataset(NAME), early).is_empty()
    late = coverage(log, dataset(NAME), asked(last_day=last))
    assert late.select("condition", "expected", "missing").rows() == [("degraded", 24, 14)]
    assert late["reason"].item() == "until 10:00 UTC, and the rest never came"
    gaps = find_gaps(log, dataset(NAME), asked(last_day=date(2024, 2, 2)))
    assert gaps.select("start", "end", "missing").rows() == [(utc(last, 10), utc(date(2024, 2, 3)), 14 + 48)]


def test_stretches_that_touch_are_one_gap_and_what_is_known_stays_apart(log: CoverageLog) -> None:
    january, february = place("2024-01"), place("2024-02")
    first, second = date(2024, 1, 31), date(2024, 2, 1)
    add(
        log,
        [*whole(january, first), *whole(february, second, 9)],
        [
            Hole(january, utc(first, 22), utc(second), 2, HoleKind.GRID, "", "archive_daily"),
            Hole(february, utc(second), utc(second, 3), 3, HoleKind.GRID, "", "archive_monthly, rest"),
            Hole(february, utc(second, 3), utc(second, 4), 1, HoleKind.GRID, "halted", "rest"),
            Hole(february, utc(second, 2), utc(second, 5), 7, HoleKind.IDS, "", "rest"),
        ],
    )
    gaps = find_gaps(log, dataset(NAME), asked())
    assert gaps.schema == GAPS_SCHEMA
    assert gaps.select("start", "duration", "missing", "kind", "known", "sources").rows() == [
        (utc(first, 22), timedelta(hours=5), 5, "grid", "", "archive_daily, archive_monthly, rest"),
        (utc(second, 2), timedelta(hours=3), 7, "ids", "", "rest"),
        (utc(second, 3), timedelta(hours=1), 1, "grid", "halted", "rest"),
    ]


def test_a_missing_day_beside_a_hole_is_one_gap_with_it(log: CoverageLog) -> None:
    first = date(2024, 2, 1)
    hole = Hole(place("2024-02"), utc(first, 22), utc(date(2024, 2, 2)), 2, HoleKind.GRID, "", "archive_daily")
    add(log, whole(place("2024-02"), first), [hole], at=utc(date(2024, 2, 2)))
    [gap] = find_gaps(log, dataset(NAME), asked()).to_dicts()
    assert (gap["kind"], gap["missing"], gap["duration"]) == ("days, grid", 26, timedelta(hours=26))
    assert gap["since"] == utc(date(2024, 2, 2))


def test_a_refused_partition_is_a_gap_with_its_reason_since_it_was_refused(log: CoverageLog) -> None:
    add(log, whole(place("2024-01", version=""), date(2024, 1, 30), 2, M), at=utc(date(2024, 2, 2)))
    [gap] = find_gaps(log, dataset(NAME), asked(last_day=date(2024, 1, 31))).to_dicts()
    assert (gap["missing"], gap["reason"], gap["since"]) == (48, "why", utc(date(2024, 2, 2)))


def test_a_symbol_or_interval_that_was_not_asked_for_is_left_out(log: CoverageLog) -> None:
    for symbol in ("BTCUSDT", "BTCUSDC", "ETHUSDT"):
        add(log, whole(place("2024-02", symbol), date(2024, 2, 9)))
    found = coverage(log, dataset(NAME), asked(symbols=("BTC*", "SOLUSDT"), intervals=("1h",)))
    assert found["symbol"].to_list() == ["BTCUSDC", "BTCUSDT"]
    assert coverage(log, dataset(NAME), asked(intervals=("1m",))).is_empty()


def test_nothing_known_is_an_empty_table_of_the_same_columns(log: CoverageLog) -> None:
    assert coverage(log, dataset(NAME), asked()).schema == COVERAGE_SCHEMA
    assert find_gaps(log, dataset(NAME), asked()).schema == GAPS_SCHEMA


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": "../../etc"},
        {"intervals": "7m"},
        {"days": ("yesterday", None)},
        {"days": (date(2024, 1, 2), date(2024, 1, 1))},
    ],
)
def test_the_sdk_refuses_what_cannot_be_meant(tmp_path: Path, wrong: dict[str, object]) -> None:
    lake = Lake(Settings(lake=str(tmp_path)))
    for question in (lake.coverage, lake.gaps, lake.reconciliation):
        with pytest.raises(InvalidRequest):
            question(NAME, **wrong)  # type: ignore[arg-type]


def test_days_that_nobody_has_are_told_apart_from_those_beside_them(tmp_path: Path) -> None:
    with small_lake(tmp_path) as small:
        small.publish("binance_um_metrics", "2024-06-09")
        small.publish("binance_um_metrics", "2024-06-14")
        small.run("binance_um_metrics", "2024-06-09", "2024-06-14")
        found = small.lake.gaps("binance_um_metrics", days=("2024-06-09", "2024-06-14"))
    said = [(f"{one['start']:%d}", f"{one['end']:%d}", one["missing"], bool(one["known"])) for one in found.to_dicts()]
    assert said == [("10", "11", 288, False), ("11", "13", 576, True), ("13", "14", 288, False)]
    assert found["known"][1].endswith("/issues/336")


@pytest.mark.parametrize("hole", KNOWN_HOLES, ids=lambda one: f"{one.datasets[0]} {one.start:%Y-%m-%d}")
def test_every_known_hole_is_of_datasets_there_are_and_has_its_evidence(hole: KnownHole) -> None:
    assert hole.start < hole.end
    assert ": " in hole.reason or "listings" in hole.reason
    for pattern in hole.datasets:
        assert any(fnmatchcase(row.name, pattern) for row in DATASETS), pattern
