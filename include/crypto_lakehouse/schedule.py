"""Which UTC days a scheduled run works on. Pure: the data interval decides, never the clock."""

from datetime import date, datetime, timedelta

from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import Frequency

DAILY_CRON = "0 9 * * *"
"""Futures files of a day are there by about 08:40 UTC of the next; late ones are caught by the lookback."""

MONTHLY_CRON = "0 9 2 * *"
"""Monthly files of the types that have no daily ones appear on the first of the next month."""

FREQUENT_CRON = "0 3,9,15,21 * * *"
"""Where an exchange answers for so short a time that a day would be lost: twice within 12 hours."""

GAPS_CRON = "0 13 * * *"
"""After the day's runs, and early enough that what the exchange keeps for 48 hours is still there."""

INSTRUMENTS_CRON = "30 5 * * 1"
"""Mondays: a listing of all symbols of a market is thousands of requests, and instruments change slowly."""

MAINTENANCE_CRON = "0 1 * * 0"
"""Sundays: a scrub reads much, and nothing waits for it."""

LOOKBACK_DAYS = 7
LOOKBACK_MONTHS_DAYS = 62


def is_monthly(table: Table) -> bool:
    """Returns whether a table is a dataset of which the archive has only monthly files, so that it is run monthly."""
    return isinstance(table, Dataset) and table.frequencies == (Frequency.MONTHLY,)


def is_frequent(dataset: Dataset) -> bool:
    """Returns whether a dataset has to be asked for more than once a day, because its exchange forgets so soon."""
    reach = dataset.rest.reach_rows if dataset.rest else None
    shortest = min((interval.microseconds or 0 for interval in dataset.intervals), default=0)
    return reach is not None and timedelta(microseconds=shortest * reach) < timedelta(days=2)


def cron(dataset: Dataset) -> str:
    """Returns when a dataset's runs start, UTC.

    >>> from crypto_lakehouse.datasets import dataset
    >>> cron(dataset("coinbase_spot_klines")), cron(dataset("kraken_spot_klines"))
    ('0 9 * * *', '0 3,9,15,21 * * *')
    """
    if is_frequent(dataset):
        return FREQUENT_CRON
    return MONTHLY_CRON if is_monthly(dataset) else DAILY_CRON


def covered_days(dataset: Dataset, start: datetime, end: datetime) -> tuple[date, date]:
    """Returns the days, or for monthly datasets the months, that ended within a data interval; both inclusive.

    Consecutive intervals give consecutive days: none is left out, and none comes twice but where runs start more often
    than once a day.

    >>> from crypto_lakehouse.datasets import dataset
    >>> nine = datetime(2025, 1, 1, 9)
    >>> [str(day) for day in covered_days(dataset("binance_um_klines"), nine, nine + timedelta(days=1))]
    ['2025-01-01', '2025-01-01']
    """
    if is_monthly(dataset):
        return start.date().replace(day=1), end.date().replace(day=1) - timedelta(days=1)
    return start.date(), max(start.date(), end.date() - timedelta(days=1))


def with_lookback(dataset: Dataset, first_day: date) -> date:
    """Returns an earlier first day, so that a scheduled run also sees files that came late or were replaced."""
    return first_day - timedelta(days=LOOKBACK_MONTHS_DAYS if is_monthly(dataset) else LOOKBACK_DAYS)
