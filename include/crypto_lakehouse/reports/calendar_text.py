"""The calendar for a terminal: a month per row, a letter per day."""

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


def calendar_lines(found: Sequence[Calendar], *, coloured: bool) -> Iterator[str]:
    """Yields the lines of calendars and their legend; `coloured` adds the codes that terminals understand."""
    for one in found:
        yield one.title
        yield "         " + "".join(f"{day:<5}" for day in (1, 6, 11, 16, 21, 26, 31)).rstrip()
        for month in one.months():
            yield f"{month:%Y-%m}  {''.join(_letter(one, day, coloured) for day in _days(month))}".rstrip()
        yield ""
    yield "  ".join(f"{_painted(kind, coloured)} {kind}: {words}" for kind, words in MEANINGS.items())


def _days(month: date) -> list[date]:
    after = (month + timedelta(days=31)).replace(day=1)
    return [month + timedelta(days=number) for number in range((after - month).days)]


def _letter(calendar: Calendar, day: date, coloured: bool) -> str:
    cell = calendar.cells.get(day)
    return _painted(cell.condition, coloured) if cell else " "


def _painted(condition: DayCondition, coloured: bool) -> str:
    letter = LETTERS[condition]
    return f"\x1b[{_ANSI[condition]}m{letter}\x1b[0m" if coloured else letter
