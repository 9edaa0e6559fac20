"""The calendar as a page of its own, and as a piece of another: no script, no font, no image from elsewhere."""

import html
from collections.abc import Iterator, Sequence
from datetime import date

from crypto_lakehouse.reports.calendar import (
    COLOURS,
    LETTERS,
    MEANINGS,
    Calendar,
    Cell,
    charts,
    year_cells,
)
from crypto_lakehouse.vocabulary import DayCondition

_SIZE, _PITCH, _LEFT, _TOP = 12, 14, 34, 18
_DARK_TEXT = (DayCondition.DEGRADED, DayCondition.PENDING)

CALENDAR_STYLE = (
    ".calendar text { font: 9px system-ui, sans-serif; fill: currentColor; }\n"
    + "\n".join(f".calendar .{kind} {{ fill: {colour}; }}" for kind, colour in COLOURS.items())
    + "\n.calendar text.on-dark { fill: #fff; } .calendar text.on-light { fill: #111; }\n"
    ".calendar { max-width: 100%; height: auto; display: block; margin: 2px 0 10px; }\n"
    ".calendar-legend { font-size: .85em; display: flex; flex-wrap: wrap; gap: 4px 16px; }\n"
    ".calendar-legend svg.calendar { display: inline; vertical-align: -2px; margin: 0 4px 0 0; }"
)
"""What a page that shows calendars needs among its styles."""


def calendar_page(title: str, found: Sequence[Calendar]) -> str:
    """Returns a whole page."""
    body = "\n".join(
        f"<h2>{html.escape(one.title)}</h2>\n" + "\n".join(year_picture(one, year) for year in one.years())
        for one in found
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 900px; padding: 24px 16px 64px; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1rem; margin: 24px 0 4px; }}
{CALENDAR_STYLE}
</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
{legend()}
{body}
</body>
</html>
"""


def year_picture(calendar: Calendar, year: int) -> str:
    """Returns a year of a calendar as SVG: a column per week, a row per day of the week, a tooltip per day."""
    width, height = _LEFT + 54 * _PITCH, _TOP + 7 * _PITCH
    cells = "".join(_cell(week, weekday, cell) for week, weekday, cell in year_cells(calendar, year))
    label = html.escape(f"{calendar.title} {year}: {_counts(calendar, year)}")
    return (
        f'<svg class="calendar" viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}">'
        f"{''.join(_labels(year))}{cells}</svg>"
    )


def legend() -> str:
    """Returns what the colours and letters mean."""
    return f'<p class="calendar-legend">{"".join(_legend_entry(kind) for kind in MEANINGS)}</p>'


def small_pictures(found: Sequence[Calendar], limit: int) -> str:
    """Returns the first years of calendars as pieces of a page, and how many there are beyond `limit`."""
    parts = charts(found)
    shown = [f"<h4>{html.escape(one.title)}, {year}</h4>{year_picture(one, year)}" for one, year in parts[:limit]]
    more = f"<p>and {len(parts) - limit} more; see <code>query coverage</code></p>" if len(parts) > limit else ""
    return "\n".join([legend(), *shown, more])


def _legend_entry(kind: DayCondition) -> str:
    square = f'<svg class="calendar" width="{_SIZE}" height="{_SIZE}">'
    mark = _square(0, 0, kind) + _mark(0, 0, kind)
    return f"<span>{square}{mark}</svg>{kind}: {MEANINGS[kind]}</span>"


def _labels(year: int) -> Iterator[str]:
    yield f'<text x="0" y="{_TOP - 6}">{year}</text>'
    first = date(year, 1, 1)
    for month in range(1, 13):
        week = ((date(year, month, 1) - first).days + first.weekday()) // 7
        yield f'<text x="{_LEFT + week * _PITCH}" y="{_TOP - 6}">{date(year, month, 1):%b}</text>'
    for weekday, name in ((0, "Mon"), (2, "Wed"), (4, "Fri")):
        yield f'<text x="0" y="{_TOP + weekday * _PITCH + 10}">{name}</text>'


def _cell(week: int, weekday: int, cell: Cell) -> str:
    left, top = _LEFT + week * _PITCH, _TOP + weekday * _PITCH
    inner = _square(left, top, cell.condition) + _mark(left, top, cell.condition)
    return f"<g><title>{html.escape(cell.words)}</title>{inner}</g>"


def _square(left: int, top: int, kind: DayCondition) -> str:
    return f'<rect class="{kind}" x="{left}" y="{top}" width="{_SIZE}" height="{_SIZE}" rx="2"/>'


def _mark(left: int, top: int, kind: DayCondition) -> str:
    if kind is DayCondition.AVAILABLE:
        return ""
    shade = "on-light" if kind in _DARK_TEXT else "on-dark"
    return f'<text class="{shade}" x="{left + _SIZE / 2:g}" y="{top + 9}" text-anchor="middle">{LETTERS[kind]}</text>'


def _counts(calendar: Calendar, year: int) -> str:
    kinds = [cell.condition for _, _, cell in year_cells(calendar, year)]
    return ", ".join(f"{kinds.count(kind)} days {kind}" for kind in DayCondition if kind in kinds)
