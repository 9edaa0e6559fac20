"""The calendar of a series: one cell per UTC day, told apart by colour and by letter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.vocabulary import DayCondition

LETTERS: Mapping[DayCondition, str] = MappingProxyType({one: one.value[0].upper() for one in DayCondition})
"""A cell's letter, so that it reads without colour."""

COLOURS: Mapping[DayCondition, str] = MappingProxyType(
    {
        # Of the palette of Okabe and Ito, which people of any colour vision tell apart, also in grey.
        DayCondition.AVAILABLE: "#0072b2",
        DayCondition.DEGRADED: "#f0e442",
        DayCondition.PENDING: "#c4cad2",
        DayCondition.MISSING: "#d55e00",
    }
)
MEANINGS: Mapping[DayCondition, str] = MappingProxyType(
    {
        DayCondition.AVAILABLE: "all there",
        DayCondition.DEGRADED: "with holes",
        DayCondition.PENDING: "still to come",
        DayCondition.MISSING: "nothing to read",
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A day: its condition, and what is to be said of it."""

    condition: DayCondition
    words: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of one series, by day; days that nothing is known of are not in it."""

    title: str
    cells: Mapping[date, Cell]

    def years(self) -> list[int]:
        """Returns the years it has days of, in order."""
        return sorted({day.year for day in self.cells})

    def months(self) -> list[date]:
        """Returns the first days of the months from its first day to its last."""
        if not self.cells:
            return []
        month, last, found = min(self.cells).replace(day=1), max(self.cells), []
        while month <= last:
            found.append(month)
            month = (month + timedelta(days=31)).replace(day=1)
        return found


def calendars(days: pl.DataFrame) -> list[Calendar]:
    """Returns a calendar per series of a frame of days: of `Lake.coverage`, or of the coverage log."""
    found = []
    series = days.with_columns(pl.col("kline_interval").fill_null("")).sort(
        "dataset", "symbol", "kline_interval", "day"
    )
    for names, rows in series.group_by("dataset", "symbol", "kline_interval", maintain_order=True):
        title = " ".join(str(one) for one in names if one)
        found.append(Calendar(title, {row["day"]: _cell(row) for row in rows.iter_rows(named=True)}))
    return found


def _cell(row: Mapping[str, object]) -> Cell:
    rows = f"{row['rows']:,} of {row['expected']:,} rows" if row["expected"] is not None else f"{row['rows']:,} rows"
    words = [f"{row['day']}: {row['condition']}", rows, str(row["sources"] or ""), str(row["reason"] or "")]
    return Cell(DayCondition(str(row["condition"])), "; ".join(one for one in words if one))


def year_cells(calendar: Calendar, year: int) -> Iterator[tuple[int, int, Cell]]:
    """Yields the cells of a year with their week, from 0, and day of the week, from Monday."""
    first = date(year, 1, 1)
    for day, cell in calendar.cells.items():
        if day.year == year:
            yield ((day - first).days + first.weekday()) // 7, day.weekday(), cell


def charts(found: Sequence[Calendar]) -> list[tuple[Calendar, int]]:
    """Returns what a picture is made of: each calendar and year."""
    return [(one, year) for one in found for year in one.years()]
