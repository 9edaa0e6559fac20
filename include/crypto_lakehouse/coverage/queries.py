"""What a question about coverage selects: series and days."""

from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase

import polars as pl

SERIES = ("symbol", "kline_interval")
"""The columns that identify a series within a dataset; in the logs the interval is empty where there is none."""


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """The series and days of a question.

    Args:
        now: The present; decides which days are overdue.
        symbols: Symbols, or globs of `*` and `?`; all by default.
        intervals: Kline intervals; all by default.
        first_day: First UTC day; the first covered day of each series by default.
        last_day: Last UTC day, inclusive; yesterday by default, or later where the lake already has rows.
    """

    now: datetime
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None

    def rows_of_series(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows of the selected series, of all days."""
        if self.intervals:
            rows = rows.filter(pl.col("kline_interval").is_in(list(self.intervals)))
        if self.symbols:
            symbols = [symbol for symbol in rows["symbol"].unique() if self._selects(symbol)]
            rows = rows.filter(pl.col("symbol").is_in(symbols))
        return rows

    def touches_days(self, first: pl.Expr, last: pl.Expr) -> pl.Expr:
        """Returns whether the days from `first` to `last`, both inclusive, touch the selected days."""
        touches = pl.lit(value=True)
        touches &= last >= self.first_day if self.first_day else touches
        touches &= first <= self.last_day if self.last_day else touches
        return touches

    def _selects(self, symbol: str) -> bool:
        return any(fnmatchcase(symbol, pattern) for pattern in self.symbols)


def null_where_empty(column: str) -> pl.Expr:
    """Returns a text column of the logs with null in place of the empty text."""
    return pl.when(pl.col(column) != "").then(column).alias(column)
