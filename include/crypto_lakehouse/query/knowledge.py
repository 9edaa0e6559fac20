"""What the lake knows of itself as tables: `coverage`, `gaps` and `reconciliation`, over one dataset or all."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.coverage import CoverageLog
from crypto_lakehouse.query import coverage as tables
from crypto_lakehouse.query.coverage import Asked
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern

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


def answer(table: str, log: CoverageLog, datasets: Sequence[Dataset], asked: Asked) -> pl.DataFrame:
    """Returns the rows of a table over some datasets."""
    one = TABLES[table]
    return pl.concat([pl.DataFrame(schema=one.schema), *(one.answer(log, row, asked) for row in datasets)])


def lazily(table: str, log: CoverageLog, datasets: Sequence[Dataset], asked: Asked) -> pl.LazyFrame:
    """Returns a table that is computed only when something reads it."""
    return pl.defer(lambda: answer(table, log, datasets, asked), schema=TABLES[table].schema)


def checked(
    now: datetime, symbols: Sequence[str] | str, intervals: Collection[str], days: tuple[Day | None, Day | None]
) -> Asked:
    """Returns a question that was checked.

    Args:
        now: The time it is asked.
        symbols: Symbols or globs.
        intervals: Kline intervals, known ones of the dataset.
        days: First and last UTC day.

    Raises:
        InvalidRequest: A symbol or a day is not acceptable.
    """
    wanted = tuple(validated_pattern(one) for one in ([symbols] if isinstance(symbols, str) else symbols))
    first, last = (_day(one) for one in days)
    if first and last and last < first:
        raise InvalidRequest(f"the last day {last} lies before the first {first}", "Give the earlier day first")
    return Asked(now, wanted, tuple(intervals), first, last)


def _day(day: Day | None) -> date | None:
    if not isinstance(day, str):
        return day.date() if isinstance(day, datetime) else day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise InvalidRequest(f"{day[:40]!r} is not a day", "Write it as 2024-12-31") from error
