"""The SDK: open a lake, see what it holds, read it lazily, ask it in SQL."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase

import polars as pl

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.answers import TABLES, Coverage, Day, checked_interval
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.instruments.instrument import listed_on
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.query.scans import scan_files
from crypto_lakehouse.query.session import FileView, QueryLimits, QueryResult, View, named_in, run_query
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import Condition, InstrumentKind, Interval, Market

Instant = date | datetime | str
"""A time: ISO text, a date (its midnight) or a datetime; without a zone it is UTC."""

INSTRUMENTS = "instruments"
"""The SQL table of the instrument master: the newest version of every market."""

INFO_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "kline_interval": pl.String(),
        "symbol": pl.String(),
        "partitions": pl.Int64(),
        "degraded": pl.Int64(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "first_time": pl.Datetime("us", "UTC"),
        "last_time": pl.Datetime("us", "UTC"),
        "published_at": pl.Datetime("us", "UTC"),
    }
)


class Lake:
    """A lake to read from. It sees what the catalog publishes, and nothing else.

    Args:
        settings: The deployment.
        catalog: What is published; the deployment's own by default.
    """

    def __init__(self, settings: Settings, catalog: Catalog | None = None) -> None:
        self._settings = settings
        storage = open_storage(settings)
        self._root = storage.uri
        self._masters = InstrumentLog(storage)
        self._catalog = catalog or open_catalog(settings)
        self._coverage = Coverage(CoverageLog(storage), self._catalog.tables)

    def __repr__(self) -> str:
        return f"Lake({self._root!r})"

    @classmethod
    def open(cls, where: Settings | str | None = None) -> "Lake":
        """Opens a lake.

        Args:
            where: Its folder or `s3://bucket/prefix`, or whole settings; by default what the configuration names.

        Raises:
            InvalidRequest: The configuration or the address is not acceptable.
        """
        if isinstance(where, Settings):
            return cls(where)
        settings = load_settings()
        return cls(settings.model_copy(update={"lake": where}) if where else settings)

    def datasets(self) -> list[str]:
        """Returns the names of the datasets that the lake has tables for."""
        return self._catalog.tables()

    def info(self, dataset: str = "", *, symbols: Sequence[str] = ()) -> pl.DataFrame:
        """Returns what is published, a row per dataset, interval and symbol; reads the catalog only.

        Raises:
            InvalidRequest: There is no such dataset.
        """
        rows = [dataset_row(dataset)] if dataset else [dataset_row(name) for name in self.datasets()]
        facts = [_fact(row, one) for row in rows for one in self._published(row, symbols=symbols)]
        held = pl.DataFrame(facts, schema=_FACT_SCHEMA, orient="row").lazy()
        return (
            held.group_by("dataset", "kline_interval", "symbol")
            .agg(
                pl.len().cast(pl.Int64).alias("partitions"),
                pl.col("degraded").sum(),
                pl.col("rows", "bytes").sum(),
                pl.col("first_time").min(),
                pl.col("last_time", "published_at").max(),
            )
            .sort("dataset", "kline_interval", "symbol")
            .select(INFO_SCHEMA.names())
            .collect()
        )

    def scan(
        self,
        dataset: str,
        *,
        symbols: Sequence[str] | str = (),
        interval: Interval | str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
    ) -> pl.LazyFrame:
        """Returns the rows of a dataset from `start` on and before `end`; opens only files that can hold some.

        Klines of several intervals come with a column `kline_interval`. Within a symbol and interval, files are in
        order of time, but sort after collecting where order matters: Polars may return rows as they come.

        Args:
            dataset: Its name.
            symbols: Symbols, or globs of `*` and `?`; all by default.
            interval: The kline interval; all by default.
            start: First event time, inclusive.
            end: Event time to stop before.

        Raises:
            ArchiveFileMissing: Nothing is published that fits.
            InvalidRequest: A name or a time is not acceptable.
        """
        row = dataset_row(dataset)
        first, last = _instant(start), _instant(end)
        wanted = [validated_pattern(one) for one in ([symbols] if isinstance(symbols, str) else symbols)]
        published = self._published(row, symbols=wanted, interval=checked_interval(row, interval), times=(first, last))
        if not published:
            raise _nothing(row, f"for symbols {wanted or 'any'}, interval {interval or 'any'}, {start} to {end}")
        hidden = [key for key in row.partition_keys if key != "kline_interval"]
        frame = scan_files(row, published, self._root, self._settings.storage).drop(hidden)
        if first is not None:
            frame = frame.filter(pl.col(row.event_time) >= first)
        return frame if last is None else frame.filter(pl.col(row.event_time) < last)

    def coverage(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns a row per UTC day of each series: what the lake has of it, what is missing, and from which sources.

        Args:
            dataset: Its name; all by default.
            symbols: Symbols, or globs of `*` and `?`; all by default.
            intervals: Kline intervals; all by default.
            days: First and last UTC day, inclusive; by default from the first covered day of each series to yesterday.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage.table("coverage", dataset, symbols=symbols, intervals=intervals, days=days)

    def gaps(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns what is missing: from when to when, how much, since when, and whether upstream is known to lack it.

        The arguments are the same as for `coverage`.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage.table("gaps", dataset, symbols=symbols, intervals=intervals, days=days)

    def reconciliation(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns how two sources of the same rows compare: per day, rows equal and different, and in which columns.

        The arguments are the same as for `coverage`.

        Raises:
            InvalidRequest: A name, an interval or a day is not valid.
        """
        return self._coverage.table("reconciliation", dataset, symbols=symbols, intervals=intervals, days=days)

    def instruments(self, market: Market | str, at: Instant | None = None) -> pl.DataFrame:
        """Returns every instrument that a market ever had, a row each; see docs/instruments.md for the columns.

        Args:
            market: The market.
            at: The version of the master that was the newest then; today's by default.

        Raises:
            ArchiveFileMissing: There is no such version.
            InvalidRequest: The market or the time is not acceptable.
        """
        chosen, moment = _market(market), _instant(at)
        master = self._masters.latest(chosen) if moment is None else self._masters.as_of(chosen, moment)
        if master.is_empty():
            raise _no_master(chosen)
        return master

    def universe(
        self, market: Market | str, at: date | str, *, kinds: Collection[InstrumentKind | str] = ()
    ) -> pl.DataFrame:
        """Returns the instruments that were listed on a day: those delisted since included, later ones not.

        Args:
            market: The market.
            at: The UTC day.
            kinds: Kinds of instruments; all by default.

        Raises:
            ArchiveFileMissing: The lake has no instrument master of the market.
            InvalidRequest: The market, the day or a kind is not acceptable.
        """
        day, wanted = _instant(at), [_kind(one).value for one in kinds]
        if day is None:
            raise InvalidRequest("a universe needs a day", "Write it as 2024-12-31")
        listed = listed_on(self.instruments(market), day.date())
        return listed.filter(pl.col("kind").is_in(wanted)) if wanted else listed

    def scan_instrument(
        self, dataset: str, instrument_id: str, *, interval: Interval | str | None = None
    ) -> pl.LazyFrame:
        """Returns the rows of one instrument, without those of another one that had its symbol.

        Args:
            dataset: Its name.
            instrument_id: Such as `LITUSDT@2021-02-05`; `Lake.instruments` has them.
            interval: The kline interval; all by default.

        Raises:
            ArchiveFileMissing: There is no such instrument, or nothing of it is published.
            InvalidRequest: The dataset or the interval is not acceptable.
        """
        found = self.instruments(dataset_row(dataset).market).filter(pl.col("instrument_id") == instrument_id)
        if found.is_empty():
            what = f"the instrument master has no {instrument_id[:80]!r}"
            raise ArchiveFileMissing(what, "See Lake.instruments(market)", dataset=dataset)
        one = found.row(0, named=True)
        after = None if one["valid_to"] is None else _instant(one["valid_to"] + timedelta(days=1))
        ends = [moment for moment in (one["settles_at"], after) if moment is not None]
        return self.scan(
            dataset, symbols=one["symbol"], interval=interval, start=one["valid_from"], end=min(ends, default=None)
        )

    def sql(self, text: str, limits: QueryLimits | None = None) -> pl.DataFrame:
        """Returns the rows of one SELECT; every dataset is a table, its partition values are columns.

        Beside them are `coverage`, `gaps` and `reconciliation` over all datasets, and `instruments`, the newest
        instrument master of all markets.

        Raises:
            InvalidRequest: The query is not acceptable, or exceeds its limits in rows, time or memory.
            ArchiveFileMissing: It names a dataset of which nothing is published.
        """
        bounds = limits or QueryLimits()
        result = self.query(text, bounds)
        if result.truncated:
            raise InvalidRequest(f"the query gives more than {bounds.max_rows:,} rows", "Aggregate, add LIMIT, or scan")
        return result.frame

    def query(self, text: str, limits: QueryLimits | None = None) -> QueryResult:
        """Returns what `sql` does, cut off at the limit of rows instead of refused.

        Raises:
            InvalidRequest: The query is not acceptable, or exceeds its limits in time or memory.
            ArchiveFileMissing: It names a dataset of which nothing is published.
        """
        names = named_in(text, [*(row.name for row in DATASETS), INSTRUMENTS, *TABLES])
        # A query that names no table may want to see which there are: SHOW TABLES.
        listed = names or [*self.datasets(), INSTRUMENTS, *TABLES]
        # Beside `coverage` and its like, a dataset's name may be a value that they are asked for.
        required = bool(names) and not set(names) & set(TABLES)
        views = {name: self._table(name, required=required) for name in listed}
        return run_query(
            text, {name: view for name, view in views.items() if view is not None}, limits or QueryLimits()
        )

    def _table(self, name: str, *, required: bool) -> View | None:
        if name in TABLES:
            return self._coverage.lazy_table(name)
        if name != INSTRUMENTS:
            return self._view(dataset_row(name), required=required)
        masters = pl.concat([self._masters.latest(market) for market in Market])
        if masters.is_empty() and required:
            raise _no_master(None)
        return None if masters.is_empty() else masters.lazy()

    def _view(self, row: Dataset, *, required: bool) -> View | None:
        published = self._catalog.partitions(row)
        if not published:
            if required:
                raise _nothing(row, "")
            return None
        # DuckDB takes *, ? and brackets in a path for a glob.
        if self._root.startswith("s3://") or re.search(r"[*?\[\]{}]", self._root):
            return scan_files(row, published, self._root, self._settings.storage)
        return FileView(row, tuple(f"{self._root}/{one.file}" for one in published))

    def _published(
        self,
        row: Dataset,
        *,
        symbols: Collection[str] = (),
        interval: Interval | None = None,
        times: tuple[datetime | None, datetime | None] = (None, None),
    ) -> list[PublishedPartition]:
        start, end = times
        # The catalog prunes by day; a file's own first and last time then prune within the day.
        found = self._catalog.partitions(
            row,
            symbols=_exact(symbols),
            interval=interval,
            first_day=start.date() if start else None,
            last_day=(end - timedelta(microseconds=1)).date() if end else None,
        )
        kept = [one for one in found if _overlaps(one, start, end)]
        if not symbols or _exact(symbols) is not None:
            return kept
        return [one for one in kept if _matches(Partition.parse(row, one.partition).symbol, symbols)]


_FACT_SCHEMA = pl.Schema({name: kind for name, kind in INFO_SCHEMA.items() if name != "partitions"})


def _fact(row: Dataset, one: PublishedPartition) -> tuple[object, ...]:
    partition = Partition.parse(row, one.partition)
    degraded = int(one.condition is Condition.DEGRADED)
    place = (row.name, partition.interval and str(partition.interval), partition.symbol)
    return (*place, degraded, one.rows, one.bytes, one.first_time, one.last_time, one.published_at)


def _exact(symbols: Collection[str]) -> list[str] | None:
    """Returns the symbols where none is a glob, so that the catalog itself can prune by them."""
    if not symbols or any(set(one) & set("*?") for one in symbols):
        return None
    return sorted(symbols)


def _matches(symbol: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(symbol, pattern) for pattern in patterns)


def _overlaps(one: PublishedPartition, start: datetime | None, end: datetime | None) -> bool:
    before = start is not None and one.last_time is not None and one.last_time < start
    after = end is not None and one.first_time is not None and one.first_time >= end
    return not (before or after)


def _market(text: Market | str) -> Market:
    try:
        return Market(text)
    except ValueError as error:
        raise InvalidRequest(f"{str(text)[:20]!r} is not a market", f"Known: {', '.join(Market)}") from error


def _kind(text: InstrumentKind | str) -> InstrumentKind:
    try:
        return InstrumentKind(text)
    except ValueError as error:
        known = ", ".join(InstrumentKind)
        raise InvalidRequest(f"{str(text)[:20]!r} is no kind of instrument", f"Known: {known}") from error


def _instant(when: Instant | None) -> datetime | None:
    if when is None:
        return None
    try:
        moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    except ValueError as error:
        raise InvalidRequest(
            f"{str(when)[:40]!r} is not a time", "Write it as 2024-12-31 or 2024-12-31T08:00"
        ) from error
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _no_master(market: Market | None) -> ArchiveFileMissing:
    what = f"the lake has no instrument master of {market or 'any market'}"
    return ArchiveFileMissing(what, f"Run `crypto-lakehouse instruments update --market {market or Market.UM}`")


def _nothing(row: Dataset, asked: str) -> ArchiveFileMissing:
    what = f"nothing is published {asked}".strip()
    return ArchiveFileMissing(what, "See `crypto-lakehouse query info` or Lake.info()", dataset=row.name)
