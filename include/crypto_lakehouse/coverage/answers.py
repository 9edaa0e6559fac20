"""What a lake answers about its coverage: days, gaps, compared sources and refused rows, of one table or all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.coverage.day_table import COVERAGE_SCHEMA, coverage
from crypto_lakehouse.coverage.gap_table import GAPS_SCHEMA, find_gaps
from crypto_lakehouse.coverage.log import RECONCILIATIONS_SCHEMA, REFUSED_ROWS_SCHEMA, CoverageLog
from crypto_lakehouse.coverage.queries import SERIES, CoverageQuery, null_where_empty
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Interval

Answer = Callable[[CoverageLog, Table, CoverageQuery], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class CoverageTable:
    """One of the tables: the function that answers it for a table of the lake, and its columns."""

    answer: Answer
    schema: pl.Schema


RECONCILIATION_SCHEMA = pl.Schema({name: kind for name, kind in RECONCILIATIONS_SCHEMA.items() if name != "partition"})

REFUSED_SCHEMA = pl.Schema({name: kind for name, kind in REFUSED_ROWS_SCHEMA.items() if name != "partition"})


def reconciliation(log: CoverageLog, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns how two sources of the same keys compare: a row per series, day and pair of sources."""
    rows = query.rows_of_series(log.reconciliations(table.name))
    selected = rows.filter(query.touches_days(pl.col("day"), pl.col("day"))).sort(*SERIES, "day", "kept", "other")
    return selected.with_columns(null_where_empty("kline_interval")).select(RECONCILIATION_SCHEMA.names())


def refused_rows(log: CoverageLog, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns the rows that cannot be true and were set aside: object, line, reason and text of each."""
    rows = query.rows_of_series(log.refused_rows(table.name))
    selected = rows.filter(query.touches_days(pl.col("day"), pl.col("day"))).sort(*SERIES, "day", "key", "line")
    return selected.with_columns(null_where_empty("kline_interval")).select(REFUSED_SCHEMA.names())


TABLES: Mapping[str, CoverageTable] = MappingProxyType(
    {
        "coverage": CoverageTable(coverage, COVERAGE_SCHEMA),
        "gaps": CoverageTable(find_gaps, GAPS_SCHEMA),
        "reconciliation": CoverageTable(reconciliation, RECONCILIATION_SCHEMA),
        "refused_rows": CoverageTable(refused_rows, REFUSED_SCHEMA),
    }
)


class Coverage:
    """Answers questions about the coverage of a lake from its coverage log.

    Args:
        log: The log.
        table_names: Returns the names of the datasets and marts that the catalog has.
    """

    def __init__(self, log: CoverageLog, table_names: Callable[[], Sequence[str]]) -> None:
        self._log, self._table_names = log, table_names

    def tables(self) -> list[Table]:
        """Returns the datasets and marts that the catalog has."""
        return [table_of_name(name) for name in self._table_names()]

    def table(
        self,
        table_name: str,
        dataset_name: str = "",
        *,
        symbols: Sequence[str] = (),
        intervals: Sequence[str] = (),
        days: tuple[date | None, date | None] = (None, None),
    ) -> pl.DataFrame:
        """Returns one of the tables.

        Args:
            table_name: A key of `TABLES`.
            dataset_name: The dataset or mart; all by default.
            symbols: Symbols, or globs of `*` and `?`; all by default.
            intervals: Kline intervals; all by default.
            days: First and last UTC day, inclusive; by default from the first covered day of each series to yesterday.

        Raises:
            InvalidRequest: There is no such dataset or mart, or it has no such interval.
        """
        tables = [table_of_name(dataset_name)] if dataset_name else self.tables()
        for interval in intervals if dataset_name else ():
            checked_interval(tables[0], interval)
        first_day, last_day = days
        query = CoverageQuery(
            now=utc_now(),
            symbols=tuple(symbols),
            intervals=tuple(intervals),
            first_day=first_day,
            last_day=last_day,
        )
        return self._over(table_name, tables, query)

    def lazy_table(self, table_name: str) -> pl.LazyFrame:
        """Returns one of the tables over all datasets and marts; it is computed only when something reads it."""
        query = CoverageQuery(utc_now())
        return pl.defer(lambda: self._over(table_name, self.tables(), query), schema=TABLES[table_name].schema)

    def _over(self, table_name: str, tables: Sequence[Table], query: CoverageQuery) -> pl.DataFrame:
        answered = TABLES[table_name]
        frames = [answered.answer(self._log, table, query) for table in tables]
        return pl.concat([pl.DataFrame(schema=answered.schema), *frames])


def checked_interval(table: Table, interval: Interval | str | None) -> Interval | None:
    """Returns the interval of a request, None where the request names none.

    Raises:
        InvalidRequest: The table does not have it.
    """
    if interval is None:
        return None
    if not isinstance(interval, str) or interval not in {str(known) for known in table.intervals}:
        known = ", ".join(table.intervals) or "none"
        what = f"the table has no interval {str(interval)[:20]!r}"
        raise InvalidRequest(what, f"Known: {known}", dataset=table.name)
    return Interval(interval)
