"""The SDK: open a lake, see what it has, read it lazily, query it in SQL."""

import os
from dataclasses import replace
from datetime import date, timedelta
from html import escape
from os import PathLike
from pathlib import Path

import polars as pl

from crypto_lakehouse import marts
from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.answers import Coverage, checked_interval
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.datasets import dataset as dataset_named
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.instruments.instrument import listed_on
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.query.arguments import (
    Instant,
    Names,
    checked_days,
    checked_instant,
    checked_kind,
    checked_limits,
    checked_market,
    checked_names,
    checked_patterns,
    checked_span,
)
from crypto_lakehouse.query.as_of import PublishedAt
from crypto_lakehouse.query.limits import QueryLimits, QueryResult
from crypto_lakehouse.query.process import QueryEngine
from crypto_lakehouse.query.published import (
    PartitionFilter,
    Publications,
    PublishedNow,
    check_named,
    no_master,
    nothing_published,
    published_partitions,
    published_summary,
)
from crypto_lakehouse.query.question import Question
from crypto_lakehouse.query.scans import scan_files, with_floats
from crypto_lakehouse.query.sql_tables import SqlTables, addresses
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.settings.files import lake_address
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval, Market


class Lake:
    """A lake to read from. It contains what the catalog publishes, and nothing else.

    Args:
        settings: The deployment.
        catalog: The catalog. By default the catalog of the deployment.
    """

    def __init__(self, settings: Settings, catalog: Catalog | None = None) -> None:
        self._settings = settings
        storage = self._storage = open_storage(settings)
        self._root = storage.uri
        self._limits = QueryLimits(**settings.query.model_dump())
        self._engine = QueryEngine(reads_s3=self._root.startswith("s3://"))
        self._masters = InstrumentLog(storage)
        self._catalog = catalog or open_catalog(settings)
        self._coverage = Coverage(CoverageLog(storage), self.tables)
        self._sql_tables = SqlTables(settings, self._root, self._masters, self.tables)

    def __repr__(self) -> str:
        return f"Lake({self._root!r})"

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the address, and what is published."""
        return f"<p>Lake <code>{escape(self._root)}</code></p>{self.info().drop('bytes')._repr_html_()}"

    @classmethod
    def open(cls, where: Settings | str | Path | None = None) -> "Lake":
        """Opens a lake.

        Args:
            where: Folder or `s3://bucket/prefix` of the lake, or settings. By default the configured lake.

        Raises:
            InvalidRequest: The configuration or the address is not valid, or there is no lake.
        """
        if not isinstance(where, Settings | str | PathLike | None):
            raise InvalidRequest(f"a lake is no {type(where).__name__}", "Name its folder, or s3://bucket/prefix")
        settings = where if isinstance(where, Settings) else load_settings()
        if where and not isinstance(where, Settings):
            settings = settings.model_copy(update={"lake": lake_address(os.fspath(where))})
        lake = cls(settings)
        lake._check_there_is_one()
        return lake

    def _check_there_is_one(self) -> None:
        storage = open_storage(self._settings)
        # What the first run of a new lake writes comes before its catalog.
        if not self.tables() and not any(next(storage.list(f"{layer}/"), None) for layer in ("bronze", "runs")):
            advice = (
                "Name its folder with --lake or CRYPTO_LAKEHOUSE_LAKE (.demo/synthetic/lake after `make demo`), "
                "or make a lake with `crypto-lakehouse ingest`"
            )
            raise InvalidRequest(f"there is no lake in {self._root}", advice)

    @property
    def limits(self) -> QueryLimits:
        """The limits of a query that does not name its own."""
        return self._limits

    def tables(self) -> list[str]:
        """Returns the names of all tables of the lake: datasets and marts."""
        return self._catalog.tables()

    def datasets(self) -> list[str]:
        """Returns the names of the datasets that the lake has tables for."""
        return [name for name in self.tables() if isinstance(marts.table(name), Dataset)]

    def info(self, dataset: str = "", *, symbols: Names = (), as_of: Instant | None = None) -> pl.DataFrame:
        """Returns what is published: one row per dataset or mart, interval and symbol. Reads no data file.

        Args:
            dataset: Name of a dataset or mart. By default all.
            symbols: Symbols, or globs of `*` and `?`. By default all.
            as_of: Returns what was published at this time, also where its versions are not kept any more.

        Raises:
            InvalidRequest: There is no such dataset or mart, or nothing is known of so early a time.
        """
        tables = [marts.table(name) for name in ([dataset] if dataset else self.tables())]
        return published_summary(self._publications(as_of), tables, PartitionFilter(checked_patterns(symbols)))

    def _publications(self, as_of: Instant | None) -> Publications:
        instant = checked_instant(as_of)
        if instant is None:
            return PublishedNow(self._catalog, self._storage)
        return PublishedAt(self._catalog, self._storage, instant)

    def scan(  # noqa: PLR0913 - all but the first are named where they are given
        self,
        dataset: str,
        *,
        symbols: Names = (),
        interval: Interval | str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        as_of: Instant | None = None,
        floats: bool = False,
    ) -> pl.LazyFrame:
        """Returns the rows of a dataset or mart from `start` to before `end`. Opens only files that can have such rows.

        Rows with several intervals have a column `kline_interval`. Within a symbol and interval, the files are in order
        of time. Sort after collecting if the order matters, because Polars may return rows in any order.

        Args:
            dataset: Name of the dataset or mart.
            symbols: Symbols, or globs of `*` and `?`. By default all.
            interval: The kline interval. By default all.
            start: First event time, inclusive.
            end: End of the event times, exclusive.
            as_of: Returns the rows that readers saw at this time. By default the rows of now.
            floats: Returns prices and quantities as floats, which are faster and rounded, and not as exact decimals.

        Raises:
            ArchiveFileMissing: Nothing that fits is published.
            CorruptObject: A published file is gone.
            InvalidRequest: A name or a time is not valid, nothing is published of a symbol that is no glob, or a
                version of the time `as_of` is not kept any more.
        """
        table = marts.table(dataset)
        (first, last), wanted = checked_span(start, end), checked_patterns(symbols)
        needed = PartitionFilter(wanted, checked_interval(table, interval), first, last)
        source = self._publications(as_of)
        published = published_partitions(source, table, needed)
        if not published:
            request = {"symbols": ", ".join(wanted), "interval": interval, "start": start, "end": end}
            raise nothing_published(table, request, as_of)
        check_named(source, table, wanted)
        source.require_files(table, published)
        hidden = [key for key in table.partition_keys if key != "kline_interval"]
        frame = scan_files(table.partition_keys, addresses(self._root, published), self._settings.storage).drop(hidden)
        frame = with_floats(frame) if floats else frame
        if first is not None:
            frame = frame.filter(pl.col(table.event_time) >= first)
        return frame if last is None else frame.filter(pl.col(table.event_time) < last)

    def coverage(
        self,
        dataset: str = "",
        *,
        symbols: Names = (),
        intervals: Names = (),
        days: tuple[Instant | None, Instant | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns one row per UTC day of each series: rows, missing rows, and sources.

        Args:
            dataset: Name of the dataset or mart. By default all.
            symbols: Symbols, or globs of `*` and `?`. By default all.
            intervals: Kline intervals. By default all.
            days: First and last UTC day, inclusive. By default from the first covered day of each series to yesterday.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage_table("coverage", dataset, symbols, intervals, days)

    def gaps(
        self,
        dataset: str = "",
        *,
        symbols: Names = (),
        intervals: Names = (),
        days: tuple[Instant | None, Instant | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns what is missing: start, end, number of rows, when it was first seen, and known reasons.

        The arguments are the same as for `coverage`.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage_table("gaps", dataset, symbols, intervals, days)

    def reconciliation(
        self,
        dataset: str = "",
        *,
        symbols: Names = (),
        intervals: Names = (),
        days: tuple[Instant | None, Instant | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns how two sources of the same rows compare: per day, equal and different rows, and differing columns.

        The arguments are the same as for `coverage`.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage_table("reconciliation", dataset, symbols, intervals, days)

    def refused_rows(
        self,
        dataset: str = "",
        *,
        symbols: Names = (),
        intervals: Names = (),
        days: tuple[Instant | None, Instant | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns the rows of source objects that cannot be true and were set aside: object, line, reason and text.

        The arguments are the same as for `coverage`.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage_table("refused_rows", dataset, symbols, intervals, days)

    def _coverage_table(self, name: str, dataset: str, symbols: Names, intervals: Names, days: object) -> pl.DataFrame:
        wanted, spans = checked_patterns(symbols), checked_names(intervals, "intervals")
        return self._coverage.table(name, dataset, symbols=wanted, intervals=spans, days=checked_days(days))

    def instruments(self, market: Market | str, at: Instant | None = None) -> pl.DataFrame:
        """Returns all instruments that a market ever had, one per row. See docs/instruments.md for the columns.

        Args:
            market: The market.
            at: Returns the version of the master that was the newest at this time. By default the newest version.

        Raises:
            ArchiveFileMissing: There is no such version.
            InvalidRequest: The market or the time is not valid.
        """
        chosen, moment = checked_market(market), checked_instant(at)
        master = self._masters.latest(chosen) if moment is None else self._masters.as_of(chosen, moment)
        if master.is_empty():
            raise no_master(chosen)
        return master

    def universe(self, market: Market | str, at: date | str, *, kinds: Names = ()) -> pl.DataFrame:
        """Returns the instruments that were listed on a day, including those that were delisted later.

        Args:
            market: The market.
            at: The UTC day.
            kinds: Kinds of instruments. By default all.

        Raises:
            ArchiveFileMissing: The lake has no instrument master of the market.
            InvalidRequest: The market, the day or a kind is not valid.
        """
        day, wanted = checked_instant(at), [checked_kind(kind).value for kind in checked_names(kinds, "kinds")]
        if day is None:
            raise InvalidRequest("a universe needs a day", "Write it as 2024-12-31")
        listed = listed_on(self.instruments(market), day.date())
        return listed.filter(pl.col("kind").is_in(wanted)) if wanted else listed

    def scan_instrument(
        self,
        dataset: str,
        instrument_id: str,
        *,
        interval: Interval | str | None = None,
        as_of: Instant | None = None,
        floats: bool = False,
    ) -> pl.LazyFrame:
        """Returns the rows of one instrument, without rows of other instruments that had the same symbol.

        Args:
            dataset: Name of the dataset.
            instrument_id: For example `LITUSDT@2021-02-05`. `Lake.instruments` lists the ids.
            interval: The kline interval. By default all.
            as_of: Returns the rows that readers saw at this time, see `scan`. The instrument is the newest version.
            floats: See `scan`.

        Raises:
            ArchiveFileMissing: There is no such instrument, or none of its rows are published.
            InvalidRequest: The dataset, the interval or `as_of` is not valid.
        """
        master = self.instruments(dataset_named(dataset).market)
        matching = master.filter(pl.col("instrument_id") == instrument_id)
        if matching.is_empty():
            what = f"the instrument master has no {instrument_id[:80]!r}"
            raise ArchiveFileMissing(what, "See Lake.instruments(market)", dataset=dataset)
        instrument = matching.row(0, named=True)
        last_day = instrument["valid_to"]
        ends = [instrument["settles_at"], None if last_day is None else checked_instant(last_day + timedelta(days=1))]
        end = min((moment for moment in ends if moment is not None), default=None)
        start = instrument["valid_from"]
        symbol = instrument["symbol"]
        return self.scan(dataset, symbols=symbol, interval=interval, start=start, end=end, as_of=as_of, floats=floats)

    def sql(
        self, text: str, limits: QueryLimits | None = None, *, as_of: Instant | None = None, floats: bool = False
    ) -> pl.DataFrame:
        """Returns the rows of one SELECT statement.

        Every dataset and mart is a table, with its partition values as columns. Further tables are `coverage`, `gaps`,
        `reconciliation` and `refused_rows` over all of them, and `instruments`, the newest master of all markets.

        Args:
            text: The statement.
            limits: The limits of the query. By default the limits of the settings.
            as_of: The tables have the rows that readers saw at this time. Then only datasets, marts and `instruments`
                are tables.
            floats: Returns decimals as floats, which pandas and NumPy can compute with.

        Raises:
            InvalidRequest: The statement is not valid, or exceeds its limits in rows, time, memory or size, or a
                version of the time `as_of` is not kept any more.
            ArchiveFileMissing: The statement names a table of which nothing is published.
            CorruptObject: A published file of a table that the statement names is gone.
        """
        bounds = checked_limits(limits) or self._limits
        result = self.query(text, bounds, as_of=as_of, floats=floats)
        if result.truncated:
            what = f"the query returns more than {bounds.max_rows:,} rows"
            raise InvalidRequest(what, "Aggregate, add LIMIT, or use Lake.scan")
        return result.frame

    def query(
        self, text: str, limits: QueryLimits | None = None, *, as_of: Instant | None = None, floats: bool = False
    ) -> QueryResult:
        """Returns the same rows as `sql`, but cuts off rows beyond the limit instead of raising an error.

        Args:
            text: The statement.
            limits: The limits of the query. By default the limits of the settings.
            as_of: See `sql`.
            floats: See `sql`.

        Raises:
            InvalidRequest: The statement is not valid, or exceeds its limits in time, memory or size, or a version of
                the time `as_of` is not kept any more.
            ArchiveFileMissing: The statement names a table of which nothing is published.
            CorruptObject: A published file of a table that the statement names is gone.
        """
        if not isinstance(text, str):
            raise InvalidRequest(f"a query is a text, not {type(text).__name__}", "Write it as SQL")
        views = self._sql_tables.views(text, self._publications(as_of))
        result = self._engine.run(Question(text, views, checked_limits(limits) or self._limits))
        return replace(result, frame=with_floats(result.frame)) if floats else result
