"""The page needs nothing from elsewhere, and does not trust what it shows."""

import re
from xml.etree import ElementTree

from crypto_lakehouse.reports.calendar import Calendar
from crypto_lakehouse.reports.calendar_page import calendar_page


def test_the_page_has_a_tooltip_per_day_and_needs_no_network(four_days: list[Calendar]) -> None:
    page = calendar_page("Coverage <of> it", four_days)
    assert page.count("<title>") == 5
    assert "<title>2024-02-29: degraded; 21 of 24 rows; archive_daily; 3 rows &lt;b&gt;</title>" in page
    assert "Coverage &lt;of&gt; it" in page
    assert not re.search(r"<script|<link|@import|url\(|(src|href)=", page)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 5
    for svg in pictures:
        ElementTree.fromstring(svg)


def test_a_cell_stands_in_the_column_of_its_week_and_the_row_of_its_weekday(four_days: list[Calendar]) -> None:
    # 2024 began on a Monday: 29 February is the Thursday of the ninth week.
    assert '<rect class="degraded" x="146" y="60"' in calendar_page("", four_days)
