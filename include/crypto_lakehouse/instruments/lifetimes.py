"""When series began and ended, by all that is known: listings, the log of lifetimes, instruments and their names."""

from collections.abc import Iterable
from datetime import date

import polars as pl

from crypto_lakehouse.archive.lifetimes import listed_lifetimes
from crypto_lakehouse.archive.listing import FolderDays
from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME, Lifetime, bounds_of_days
from crypto_lakehouse.coverage.lifetimes import LifetimeLog, Series
from crypto_lakehouse.instants import HOUR_US
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.instruments.naming import parse_symbol
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Exchange

DELIVERY_HOUR = 8
"""Delivery contracts end at 08:00 UTC of the day in their name."""


def known_lifetimes(
    storage: Storage, dataset: Dataset, folders: Iterable[FolderDays], today: date
) -> dict[Series, Lifetime]:
    """Returns what is known of the start and the end of series, by symbol and interval.

    The name of a delivery contract and the instrument master know the end better than the listing. The listing knows
    the start better: types of data began at different times.

    Args:
        storage: The lake.
        dataset: The dataset.
        folders: The days of the listed folders.
        today: The day, UTC.
    """
    days_of = list(folders)
    former, listed = LifetimeLog(storage, dataset.name).read(), listed_lifetimes(days_of, today)
    seen = {(days.folder.symbol, str(days.folder.interval or "")) for days in days_of}
    series = seen | former.keys()
    traded = _instrument_lifetimes(storage, dataset, {symbol for symbol, _ in series})
    lifetimes = {}
    for key in series:
        before, now = former.get(key, UNKNOWN_LIFETIME), listed.get(key, UNKNOWN_LIFETIME)
        instrument = traded.get(key[0], UNKNOWN_LIFETIME)
        # A listing of later days does not show the start again. The end that it shows replaces what was there before.
        ends = now.ends if key in seen else before.ends
        lifetimes[key] = Lifetime(now.starts or before.starts or instrument.starts, instrument.ends or ends)
    return lifetimes


def _instrument_lifetimes(storage: Storage, dataset: Dataset, symbols: Iterable[str]) -> dict[str, Lifetime]:
    """Returns the lifetimes of symbols by the instrument master, and by the names of delivery contracts."""
    lifetimes: dict[str, Lifetime] = {}
    if dataset.exchange is Exchange.BINANCE:
        master = InstrumentLog(storage).latest(dataset.market)
        spans = master.group_by("symbol").agg(
            pl.col("valid_from").min(), pl.when(pl.col("valid_to").null_count() == 0).then(pl.col("valid_to").max())
        )
        for symbol, first, last in spans.iter_rows():
            lifetimes[symbol] = Lifetime(*(bounds_of_days(day, day) if day else None for day in (first, last)))
    for symbol in symbols:
        day = parse_symbol(dataset.market, symbol).delivery_day
        if day is not None:
            start = lifetimes.get(symbol, UNKNOWN_LIFETIME).starts
            midnight_us, end = bounds_of_days(day, day)
            lifetimes[symbol] = Lifetime(start, (midnight_us + DELIVERY_HOUR * HOUR_US, end))
    return lifetimes
