"""The calendar of a series: one cell per UTC day, with a colour and a letter for its condition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.reports.looks import LOOKS
from crypto_lakehouse.vocabulary import DayCondition

LETTERS: Mapping[DayCondition, str] = MappingProxyType({kind: kind.value[0].upper() for kind in DayCondition})
"""The letter of each condition, so that a calendar can be read without colour."""

COLOURS: Mapping[DayCondition, str] = MappingProxyType({kind: LOOKS[kind].colour for kind in DayCondition})
DARK_COLOURS = frozenset(kind for kind in DayCondition if LOOKS[kind].is_dark)
"""The conditions whose colour needs light text."""

MEANINGS: Mapping[DayCondition, str] = MappingProxyType(
    {
        DayCondition.AVAILABLE: "complete",
        DayCondition.DEGRADED: "rows are missing",
        DayCondition.PENDING: "not complete yet",
        DayCondition.MISSING: "no data",
    }
)

WEEKS_PER_YEAR = 54
"""Columns of a year: a leap year that starts on a Sunday touches 54 weeks."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A day: its condition, and the text of its tooltip."""

    condition: DayCondition
    text: str


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """A cell with its column (week of the year, from 0) and its row (day of the week, Monday is 0)."""

    week: int
    weekday: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class Calendar:
    """The cells of one series by day. Days without any information have no cell."""

    title: str
    cells: Mapping[date, Cell]

    def years(self) -> list[int]:
        """Returns the years that have cells, in order."""
        return sorted({day.year for day in self.cells})

    def months(self) -> list[date]:
        """Returns the first day of each month, from the month of the first cell to the month of the last cell."""
        if not self.cells:
            return []
        month, last, months = min(self.cells).replace(day=1), max(self.cells), []
        while month <= last:
            months.append(month)
            month = (month + timedelta(days=31)).replace(day=1)
        return months


@dataclass(frozen=True, slots=True)
class YearChart:
    """One year of one calendar: what a page or an image draws as a block."""

    calendar: Calendar
    year: int

    def cells(self) -> Iterator[PlacedCell]:
        """Yields the cells of the year with their places."""
        for day, cell in self.calendar.cells.items():
            if day.year == self.year:
                yield PlacedCell(week_of_year(day), day.weekday(), cell)

    def months(self) -> Iterator[tuple[str, int]]:
        """Yields the short name of each month and the week in which the month starts."""
        for month in range(1, 13):
            first_day = date(self.year, month, 1)
            yield f"{first_day:%b}", week_of_year(first_day)

    def summary(self) -> str:
        """Returns the number of days in each condition as text."""
        conditions = [placed.cell.condition for placed in self.cells()]
        return ", ".join(f"{conditions.count(kind)} days {kind}" for kind in DayCondition if kind in conditions)


def week_of_year(day: date) -> int:
    """Returns the number of the week, from 0; weeks start on Monday.

    >>> week_of_year(date(2024, 1, 7)), week_of_year(date(2024, 1, 8))
    (0, 1)
    """
    new_year = date(day.year, 1, 1)
    return ((day - new_year).days + new_year.weekday()) // 7


def calendars(days: pl.DataFrame) -> list[Calendar]:
    """Returns one calendar per series.

    Args:
        days: One row per day and series, as `Lake.coverage` or the coverage log return them.
    """
    ordered = days.with_columns(pl.col("kline_interval").fill_null("")).sort(
        "dataset", "symbol", "kline_interval", "day"
    )
    groups = ordered.group_by("dataset", "symbol", "kline_interval", maintain_order=True)
    return [
        Calendar(" ".join(str(name) for name in names if name), {row["day"]: _cell(row) for row in rows.to_dicts()})
        for names, rows in groups
    ]


def charts(calendars: Sequence[Calendar]) -> list[YearChart]:
    """Returns the blocks of a picture: one per calendar and year."""
    return [YearChart(calendar, year) for calendar in calendars for year in calendar.years()]


def _cell(row: Mapping[str, object]) -> Cell:
    rows = f"{row['rows']:,} of {row['expected']:,} rows" if row["expected"] is not None else f"{row['rows']:,} rows"
    parts = [f"{row['day']}: {row['condition']}", rows, str(row["sources"] or ""), str(row["reason"] or "")]
    return Cell(DayCondition(str(row["condition"])), "; ".join(part for part in parts if part))
