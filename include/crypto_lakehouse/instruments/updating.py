"""Updates the instrument master: lists the bucket, records the exchange's answers, appends a version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.archive.listing import Folder, list_folders, matching_symbols
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import ListingSuspect
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
"""The datasets whose folders show which symbols a market had, and when."""

_INTERVALS = (Interval.D1, Interval.H1, Interval.M1)
"""Where a symbol's days are looked up: the archive has all of them, a copy of it perhaps only some."""
_SYMBOLS_AT_ONCE = 200
"""Bounds memory: a listing of all symbols at once holds millions of keys."""


@dataclass(frozen=True, slots=True)
class UpdateCounts:
    """What an update found.

    Args:
        symbols: Symbols the archive has days of.
        instruments: Instruments of the version.
        added: Instruments that the version before did not have.
        removed: Instruments that only the version before had.
        changed: Instruments with other values than in the version before.
        exchange_info_rows: New records of exchangeInfo answers.
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
    """Updates the master of a market and returns what is new.

    Args:
        market: The market.
        settings: Where the bucket is, and how hard to list it.
        storage: The lake.
        bodies: exchangeInfo answers received since the last update; none is needed.
        progress: Called with how far the listing is.

    Raises:
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: The listing contradicts itself, is empty, or lacks symbols that it had before.
        SchemaDrift: A body has another form than the exchange's.
    """
    log, info_log = InstrumentLog(storage), ExchangeInfoLog(storage)
    before = log.latest(market)
    days = _list_days(market, settings, progress)
    _check_shrinkage(market, settings, before, days)
    rows = info_log.record(market, bodies)
    instruments = build_instruments(market, days, info_log.history(market))
    is_new = log.append(market, instruments, datetime.now(UTC))
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
    days_by_symbol: dict[str, ArchiveDays] = {}
    for dataset in map(dataset_row, SOURCES[market]):
        missing = _symbols(bucket, dataset)
        for interval in _INTERVALS if dataset.has_interval else (None,):
            for start in range(0, len(missing), _SYMBOLS_AT_ONCE):
                symbols = missing[start : start + _SYMBOLS_AT_ONCE]
                folders = [folder for symbol in symbols for folder in _folders(dataset, symbol, interval)]
                latest = datetime.now(UTC).date() + timedelta(days=1)
                listed = list_folders(bucket, folders, (EARLIEST, latest), profile.listing_threads)
                days_by_symbol |= {symbol_days.symbol: symbol_days for symbol_days in archive_days(listed)}
                progress("symbols listed", start + len(symbols), len(missing))
            missing = [symbol for symbol in missing if symbol not in days_by_symbol]
    return [days_by_symbol[symbol] for symbol in sorted(days_by_symbol)]


def _symbols(bucket: Bucket, dataset: Dataset) -> list[str]:
    listed = [matching_symbols(bucket, dataset, frequency, ("*",)) for frequency in dataset.frequencies]
    return sorted({symbol for symbols in listed for symbol in symbols})


def _folders(dataset: Dataset, symbol: str, interval: Interval | None) -> list[Folder]:
    frequencies = [frequency for frequency in Frequency if frequency in dataset.frequencies]
    return [Folder(dataset, frequency, symbol, interval) for frequency in frequencies]


def _check_shrinkage(market: Market, settings: Settings, before: pl.DataFrame, days: Sequence[ArchiveDays]) -> None:
    if not days:
        raise ListingSuspect(f"the bucket lists no symbol of {market}", "Check the endpoint and the bucket's name")
    listed = {symbol_days.symbol for symbol_days in days}
    known = before.filter(pl.col("evidence").list.contains("archive"))["symbol"].unique().sort().to_list()
    gone = [symbol for symbol in known if symbol not in listed]
    if gone and not settings.archive.allow_shrinkage:
        raise ListingSuspect(
            f"{len(gone)} symbols of {market} are no longer listed, the first is {gone[0]}",
            "Without them the past would lose its delisted instruments. Look at the bucket; if they were withdrawn, "
            "set CRYPTO_LAKEHOUSE_ARCHIVE__ALLOW_SHRINKAGE=true",
        )


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> int:
    old = {row["instrument_id"]: row for row in before.to_dicts()}
    return sum(row["instrument_id"] in old and old[row["instrument_id"]] != row for row in after.to_dicts())
