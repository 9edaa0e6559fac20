"""When series begin and end in the archive, by the days that its listing shows.

The first object of a folder is where a series begins: nothing is listed before it. It ends where both trees agree: the
last daily file is in the month of the last monthly file, which also covers later days. One tree alone shows no end: its
files may be late, or lost.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from crypto_lakehouse.archive.listing import FolderDays
from crypto_lakehouse.coverage.lifetime import Bounds, Lifetime, bounds_of_days
from crypto_lakehouse.vocabulary import Frequency

OVER_AFTER = timedelta(days=15)
"""Files may be late by so much; only then the last one is believed to be the last."""


def listed_lifetimes(folders: Iterable[FolderDays], today: date) -> dict[tuple[str, str], Lifetime]:
    """Returns the lifetimes of series, by symbol and interval; series without any evidence are left out."""
    series: dict[tuple[str, str], dict[Frequency, FolderDays]] = defaultdict(dict)
    for days in folders:
        series[days.folder.symbol, str(days.folder.interval or "")][days.folder.frequency] = days
    lifetimes = {key: Lifetime(_starts(folders_of), _ends(folders_of, today)) for key, folders_of in series.items()}
    return {key: lifetime for key, lifetime in lifetimes.items() if lifetime != Lifetime()}


def _starts(folders_of: dict[Frequency, FolderDays]) -> Bounds | None:
    firsts = {frequency: days.first_day for frequency, days in folders_of.items()}
    if None in firsts.values():
        return None
    daily, monthly = firsts.get(Frequency.DAILY), firsts.get(Frequency.MONTHLY)
    if daily is not None and (monthly is None or daily.replace(day=1) <= monthly):
        return bounds_of_days(daily, daily)
    return bounds_of_days(monthly, _last_of_month(monthly)) if monthly else None


def _ends(folders_of: dict[Frequency, FolderDays], today: date) -> Bounds | None:
    daily, monthly = folders_of.get(Frequency.DAILY), folders_of.get(Frequency.MONTHLY)
    if daily is None or monthly is None or today <= monthly.last_day + OVER_AFTER:
        return None
    if not daily.last_day < monthly.last_day <= _last_of_month(daily.last_day):
        return None
    end = bounds_of_days(daily.last_day, daily.last_day)[1]
    return end, end


def _last_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
