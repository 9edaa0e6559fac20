"""The published partitions that a request needs, by the catalog alone, or by the verdict log for an earlier instant."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol

import polars as pl

from crypto_lakehouse.catalog.catalog import Catalog, PartitionSource
from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.lake.faults import REPAIR
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Table
from crypto_lakehouse.symbols import nearest_symbols, unknown_symbol
from crypto_lakehouse.vocabulary import Condition, Interval, Market

_EXISTS_THREADS = 16
"""A store over the network answers many such requests at once."""

_TIME = pl.Datetime("us", "UTC")
INFO_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "kline_interval": pl.String(),
        "symbol": pl.String(),
        "partitions": pl.Int64(),
        "degraded": pl.Int64(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "first_time": _TIME,
        "last_time": _TIME,
        "published_at": _TIME,
    }
)
_PARTITION_SCHEMA = pl.Schema({name: kind for name, kind in INFO_SCHEMA.items() if name != "partitions"})


@dataclass(frozen=True, slots=True)
class PartitionFilter:
    """What a request needs of a table.

    Args:
        symbols: Symbols, or globs of `*` and `?`. All symbols if empty.
        interval: The kline interval. All intervals if None.
        start: First event time, inclusive. No limit if None.
        end: First event time that is not needed. No limit if None.
    """

    symbols: Sequence[str] = ()
    interval: Interval | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def exact_symbols(self) -> list[str] | None:
        """The symbols where none is a glob, so that the catalog can prune by them."""
        if not self.symbols or any(set(symbol) & set("*?") for symbol in self.symbols):
            return None
        return sorted(self.symbols)

    def has_symbol(self, symbol: str) -> bool:
        """Returns whether a symbol is needed."""
        return not self.symbols or any(fnmatchcase(symbol, pattern) for pattern in self.symbols)

    def overlaps(self, partition: PublishedPartition) -> bool:
        """Returns whether a partition can have rows in the time of the filter."""
        ends_before = self.start is not None and partition.last_time is not None and partition.last_time < self.start
        starts_after = self.end is not None and partition.first_time is not None and partition.first_time >= self.end
        return not (ends_before or starts_after)


class Publications(PartitionSource, Protocol):
    """What is published: now, or at an earlier instant."""

    @property
    def instant(self) -> datetime | None:
        """The earlier instant, or None for now."""

    def require_files(self, table: Table, published: Sequence[PublishedPartition]) -> None:
        """Checks that the files of published partitions are there, before an engine opens them.

        Raises:
            CorruptObject: The file of a version that readers see now is gone.
            InvalidRequest: The file of an earlier version is not kept any more.
        """


class PublishedNow:
    """What is published now, by the catalog.

    Args:
        catalog: The catalog.
        storage: The lake.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._storage = storage
        self.partitions = catalog.partitions
        self.instant: datetime | None = None

    def require_files(self, _: Table, published: Sequence[PublishedPartition]) -> None:
        """Checks that the files of published partitions are there, before an engine opens them.

        Raises:
            CorruptObject: A file is gone; the message names its partition and what to do.
        """
        gone = files_gone(self._storage, published)
        if gone:
            raise file_is_gone(gone)


def published_partitions(source: Publications, table: Table, needed: PartitionFilter) -> list[PublishedPartition]:
    """Returns the published partitions of a table that can have rows for a request."""
    # The catalog prunes by day. The first and last time of each file then prune within the day.
    candidates = source.partitions(
        table,
        symbols=needed.exact_symbols,
        interval=needed.interval,
        first_day=needed.start.date() if needed.start else None,
        last_day=(needed.end - timedelta(microseconds=1)).date() if needed.end else None,
    )
    overlapping = [partition for partition in candidates if needed.overlaps(partition)]
    if not needed.symbols or needed.exact_symbols is not None:
        return overlapping
    return [record for record in overlapping if needed.has_symbol(Partition.parse(table, record.partition).symbol)]


def files_gone(storage: Storage, published: Sequence[PublishedPartition]) -> list[PublishedPartition]:
    """Returns the published partitions whose files are not there."""
    with ThreadPoolExecutor(_EXISTS_THREADS) as pool:
        present = pool.map(storage.exists, [partition.file for partition in published])
        return [partition for partition, is_there in zip(published, present, strict=True) if not is_there]


def file_is_gone(gone: Sequence[PublishedPartition]) -> CorruptObject:
    """Returns the error about published partitions whose files are gone: what the first one is, and what to do."""
    others = f", and {len(gone) - 1:,} other files are gone, too" if len(gone) > 1 else ""
    return CorruptObject(
        f"its published file {gone[0].file} is gone{others}",
        REPAIR,
        dataset=gone[0].dataset,
        partition=gone[0].partition,
    )


def check_named(source: Publications, table: Table, patterns: Sequence[str]) -> None:
    """Refuses a symbol of which nothing is published: a result without it would look complete.

    Raises:
        UnknownSymbol: There is such a symbol. A glob may match nothing.
    """
    named = [pattern for pattern in patterns if not set(pattern) & set("*?")]
    if not named:
        return
    there = {Partition.parse(table, record.partition).symbol for record in source.partitions(table, symbols=named)}
    unknown = [symbol for symbol in named if symbol not in there]
    if unknown:
        known = {Partition.parse(table, record.partition).symbol for record in source.partitions(table)}
        raise unknown_symbol(unknown[0], "the lake", nearest_symbols(unknown[0], known), table.name)


def published_summary(source: Publications, tables: Collection[Table], needed: PartitionFilter) -> pl.DataFrame:
    """Returns what is published: one row per table, interval and symbol, with the columns of INFO_SCHEMA."""
    rows = [_row(table, record) for table in tables for record in published_partitions(source, table, needed)]
    series = ["dataset", "kline_interval", "symbol"]
    return (
        pl.LazyFrame(rows, schema=_PARTITION_SCHEMA, orient="row")
        .group_by(series)
        .agg(
            pl.len().cast(pl.Int64).alias("partitions"),
            pl.col("degraded", "rows", "bytes").sum(),
            pl.col("first_time").min(),
            pl.col("last_time", "published_at").max(),
        )
        .sort(series)
        .select(INFO_SCHEMA.names())
        .collect()
    )


def _row(table: Table, record: PublishedPartition) -> tuple[object, ...]:
    partition = Partition.parse(table, record.partition)
    degraded = int(record.condition is Condition.DEGRADED)
    series = (table.name, partition.interval and str(partition.interval), partition.symbol)
    return (*series, degraded, record.rows, record.bytes, record.first_time, record.last_time, record.published_at)


def no_master(market: Market | None) -> ArchiveFileMissing:
    """Returns the error that a market, or any, has no instrument master."""
    what = f"the lake has no instrument master of {market or 'any market'}"
    return ArchiveFileMissing(what, f"Run `crypto-lakehouse instruments update --market {market or Market.UM}`")


def nothing_published(table: Table, request: Mapping[str, object], as_of: object) -> ArchiveFileMissing:
    """Returns the error that nothing is published for a request; what it leaves open is empty or None."""
    what = f"nothing {'is published' if as_of is None else f'was published at {as_of}'}"
    wanted = ", ".join(f"{name} {value}" for name, value in request.items() if value)
    message = f"{what} for {wanted}" if wanted else what
    return ArchiveFileMissing(message, "See `crypto-lakehouse query info` or Lake.info()", dataset=table.name)
