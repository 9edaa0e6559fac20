"""One colour has one meaning, on every page."""

import re

import pytest

from crypto_lakehouse.reports.calendar import COLOURS, Calendar
from crypto_lakehouse.reports.calendar_page import calendar_page
from crypto_lakehouse.reports.looks import LOOKS
from crypto_lakehouse.reports.quality_report import quality_report
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.vocabulary import Condition, DayCondition


@pytest.mark.parametrize("kind", [Condition, DayCondition, RunStatus])
def test_every_condition_has_a_look(kind: type[Condition] | type[DayCondition] | type[RunStatus]) -> None:
    assert {each.value for each in kind} <= set(LOOKS)


def test_available_has_one_colour_in_the_report_in_the_calendar_and_in_the_picture(four_days: list[Calendar]) -> None:
    pages = (quality_report("T", [], []), calendar_page("T", four_days))
    colours = {colour for page in pages for colour in re.findall(r"\.available \{ --fill: (#\w+)", page)}
    assert colours == {COLOURS[DayCondition.AVAILABLE]}
    assert all(page.count("--fill: ") == len(LOOKS) for page in pages), "no page has colours of its own"
