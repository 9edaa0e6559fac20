"""The days a listing covers, from daily and monthly files together."""

from datetime import date

import polars as pl

from crypto_lakehouse.archive.listing import LISTED_SCHEMA
from crypto_lakehouse.instruments.days import ArchiveDays, DaySpan, archive_days, gaps
from crypto_lakehouse.lake.partition import next_span_start
from crypto_lakehouse.vocabulary import Frequency, PartitionSpan


def listed(*files: tuple[str, Frequency, date]) -> pl.DataFrame:
    rows = []
    for symbol, frequency, first in files:
        span = PartitionSpan.DAY if frequency is Frequency.DAILY else PartitionSpan.MONTH
        last = date.fromordinal(next_span_start(span, first).toordinal() - 1)
        rows.append({"symbol": symbol, "frequency": frequency.value, "first_day": first, "last_day": last})
    return pl.DataFrame(rows, schema=LISTED_SCHEMA)


def daily(symbol: str, *days: date) -> list[tuple[str, Frequency, date]]:
    return [(symbol, Frequency.DAILY, day) for day in days]


def test_a_listing_of_nothing_has_no_days() -> None:
    assert archive_days(listed()) == []


def test_a_month_with_daily_files_is_covered_on_their_days_only() -> None:
    month = ("A", Frequency.MONTHLY, date(2022, 5, 1))
    days = archive_days(listed(month, *daily("A", date(2022, 5, 12), date(2022, 5, 13))))
    assert days == [ArchiveDays("A", (DaySpan(date(2022, 5, 12), date(2022, 5, 13)),))]


def test_a_month_without_daily_files_is_covered_whole() -> None:
    files = [("A", Frequency.MONTHLY, date(2022, month, 1)) for month in (4, 5)]
    days = archive_days(listed(*files, *daily("A", date(2022, 6, 1))))
    assert days == [ArchiveDays("A", (DaySpan(date(2022, 4, 1), date(2022, 6, 1)),))]


def test_a_few_days_without_a_file_are_a_hole_and_more_are_a_gap() -> None:
    hole = daily("HOLE", date(2024, 6, 9), date(2024, 6, 13))
    gap = daily("GAP", date(2024, 6, 9), date(2024, 6, 14))
    found = {one.symbol: one.spans for one in archive_days(listed(*hole, *gap))}
    assert len(found["HOLE"]) == 1
    assert gaps(found["GAP"]) == (DaySpan(date(2024, 6, 10), date(2024, 6, 13)),)


def test_symbols_do_not_run_into_each_other() -> None:
    days = archive_days(listed(*daily("B", date(2024, 1, 1)), *daily("A", date(2020, 1, 1))))
    assert [(one.symbol, len(one.spans)) for one in days] == [("A", 1), ("B", 1)]
