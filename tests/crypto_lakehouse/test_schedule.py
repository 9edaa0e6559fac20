"""Runs of consecutive data intervals cover every day once, and no clock is asked."""

from datetime import UTC, date, datetime, timedelta

import pytest

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.schedule import (
    DAILY_CRON,
    FREQUENT_CRON,
    LOOKBACK_DAYS,
    LOOKBACK_MONTHS_DAYS,
    MONTHLY_CRON,
    covered_days,
    cron,
    is_frequent,
    is_monthly,
    with_lookback,
)

DAILY, MONTHLY, FREQUENT = "binance_um_metrics", "binance_um_funding_rate", "kraken_spot_klines"


def test_each_schedule_has_datasets_and_no_dataset_has_two() -> None:
    assert {cron(row) for row in DATASETS} == {DAILY_CRON, MONTHLY_CRON, FREQUENT_CRON}
    assert not [row.name for row in DATASETS if is_monthly(row) and is_frequent(row)]


@pytest.mark.parametrize(
    ("name", "expected"), [(DAILY, DAILY_CRON), (MONTHLY, MONTHLY_CRON), (FREQUENT, FREQUENT_CRON)]
)
def test_a_dataset_runs_as_often_as_its_sources_ask_for(name: str, expected: str) -> None:
    assert cron(dataset(name)) == expected


def test_consecutive_daily_intervals_cover_each_day_once() -> None:
    starts = [datetime(2024, 2, 27, 9, tzinfo=UTC) + timedelta(days=number) for number in range(5)]
    covered = [covered_days(dataset(DAILY), start, start + timedelta(days=1)) for start in starts]
    assert covered == [(start.date(), start.date()) for start in starts]


def test_consecutive_monthly_intervals_cover_each_month_once_in_a_leap_year_too() -> None:
    starts = [datetime(2024, month, 2, 9, tzinfo=UTC) for month in (1, 2, 3)]
    covered = [
        covered_days(dataset(MONTHLY), start, end)
        for start, end in zip(starts, [*starts[1:], datetime(2024, 4, 2, 9, tzinfo=UTC)], strict=True)
    ]
    assert covered == [
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 29)),
        (date(2024, 3, 1), date(2024, 3, 31)),
    ]


def test_an_interval_of_some_hours_covers_its_own_day() -> None:
    start = datetime(2025, 1, 1, 15, tzinfo=UTC)
    assert covered_days(dataset(FREQUENT), start, start + timedelta(hours=6)) == (date(2025, 1, 1), date(2025, 1, 1))


def test_a_scheduled_run_looks_back_further_where_files_come_once_a_month() -> None:
    first = date(2025, 3, 10)
    assert with_lookback(dataset(DAILY), first) == first - timedelta(days=LOOKBACK_DAYS)
    assert with_lookback(dataset(MONTHLY), first) == first - timedelta(days=LOOKBACK_MONTHS_DAYS)
