"""Calendars can be read without colour."""

from datetime import date

from crypto_lakehouse.reports.calendar import (
    COLOURS,
    DARK_COLOURS,
    LETTERS,
    MEANINGS,
    WEEKS_PER_YEAR,
    Calendar,
    charts,
    week_of_year,
)
from crypto_lakehouse.vocabulary import DayCondition


def luminance(colour: str) -> float:
    """Returns the relative luminance of a colour, as WCAG defines it."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_condition_has_its_own_letter_colour_and_meaning() -> None:
    assert len(set(LETTERS.values())) == len(set(COLOURS.values())) == len(set(MEANINGS.values())) == len(DayCondition)


def test_the_text_on_every_colour_has_enough_contrast() -> None:
    for kind, colour in COLOURS.items():
        text = 1.0 if kind in DARK_COLOURS else luminance("#1d2530")
        low, high = sorted((luminance(colour), text))
        # 3 is what WCAG asks of large or bold marks.
        assert (high + 0.05) / (low + 0.05) >= 3, kind


def test_no_day_lies_beyond_the_last_week() -> None:
    assert max(week_of_year(date(year, 12, 31)) for year in range(2000, 2028)) == WEEKS_PER_YEAR - 1


def test_a_chart_has_the_days_of_its_year_and_counts_them(four_days: list[Calendar]) -> None:
    (chart,) = charts(four_days)
    # 2024 began on a Monday: 29 February is the Thursday of the ninth week.
    assert [(placed.week, placed.weekday) for placed in chart.cells()] == [(8, 2), (8, 3), (8, 4), (8, 5)]
    assert chart.summary() == "1 days available, 1 days degraded, 1 days pending, 1 days missing"
    assert next(iter(chart.months())) == ("Jan", 0)
