"""When series begin and end, by the days of the archive's two trees."""

from datetime import date

import pytest

from crypto_lakehouse.archive.lifetimes import listed_lifetimes
from crypto_lakehouse.archive.listing import Folder, FolderDays
from crypto_lakehouse.coverage.lifetime import Lifetime
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import microseconds, midnight
from crypto_lakehouse.vocabulary import Frequency

TODAY = date(2025, 6, 1)
DAILY, MONTHLY = Frequency.DAILY, Frequency.MONTHLY


def days(frequency: Frequency, first: date | None, last: date) -> FolderDays:
    return FolderDays(Folder(dataset("binance_um_agg_trades"), frequency, "BTCUSDT", None), first, last)


def at(day: date) -> int:
    return microseconds(midnight(day))


def lifetime(*folders: FolderDays, today: date = TODAY) -> Lifetime:
    return listed_lifetimes(folders, today).get(("BTCUSDT", ""), Lifetime())


def test_a_series_starts_on_the_day_of_its_first_daily_file() -> None:
    month = days(MONTHLY, date(2024, 12, 1), date(2025, 5, 31))
    listed = lifetime(days(DAILY, date(2024, 12, 12), date(2025, 5, 31)), month)
    assert listed.starts == (at(date(2024, 12, 12)), at(date(2024, 12, 13)))


def test_where_daily_files_began_later_it_starts_within_its_first_month() -> None:
    month = days(MONTHLY, date(2024, 12, 1), date(2025, 5, 31))
    expected = (at(date(2024, 12, 1)), at(date(2025, 1, 1)))
    assert lifetime(days(DAILY, date(2025, 2, 1), date(2025, 5, 31)), month).starts == expected
    assert lifetime(month).starts == expected


def test_objects_of_earlier_days_are_no_start() -> None:
    assert lifetime(days(DAILY, None, date(2025, 5, 31)), days(MONTHLY, date(2024, 12, 1), TODAY)).starts is None


def test_a_series_ends_where_both_trees_agree_that_it_does() -> None:
    month = days(MONTHLY, None, date(2024, 12, 31))
    end = at(date(2024, 12, 28))
    assert lifetime(days(DAILY, None, date(2024, 12, 27)), month).ends == (end, end)


@pytest.mark.parametrize(
    ("folders", "today"),
    [
        ([days(DAILY, None, date(2024, 12, 27))], TODAY),
        ([days(MONTHLY, None, date(2024, 12, 31))], TODAY),
        ([days(DAILY, None, date(2024, 12, 27)), days(MONTHLY, None, date(2025, 2, 28))], TODAY),
        ([days(DAILY, None, date(2024, 12, 27)), days(MONTHLY, None, date(2024, 12, 31))], date(2025, 1, 10)),
    ],
)
def test_one_tree_or_a_late_file_shows_no_end(folders: list[FolderDays], today: date) -> None:
    assert lifetime(*folders, today=today).ends is None
