"""The calendar as a PNG image, pixel by pixel: where a page cannot be shown."""

import struct
import zlib
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from crypto_lakehouse.reports.calendar import COLOURS, LETTERS, MEANINGS, Calendar, charts, year_cells
from crypto_lakehouse.vocabulary import DayCondition, Interval

_SIZE, _PITCH, _MARGIN, _TITLE, _MONTHS, _BELOW = 13, 15, 12, 18, 14, 12
_INK, _PAPER, _LIGHT = (29, 37, 48), (255, 255, 255), (255, 255, 255)
_ORDER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
_ROWS = (
    "2575565656344436555674647746443455355755722271115255655444475775565555255526564425563656553421672222"
    "55557555525577555255552227124775557262277174771717557117471774757711117575775717007000000700002"
)
# An interval's letters stay small: 1m is a minute, 1M would be a month.
_SMALL = {"s": "03463", "m": "00775", "h": "44655", "d": "11353", "w": "00577", "o": "00252"}
_GLYPHS = {letter: _ROWS[5 * number : 5 * number + 5] for number, letter in enumerate(_ORDER)} | _SMALL
"""Letters of three by five dots: a digit is a row, its bits are the dots."""

Image = np.ndarray[Any, np.dtype[np.uint8]]


def calendar_png(found: Sequence[Calendar]) -> bytes:
    """Returns an image of calendars, a block per series and year, with a legend below."""
    parts = charts(found)
    block = _TITLE + _MONTHS + 7 * _PITCH + _BELOW
    width, height = 2 * _MARGIN + 54 * _PITCH, 2 * _MARGIN + len(parts) * block + _PITCH
    image = np.empty((height, width, 3), np.uint8)
    image[:] = _PAPER
    for number, (one, year) in enumerate(parts):
        _draw_year(image, _MARGIN + number * block, one, year)
    _draw_legend(image, _MARGIN + len(parts) * block)
    return _png(image)


def _draw_year(image: Image, top: int, calendar: Calendar, year: int) -> None:
    words = (one if one in set(Interval) else one.upper() for one in calendar.title.split())
    _draw_text(image, (_MARGIN, top), f"{' '.join(words)} {year}", 2)
    first = date(year, 1, 1)
    for month in range(1, 13):
        week = ((date(year, month, 1) - first).days + first.weekday()) // 7
        _draw_text(image, (_MARGIN + week * _PITCH, top + _TITLE + 2), f"{date(year, month, 1):%b}".upper(), 1)
    for week, weekday, cell in year_cells(calendar, year):
        place = (_MARGIN + week * _PITCH, top + _TITLE + _MONTHS + weekday * _PITCH)
        _draw_cell(image, place, cell.condition)


def _draw_cell(image: Image, place: tuple[int, int], kind: DayCondition) -> None:
    left, top = place
    image[top : top + _SIZE, left : left + _SIZE] = _rgb(COLOURS[kind])
    if kind is not DayCondition.AVAILABLE:
        ink = _LIGHT if kind is DayCondition.MISSING else _INK
        _draw_text(image, (left + 5, top + 4), LETTERS[kind], 1, ink)


def _draw_legend(image: Image, top: int) -> None:
    left = _MARGIN
    for kind, words in MEANINGS.items():
        _draw_cell(image, (left, top), kind)
        text = f"{kind} - {words}".upper()
        _draw_text(image, (left + _PITCH + 2, top + 4), text, 1)
        left += _PITCH + 4 * len(text) + 24


def _draw_text(image: Image, place: tuple[int, int], text: str, scale: int, ink: tuple[int, int, int] = _INK) -> None:
    left, top = place
    for number, letter in enumerate(text):
        # A letter that is not drawn here is a box, a space is nothing.
        rows = "00000" if letter == " " else _GLYPHS.get(letter, "75557")
        dots = np.array([[int(row) >> shift & 1 for shift in (2, 1, 0)] for row in rows], bool)
        pixels = np.kron(dots, np.ones((scale, scale), bool))
        start = left + number * 4 * scale
        target = image[top : top + pixels.shape[0], start : start + pixels.shape[1]]
        # Text that is too long for the image ends at its edge.
        target[pixels[: target.shape[0], : target.shape[1]]] = ink


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(image: Image) -> bytes:
    height, width, _ = image.shape
    # Every line starts with the number of its filter: none.
    lines = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
