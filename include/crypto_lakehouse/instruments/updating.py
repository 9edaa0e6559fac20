"""Updates the instrument master: lists the bucket, reads exchange info, and appends a version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.archive.listing import Folder, list_folders, matching_symbols
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ListingSuspect
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.instruments.days import ArchiveDays, archive_days
from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody
from crypto_lakehouse.instruments.instrument import instrument_frame
from crypto_lakehouse.instruments.log import ExchangeInfoLog, InstrumentLog
from crypto_lakehouse.instruments.master import build_instruments
from crypto_lakehouse.lake.selection import EARLIEST
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval, Market

SOURCES = MappingProxyType(
    {
        Market.SPOT: ("binance_spot_klines",),
        Market.UM: ("binance_um_klines",),
        # Pairs have an index price and no klines of their own.
        Market.CM: ("binance_cm_klines", "binance_cm_index_price_klines"),
        Market.OPTION: ("binance_option_bvol_index", "binance_option_eoh_summary"),
    }
)
"""The datasets whose folders contain the symbols of a market and their days."""

_INTERVALS = (Interval.D1, Interval.H1, Interval.M1)
"""The intervals in which the days of a symbol are looked up. A copy of the archive may have only some."""
_SYMBOLS_AT_ONCE = 200
"""Limits memory: a listing of all symbols at once has millions of keys."""


@dataclass(frozen=True, slots=True)
class UpdateCounts:
    """The result of an update.

    Args:
        symbols: Symbols with days in the archive.
        instruments: Instruments of the new version.
        added: Instruments that are only in the new version.
        removed: Instruments that are only in the previous version.
        changed: Instruments that differ between both versions.
        exchange_info_rows: Recorded changes of exchange info.
        is_new_version: Whether a version was appended.
    """

    symbols: int
    instruments: int
    added: int
    removed: int
    changed: int
    exchange_info_rows: int
    is_new_version: bool


def update_instruments(
    market: Market,
    settings: Settings,
    *,
    storage: Storage,
    bodies: Sequence[ExchangeInfoBody] = (),
    progress: Progress = no_progress,
) -> UpdateCounts:
    """Updates the master of a market, and returns the changes.

    Args:
        market: The market.
        settings: The bucket, and the profile of its listing.
        storage: The lake.
        bodies: exchangeInfo responses since the last update; optional.
        progress: Gets the progress of the listing.

    Raises:
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: The listing is inconsistent or empty, or lacks symbols that it had before.
        SchemaDrift: A body does not have the format of the exchange.
    """
    log, info_log = InstrumentLog(storage), ExchangeInfoLog(storage)
    before = log.latest(market)
    days = _list_days(market, settings, progress)
    _check_shrinkage(market, settings, before, days)
    rows = info_log.record(market, bodies)
    instruments = build_instruments(market, days, info_log.history(market))
    is_new = log.append(market, instruments, utc_now())
    log.compact(market)
    info_log.compact(market)
    after = instrument_frame(instruments)
    key, old = "instrument_id", before.drop("version_at")
    return UpdateCounts(
        symbols=len(days),
        instruments=len(instruments),
        added=after.join(old, on=key, how="anti").height,
        removed=old.join(after, on=key, how="anti").height,
        changed=_changed(old, after),
        exchange_info_rows=rows,
        is_new_version=is_new,
    )


def _list_days(market: Market, settings: Settings, progress: Progress) -> list[ArchiveDays]:
    profile = settings.transfer_profile()
    bucket = Bucket(settings.archive, profile)
    days_of: dict[str, ArchiveDays] = {}
    for source in map(dataset, SOURCES[market]):
        missing = _symbols(bucket, source)
        for interval in _INTERVALS if source.has_interval else (None,):
            folders = [_folders(source, symbol, interval) for symbol in missing]
            for start in range(0, len(folders), _SYMBOLS_AT_ONCE):
                batch = list(chain.from_iterable(folders[start : start + _SYMBOLS_AT_ONCE]))
                latest = utc_now().date() + timedelta(days=1)
                listed = list_folders(bucket, batch, (EARLIEST, latest), profile.listing_threads).objects
                days_of |= {days.symbol: days for days in archive_days(listed)}
                progress("symbols listed", min(start + _SYMBOLS_AT_ONCE, len(folders)), len(folders))
            missing = [symbol for symbol in missing if symbol not in days_of]
    return [days_of[symbol] for symbol in sorted(days_of)]


def _symbols(bucket: Bucket, source: Dataset) -> list[str]:
    listings = [matching_symbols(bucket, source, frequency, ("*",)) for frequency in source.frequencies]
    return sorted(set(chain.from_iterable(listings)))


def _folders(source: Dataset, symbol: str, interval: Interval | None) -> list[Folder]:
    return [Folder(source, frequency, symbol, interval) for frequency in Frequency if frequency in source.frequencies]


def _check_shrinkage(market: Market, settings: Settings, before: pl.DataFrame, days: Sequence[ArchiveDays]) -> None:
    if not days:
        raise ListingSuspect(f"the bucket lists no symbol of {market}", "Check the endpoint and the bucket's name")
    listed = {symbol_days.symbol for symbol_days in days}
    former = before.filter(pl.col("evidence").list.contains("archive"))["symbol"].unique().sort().to_list()
    gone = [symbol for symbol in former if symbol not in listed]
    if gone and not settings.archive.allow_shrinkage:
        raise ListingSuspect(
            f"{len(gone)} symbols of {market} are no longer listed, the first is {gone[0]}",
            "The master would lose its delisted instruments. Check the bucket. If the symbols were withdrawn, "
            "set CRYPTO_LAKEHOUSE_ARCHIVE__ALLOW_SHRINKAGE=true",
        )


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> int:
    old = {row["instrument_id"]: row for row in before.to_dicts()}
    return sum(row["instrument_id"] in old and old[row["instrument_id"]] != row for row in after.to_dicts())
