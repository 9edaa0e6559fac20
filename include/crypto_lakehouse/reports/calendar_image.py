"""Calendars as a PNG image, for places that cannot show a page. Needs Pillow, which the extra `reports` installs."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from crypto_lakehouse.reports.calendar import (
    COLOURS,
    DARK_COLOURS,
    LETTERS,
    MEANINGS,
    WEEKS_PER_YEAR,
    Calendar,
    YearChart,
    charts,
)
from crypto_lakehouse.vocabulary import DayCondition

# Pixels. Everything is drawn at twice the size of the HTML page, for screens of high density.
_CELL, _PITCH, _MARGIN, _LABELS = 26, 30, 28, 64
_TITLE, _MONTHS, _BELOW = 40, 30, 30
_TITLE_FONT, _LABEL_FONT, _LETTER_FONT = 26, 18, 17
_INK, _PAPER, _LIGHT = "#1d2530", "#ffffff", "#ffffff"


def calendar_png(calendars: Sequence[Calendar]) -> bytes:
    """Returns a PNG image of the calendars: a block per series and year, with a legend below."""
    blocks = charts(calendars)
    block_height = _TITLE + _MONTHS + 7 * _PITCH + _BELOW
    width = 2 * _MARGIN + _LABELS + WEEKS_PER_YEAR * _PITCH
    image = Image.new("RGB", (width, 2 * _MARGIN + len(blocks) * block_height + _PITCH), _PAPER)
    draw = ImageDraw.Draw(image)
    for number, chart in enumerate(blocks):
        _draw_year(draw, _MARGIN + number * block_height, chart)
    _draw_legend(draw, _MARGIN + len(blocks) * block_height)
    target = io.BytesIO()
    image.save(target, "PNG", optimize=True)
    return target.getvalue()


def _draw_year(draw: ImageDraw.ImageDraw, top: int, chart: YearChart) -> None:
    left, grid_top = _MARGIN + _LABELS, top + _TITLE + _MONTHS
    title = f"{chart.calendar.title} {chart.year}"
    draw.text((_MARGIN, top), title, _INK, ImageFont.load_default(_TITLE_FONT))
    labels = ImageFont.load_default(_LABEL_FONT)
    for name, week in chart.months():
        draw.text((left + week * _PITCH, top + _TITLE), name, _INK, labels)
    for weekday, name in ((0, "Mon"), (2, "Wed"), (4, "Fri")):
        place = (_MARGIN, grid_top + weekday * _PITCH + _CELL // 2)
        draw.text(place, name, _INK, labels, anchor="lm")
    for placed in chart.cells():
        place = (left + placed.week * _PITCH, grid_top + placed.weekday * _PITCH)
        _draw_cell(draw, place, placed.cell.condition)


def _draw_cell(draw: ImageDraw.ImageDraw, place: tuple[int, int], condition: DayCondition) -> None:
    left, top = place
    box = (left, top, left + _CELL - 1, top + _CELL - 1)
    draw.rounded_rectangle(box, radius=4, fill=COLOURS[condition])
    if condition is not DayCondition.AVAILABLE:
        middle = (left + _CELL // 2, top + _CELL // 2)
        ink = _LIGHT if condition in DARK_COLOURS else _INK
        draw.text(middle, LETTERS[condition], ink, ImageFont.load_default(_LETTER_FONT), anchor="mm")


def _draw_legend(draw: ImageDraw.ImageDraw, top: int) -> None:
    left, font = _MARGIN, ImageFont.load_default(_LABEL_FONT)
    for condition, meaning in MEANINGS.items():
        _draw_cell(draw, (left, top), condition)
        text = f"{condition}: {meaning}"
        draw.text((left + _PITCH + 6, top + _CELL // 2), text, _INK, font, anchor="lm")
        left += _PITCH + 6 + round(draw.textlength(text, font)) + 36
