"""Calendars as an HTML page that needs no script, font or image from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto_lakehouse.reports.calendar import (
    DARK_COLOURS,
    LETTERS,
    MEANINGS,
    WEEKS_PER_YEAR,
    Calendar,
    YearChart,
    charts,
)
from crypto_lakehouse.reports.rendering import render
from crypto_lakehouse.vocabulary import DayCondition

_PITCH, _LEFT, _TOP = 14, 34, 18


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One condition of a day, with all that a template needs to draw it."""

    condition: DayCondition
    letter: str
    text_class: str
    meaning: str


@dataclass(frozen=True, slots=True)
class SvgCell:
    """A day in an SVG picture: its left and top edge in pixels, its look and its tooltip."""

    left: int
    top: int
    look: LegendEntry
    text: str


@dataclass(frozen=True, slots=True)
class SvgChart:
    """A year of a calendar in pixels: a column per week, a row per day of the week."""

    title: str
    year: int
    label: str
    months: Sequence[tuple[str, int]]
    cells: Sequence[SvgCell]
    width: int = _LEFT + WEEKS_PER_YEAR * _PITCH
    height: int = _TOP + 7 * _PITCH
    weekdays: Sequence[tuple[str, int]] = (("Mon", _TOP + 10), ("Wed", _TOP + 38), ("Fri", _TOP + 66))


LEGEND = tuple(
    LegendEntry(
        condition=kind,
        # The usual condition has no letter: the others are easier to see.
        letter="" if kind is DayCondition.AVAILABLE else LETTERS[kind],
        text_class="on-dark" if kind in DARK_COLOURS else "on-light",
        meaning=MEANINGS[kind],
    )
    for kind in DayCondition
)
"""The conditions in the order in which a legend shows them."""

_LOOKS = {entry.condition: entry for entry in LEGEND}


def calendar_page(title: str, calendars: Sequence[Calendar]) -> str:
    """Returns a whole HTML page with all years of the calendars."""
    sections = [(calendar.title, [svg_chart(chart) for chart in charts([calendar])]) for calendar in calendars]
    return render("calendar_page.html.j2", title=title, legend=LEGEND, sections=sections)


def svg_chart(chart: YearChart) -> SvgChart:
    """Returns a year of a calendar with its places in pixels."""
    return SvgChart(
        title=chart.calendar.title,
        year=chart.year,
        label=f"{chart.calendar.title} {chart.year}: {chart.summary()}",
        months=[(name, _LEFT + week * _PITCH) for name, week in chart.months()],
        cells=[
            SvgCell(
                left=_LEFT + placed.week * _PITCH,
                top=_TOP + placed.weekday * _PITCH,
                look=_LOOKS[placed.cell.condition],
                text=placed.cell.text,
            )
            for placed in chart.cells()
        ],
    )
