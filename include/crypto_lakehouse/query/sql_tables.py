"""The tables that a statement can read: the datasets and marts, the tables of coverage, and the instrument master."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from crypto_lakehouse import marts
from crypto_lakehouse.coverage.answers import TABLES
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.query.published import Publications, no_master, nothing_published
from crypto_lakehouse.query.views import CoverageView, FileView, FrameView, ScanView, View, named_in
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Market

INSTRUMENTS = "instruments"
"""The SQL table of the instrument master: the newest version of each market."""


@dataclass(frozen=True, slots=True)
class SqlTables:
    """What SQL can read of a lake.

    Args:
        settings: The deployment.
        root: The address of the lake.
        masters: The instrument masters.
        table_names: Returns the names of the datasets and marts that the catalog has.
    """

    settings: Settings
    root: str
    masters: InstrumentLog
    table_names: Callable[[], Sequence[str]]

    def views(self, text: str, source: Publications) -> dict[str, View]:
        """Returns the views of the tables that a statement names; of all tables, if it names none.

        Raises:
            ArchiveFileMissing: Nothing is published of a table that it names.
            CorruptObject: A published file of such a table is gone.
        """
        names = named_in(text, [*(table.name for table in marts.tables()), INSTRUMENTS, *TABLES])
        # A query without a table name may list the tables: SHOW TABLES.
        listed = names or [*self.table_names(), INSTRUMENTS, *TABLES]
        if source.instant is not None:
            # They are about now.
            listed = [name for name in listed if name not in TABLES]
        # In a query of `coverage` and similar tables, the name of a dataset may be a value to filter by.
        required = bool(names) and not set(names) & set(TABLES)
        views = {name: self._view(name, source, required=required) for name in listed}
        return {name: view for name, view in views.items() if view is not None}

    def _view(self, name: str, source: Publications, *, required: bool) -> View | None:
        if name in TABLES:
            # The process of the query gets no key that it does not need.
            settings = self.settings.model_copy(update={"exchange": ExchangeSettings()})
            return CoverageView(name, settings, tuple(self.table_names()))
        if name != INSTRUMENTS:
            return self._table_view(marts.table(name), source, required=required)
        versions, instant = self.masters, source.instant
        masters = pl.concat(
            versions.latest(market) if instant is None else versions.as_of(market, instant) for market in Market
        )
        if masters.is_empty() and required:
            raise no_master(None)
        return None if masters.is_empty() else FrameView.of(masters)

    def _table_view(self, table: Table, source: Publications, *, required: bool) -> View | None:
        published = source.partitions(table)
        if not published:
            if required:
                raise nothing_published(table, {}, source.instant)
            return None
        source.require_files(table, published)
        keys, files = table.partition_keys, addresses(self.root, published)
        # DuckDB reads *, ? and brackets in a path as a glob.
        if self.root.startswith("s3://") or re.search(r"[*?\[\]{}]", self.root):
            return ScanView(keys, files, self.settings.storage)
        return FileView(keys, files)


def addresses(root: str, published: Sequence[PublishedPartition]) -> tuple[str, ...]:
    """Returns the files of published partitions as an engine opens them."""
    return tuple(f"{root}/{partition.file}" for partition in published)
