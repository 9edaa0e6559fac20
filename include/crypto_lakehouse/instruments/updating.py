"""Brings the instrument master up to date: lists the bucket, hears the exchange, appends a version."""

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
"""The datasets whose folders tell which symbols a market had, and when."""

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
        added: Those that the version before did not have.
        removed: Those that only the version before had.
        changed: Those of which it says something else.
        exchange_info_rows: What the bodies said that was not known.
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
    """Brings a market's master up to date and returns what is new.

    Args:
        market: The market.
        settings: Where the bucket is, and how hard to list it.
        storage: The lake.
        bodies: exchangeInfo answers received since the last update; none is needed.
        progress: Hears how far the listing is.

    Raises:
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: The listing contradicts itself, is empty, or lacks symbols that it had before.
        SchemaDrift: A body is not as the exchange writes it.
    """
    log, said = InstrumentLog(storage), ExchangeInfoLog(storage)
    before = log.latest(market)
    days = _list_days(market, settings, progress)
    _check_shrinkage(market, settings, before, days)
    rows = said.record(market, bodies)
    instruments = build_instruments(market, days, said.history(market))
    is_new = log.append(market, instruments, datetime.now(UTC))
    log.compact(market)
    said.compact(market)
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
    found: dict[str, ArchiveDays] = {}
    for row in map(dataset_row, SOURCES[market]):
        missing = sorted({one for each in row.frequencies for one in matching_symbols(bucket, row, each, ("*",))})
        for interval in _INTERVALS if row.has_interval else (None,):
            folders = [_folders(row, symbol, interval) for symbol in missing]
            for start in range(0, len(folders), _SYMBOLS_AT_ONCE):
                batch = [one for those in folders[start : start + _SYMBOLS_AT_ONCE] for one in those]
                latest = datetime.now(UTC).date() + timedelta(days=1)
                listed = list_folders(bucket, batch, (EARLIEST, latest), profile.listing_threads)
                found |= {one.symbol: one for one in archive_days(listed)}
                progress("symbols listed", min(start + _SYMBOLS_AT_ONCE, len(folders)), len(folders))
            missing = [symbol for symbol in missing if symbol not in found]
    return [found[symbol] for symbol in sorted(found)]


def _folders(row: Dataset, symbol: str, interval: Interval | None) -> list[Folder]:
    return [Folder(row, frequency, symbol, interval) for frequency in Frequency if frequency in row.frequencies]


def _check_shrinkage(market: Market, settings: Settings, before: pl.DataFrame, days: Sequence[ArchiveDays]) -> None:
    if not days:
        raise ListingSuspect(f"the bucket lists no symbol of {market}", "Check the endpoint and the bucket's name")
    listed = {one.symbol for one in days}
    held = before.filter(pl.col("evidence").list.contains("archive"))["symbol"].unique().sort().to_list()
    gone = [symbol for symbol in held if symbol not in listed]
    if gone and not settings.archive.allow_shrinkage:
        raise ListingSuspect(
            f"{len(gone)} symbols of {market} are no longer listed, the first is {gone[0]}",
            "Without them the past would lose its delisted instruments. Look at the bucket; if they were withdrawn, "
            "set CRYPTO_LAKEHOUSE_ARCHIVE__ALLOW_SHRINKAGE=true",
        )


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> int:
    old = {row["instrument_id"]: row for row in before.to_dicts()}
    return sum(row["instrument_id"] in old and old[row["instrument_id"]] != row for row in after.to_dicts())
