"""What the lake knows of itself as tables: `coverage`, `gaps` and `reconciliation`, over one dataset or all."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.coverage import CoverageLog
from crypto_lakehouse.query import coverage as tables
from crypto_lakehouse.query.coverage import Asked
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import Interval

Answer = Callable[[CoverageLog, Dataset, Asked], pl.DataFrame]
Day = date | str
"""A UTC day: a date, or ISO text."""


@dataclass(frozen=True, slots=True)
class KnowledgeTable:
    """A table of this module: how it is answered for one dataset, and its columns."""

    answer: Answer
    schema: pl.Schema


TABLES: Mapping[str, KnowledgeTable] = MappingProxyType(
    {
        "coverage": KnowledgeTable(tables.coverage, tables.COVERAGE_SCHEMA),
        "gaps": KnowledgeTable(tables.find_gaps, tables.GAPS_SCHEMA),
        "reconciliation": KnowledgeTable(tables.reconciliation, tables.RECONCILIATION_SCHEMA),
    }
)


@dataclass(frozen=True, slots=True)
class _Series:
    symbols: Sequence[str] | str
    intervals: Sequence[Interval | str] | str
    days: tuple[Day | None, Day | None]


class Knowledge(ABC):
    """The part of a lake that answers from its coverage log.

    Args:
        log: The log.
    """

    def __init__(self, log: CoverageLog) -> None:
        self._log = log

    @abstractmethod
    def datasets(self) -> list[str]:
        """Returns the names of the datasets that the lake has tables for."""

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
        return self._answer("coverage", dataset, _Series(symbols, intervals, days))

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
        return self._answer("gaps", dataset, _Series(symbols, intervals, days))

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
        return self._answer("reconciliation", dataset, _Series(symbols, intervals, days))

    def known(self, table: str) -> pl.LazyFrame:
        """Returns one of TABLES over all datasets; it is computed only when something reads it."""
        asked = Asked(datetime.now(UTC))
        return pl.defer(lambda: self._over(table, self._rows(), asked), schema=TABLES[table].schema)

    def _answer(self, table: str, dataset: str, series: _Series) -> pl.DataFrame:
        rows = [dataset_row(dataset)] if dataset else self._rows()
        symbols = [series.symbols] if isinstance(series.symbols, str) else series.symbols
        intervals = [series.intervals] if isinstance(series.intervals, str) else series.intervals
        for one in intervals if dataset else ():
            checked_interval(rows[0], one)
        first, last = (_day(one) for one in series.days)
        if first and last and last < first:
            raise InvalidRequest(f"the last day {last} lies before the first {first}", "Give the earlier day first")
        wanted = tuple(validated_pattern(one) for one in symbols)
        return self._over(table, rows, Asked(datetime.now(UTC), wanted, tuple(map(str, intervals)), first, last))

    def _over(self, table: str, rows: Sequence[Dataset], asked: Asked) -> pl.DataFrame:
        one = TABLES[table]
        return pl.concat([pl.DataFrame(schema=one.schema), *(one.answer(self._log, row, asked) for row in rows)])

    def _rows(self) -> list[Dataset]:
        return [dataset_row(name) for name in self.datasets()]


def checked_interval(row: Dataset, interval: Interval | str | None) -> Interval | None:
    """Returns the interval that is asked for, None where none is.

    Raises:
        InvalidRequest: The dataset does not have it.
    """
    if interval is None:
        return None
    if interval not in {str(one) for one in row.intervals}:
        known = ", ".join(row.intervals) or "none"
        raise InvalidRequest(
            f"interval {str(interval)[:20]!r} is not the dataset's", f"Known: {known}", dataset=row.name
        )
    return Interval(interval)


def _day(day: Day | None) -> date | None:
    if not isinstance(day, str):
        return day.date() if isinstance(day, datetime) else day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise InvalidRequest(f"{day[:40]!r} is not a day", "Write it as 2024-12-31") from error
