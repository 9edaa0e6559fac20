"""Days as they are selected: days without rows in the log, and overdue days."""

from dataclasses import replace
from datetime import UTC, date, datetime

from crypto_lakehouse.coverage.day_table import COVERAGE_SCHEMA, coverage, publication_delay
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import DayCoverage, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.spec import MartInput
from crypto_lakehouse.vocabulary import DayCondition
from tests.crypto_lakehouse.coverage.logged import NAME, NOW, add, query, version_of, whole
from tests.hourly_mart import HOURLY_MART, registered


def conditions(log: CoverageLog, **other: object) -> list[str]:
    days = coverage(log, dataset(NAME), query(**other))
    return [f"{row['day'].month}-{row['day'].day} {row['condition']}" for row in days.iter_rows(named=True)]


def test_a_silent_day_is_missing_when_overdue_and_pending_before(log: CoverageLog) -> None:
    add(log, whole(version_of("2024-01"), date(2024, 1, 31)))
    assert conditions(log) == [
        "1-31 available",
        "2-1 missing",
        "2-2 missing",
        *(f"2-{day} pending" for day in range(3, 10)),
    ]


def test_no_day_comes_before_the_first_covered_one_or_outside_the_days_asked_for(log: CoverageLog) -> None:
    add(log, whole(version_of("2024-01"), date(2024, 1, 30)))
    assert conditions(log, first_day=date(2023, 1, 1), last_day=date(2024, 1, 31)) == ["1-30 available", "1-31 missing"]
    assert conditions(log, first_day=date(2024, 1, 31), last_day=date(2024, 1, 31)) == ["1-31 missing"]
    assert conditions(log, last_day=date(2024, 1, 29)) == []


def test_nothing_is_missing_after_a_dataset_ended(log: CoverageLog) -> None:
    ended = dataset("binance_um_book_ticker")
    partition_version = PartitionVersion(ended.name, "symbol_key=BTCUSDT/date=2024-03-28", "BTCUSDT", "", "v")
    day = DayCoverage(partition_version, date(2024, 3, 28), DayCondition.AVAILABLE, "", 10, None, None, "archive_daily")
    log.append(ended.name, CoverageFrames.of([day]), NOW)
    days = coverage(log, ended, CoverageQuery(datetime(2026, 1, 1, tzinfo=UTC)))
    assert days.select("day", "condition", "missing", "kline_interval").rows() == [
        (date(2024, 3, 28), "available", None, None),
        (date(2024, 3, 29), "missing", None, None),
        (date(2024, 3, 30), "missing", None, None),
    ]


def test_days_of_a_month_that_is_not_out_are_pending_where_only_monthly_files_exist(log: CoverageLog) -> None:
    funding = dataset("binance_um_funding_rate")
    partition_version = PartitionVersion(funding.name, "symbol_key=BTCUSDT/year=2024", "BTCUSDT", "", "v")
    day = DayCoverage(
        partition_version, date(2024, 1, 31), DayCondition.AVAILABLE, "", 3, None, None, "archive_monthly"
    )
    log.append(funding.name, CoverageFrames.of([day]), NOW)
    now = [coverage(log, funding, CoverageQuery(datetime(2024, 3, day, tzinfo=UTC))) for day in (10, 20)]
    assert set(now[0]["condition"][1:]) == {"pending"}
    assert now[1]["condition"].to_list() == ["available", *["missing"] * 29, *["pending"] * 19]


def test_a_symbol_or_interval_that_was_not_asked_for_is_left_out(log: CoverageLog) -> None:
    for symbol in ("BTCUSDT", "BTCUSDC", "ETHUSDT"):
        add(log, whole(version_of("2024-02", symbol), date(2024, 2, 9)))
    days = coverage(log, dataset(NAME), query(symbols=("BTC*", "SOLUSDT"), intervals=("1h",)))
    assert days["symbol"].to_list() == ["BTCUSDC", "BTCUSDT"]
    assert coverage(log, dataset(NAME), query(intervals=("1m",))).is_empty()


def test_a_log_without_rows_gives_an_empty_table_of_the_same_columns(log: CoverageLog) -> None:
    assert coverage(log, dataset(NAME), query()).schema == COVERAGE_SCHEMA


def test_a_mart_waits_for_the_slowest_of_its_inputs() -> None:
    funding = MartInput("binance_um_funding_rate", ("calc_time",))
    with registered(replace(HOURLY_MART, name="test_monthly", inputs=(*HOURLY_MART.inputs, funding))) as monthly:
        above = replace(HOURLY_MART, name="test_above", inputs=(MartInput(monthly.name, ("close",)),))
        assert publication_delay(monthly) == publication_delay(above) == publication_delay(dataset(funding.table))
    assert (
        publication_delay(HOURLY_MART) == publication_delay(dataset(NAME)) < publication_delay(dataset(funding.table))
    )
