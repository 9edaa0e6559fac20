"""Calendars for a terminal: a month per line, a letter per day."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from crypto_lakehouse.reports.calendar import LETTERS, MEANINGS, Calendar
from crypto_lakehouse.vocabulary import DayCondition

_ANSI = {
    DayCondition.AVAILABLE: "97;48;5;25",
    DayCondition.DEGRADED: "30;48;5;227",
    DayCondition.PENDING: "30;48;5;252",
    DayCondition.MISSING: "97;48;5;166",
}


def calendar_lines(calendars: Sequence[Calendar], *, coloured: bool) -> Iterator[str]:
    """Yields the lines of the calendars, then the legend.

    Args:
        calendars: What to show.
        coloured: Add ANSI colour codes.
    """
    for calendar in calendars:
        yield calendar.title
        yield "         " + "".join(f"{day:<5}" for day in (1, 6, 11, 16, 21, 26, 31)).rstrip()
        for month in calendar.months():
            yield f"{month:%Y-%m}  {''.join(_letter(calendar, day, coloured) for day in _days(month))}".rstrip()
        yield ""
    yield "  ".join(f"{_painted(kind, coloured)} {kind}: {meaning}" for kind, meaning in MEANINGS.items())


def _days(month: date) -> list[date]:
    next_month = (month + timedelta(days=31)).replace(day=1)
    return [month + timedelta(days=number) for number in range((next_month - month).days)]


def _letter(calendar: Calendar, day: date, coloured: bool) -> str:
    cell = calendar.cells.get(day)
    return _painted(cell.condition, coloured) if cell else " "


def _painted(condition: DayCondition, coloured: bool) -> str:
    letter = LETTERS[condition]
    return f"\x1b[{_ANSI[condition]}m{letter}\x1b[0m" if coloured else letter
