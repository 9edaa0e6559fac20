"""The SDK: open a lake, see what it holds, read it lazily, ask it in SQL."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase

import polars as pl

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.lake.coverage import CoverageLog
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.query.coverage import Asked
from crypto_lakehouse.query.knowledge import TABLES, Day, answer, checked, lazily
from crypto_lakehouse.query.scans import scan_files
from crypto_lakehouse.query.session import FileView, QueryLimits, QueryResult, View, named_in, run_query
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import Condition, Interval

Instant = date | datetime | str
"""A time: ISO text, a date (its midnight) or a datetime; without a zone it is UTC."""

INFO_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "interval": pl.String(),
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
        self._storage = open_storage(settings)
        self._root = self._storage.uri
        self._catalog = catalog or open_catalog(settings)

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
        return self._catalog.datasets()

    def info(self, dataset: str = "", *, symbols: Sequence[str] = ()) -> pl.DataFrame:
        """Returns what is published, a row per dataset, interval and symbol; reads the catalog only.

        Raises:
            InvalidRequest: There is no such dataset.
        """
        rows = [dataset_row(dataset)] if dataset else [dataset_row(name) for name in self.datasets()]
        facts = [_fact(row, one) for row in rows for one in self._published(row, symbols=symbols)]
        held = pl.DataFrame(facts, schema=_FACT_SCHEMA, orient="row").lazy()
        return (
            held.group_by("dataset", "interval", "symbol")
            .agg(
                pl.len().cast(pl.Int64).alias("partitions"),
                pl.col("degraded").sum(),
                pl.col("rows", "bytes").sum(),
                pl.col("first_time").min(),
                pl.col("last_time", "published_at").max(),
            )
            .sort("dataset", "interval", "symbol")
            .select(INFO_SCHEMA.names())
            .collect()
        )

    def coverage(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns a row per UTC day of each series: what the lake has of it, what it lacks, and from which sources.

        Args:
            dataset: Its name; all by default.
            symbols: Symbols, or globs of `*` and `?`; all by default.
            intervals: Kline intervals; all by default.
            days: First and last UTC day, inclusive; by default from the first covered one of each series to yesterday.

        Raises:
            InvalidRequest: A name or a day is not acceptable.
        """
        return self._known("coverage", dataset, symbols, (intervals, days))

    def gaps(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns what is missing: from when to when, how much, since when, and whether upstream is known to lack it.

        The arguments are those of `coverage`.

        Raises:
            InvalidRequest: A name or a day is not acceptable.
        """
        return self._known("gaps", dataset, symbols, (intervals, days))

    def reconciliation(
        self,
        dataset: str = "",
        *,
        symbols: Sequence[str] | str = (),
        intervals: Sequence[Interval | str] | str = (),
        days: tuple[Day | None, Day | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns what sources of the same rows said of each other: per day, rows equal and different, and in what.

        The arguments are those of `coverage`.

        Raises:
            InvalidRequest: A name or a day is not acceptable.
        """
        return self._known("reconciliation", dataset, symbols, (intervals, days))

    def _known(
        self,
        table: str,
        dataset: str,
        symbols: Sequence[str] | str,
        when: tuple[Sequence[Interval | str] | str, tuple[Day | None, Day | None]],
    ) -> pl.DataFrame:
        intervals, days = when
        rows = [dataset_row(dataset)] if dataset else self._rows()
        wanted = [str(one) for one in ([intervals] if isinstance(intervals, str) else intervals)]
        for one in wanted if dataset else ():
            _interval(rows[0], one)
        return answer(table, CoverageLog(self._storage), rows, checked(datetime.now(UTC), symbols, wanted, days))

    def _rows(self) -> list[Dataset]:
        return [dataset_row(name) for name in self.datasets()]

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

        Klines of several intervals come with a column `interval`. Within a symbol and interval files are in order of
        time, but sort after collecting where order matters: Polars may return rows as they come.

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
        published = self._published(row, symbols=wanted, interval=_interval(row, interval), times=(first, last))
        if not published:
            raise _nothing(row, f"for symbols {wanted or 'any'}, interval {interval or 'any'}, {start} to {end}")
        hidden = [key for key in row.partition_keys if key != "interval"]
        frame = scan_files(row, published, self._root, self._settings.storage).drop(hidden)
        if first is not None:
            frame = frame.filter(pl.col(row.event_time) >= first)
        return frame if last is None else frame.filter(pl.col(row.event_time) < last)

    def sql(self, text: str, limits: QueryLimits | None = None) -> pl.DataFrame:
        """Returns the rows of one SELECT; every dataset is a table, its partition values are columns.

        Beside them are `coverage`, `gaps` and `reconciliation`, over all datasets.

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
        names = named_in(text, [*TABLES, *(row.name for row in DATASETS)])
        # A query that names no table may want to see which there are: SHOW TABLES.
        known = [name for name in names if name in TABLES] if names else list(TABLES)
        listed = [dataset_row(name) for name in names if name not in TABLES] if names else self._rows()
        # Beside `coverage` and its like, a dataset's name may be a value that they are asked for.
        views = {row.name: self._view(row, required=bool(names) and not known) for row in listed}
        asked, log = Asked(datetime.now(UTC)), CoverageLog(self._storage)
        views |= {name: lazily(name, log, self._rows(), asked) for name in known}
        return run_query(
            text, {name: view for name, view in views.items() if view is not None}, limits or QueryLimits()
        )

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


def _interval(row: Dataset, interval: Interval | str | None) -> Interval | None:
    if interval is None:
        return None
    if interval not in {str(one) for one in row.intervals}:
        known = ", ".join(row.intervals) or "none"
        raise InvalidRequest(
            f"interval {str(interval)[:20]!r} is not the dataset's", f"Known: {known}", dataset=row.name
        )
    return Interval(interval)


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


def _nothing(row: Dataset, asked: str) -> ArchiveFileMissing:
    what = f"nothing is published {asked}".strip()
    return ArchiveFileMissing(what, "See `crypto-lakehouse query info` or Lake.info()", dataset=row.name)
