"""Pictures read without colour, need nothing from elsewhere, and do not trust what they draw."""

import re
import struct
import zlib
from datetime import date
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from crypto_lakehouse.reports.calendar import COLOURS, LETTERS, Calendar, calendars
from crypto_lakehouse.reports.calendar_image import calendar_png
from crypto_lakehouse.reports.calendar_page import calendar_page, small_pictures
from crypto_lakehouse.reports.calendar_text import calendar_lines
from crypto_lakehouse.vocabulary import DayCondition


def frame(symbol: str = "BTCUSDT") -> pl.DataFrame:
    """Returns the last days of a leap February and the first of March, one in each condition."""
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 2)]
    return pl.DataFrame(
        {
            "dataset": "binance_um_klines",
            "symbol": symbol,
            "kline_interval": "1h",
            "day": days,
            "condition": [one.value for one in DayCondition],
            "reason": ["", "3 rows <b>", "until 10:00", "none"],
            "rows": [24, 21, 10, 0],
            "expected": [24, 24, 10, None],
            "sources": "archive_daily",
        }
    )


@pytest.fixture
def found() -> list[Calendar]:
    """One calendar of four days."""
    return calendars(frame())


def test_every_condition_has_its_own_letter_and_colour() -> None:
    assert len(set(LETTERS.values())) == len(set(COLOURS.values())) == len(DayCondition)


def test_the_terminal_shows_a_month_per_row_and_a_letter_per_day(found: list[Calendar]) -> None:
    lines = list(calendar_lines(found, coloured=False))
    assert lines[0] == "binance_um_klines BTCUSDT 1h"
    assert lines[2] == "2024-02" + " " * 29 + "AD"
    assert lines[3] == "2024-03  PM"
    assert lines[1].index("26") == lines[2].index("A") - 2
    assert "A available: all there" in lines[-1]
    assert "\x1b" not in "".join(lines)


def test_colour_adds_to_the_letters_and_replaces_none(found: list[Calendar]) -> None:
    coloured = list(calendar_lines(found, coloured=True))
    assert "\x1b[97;48;5;25mA\x1b[0m" in coloured[2]
    assert [re.sub(r"\x1b\[[0-9;]*m", "", one) for one in coloured] == list(calendar_lines(found, coloured=False))


def test_the_page_has_a_tooltip_per_day_and_needs_no_network(found: list[Calendar]) -> None:
    page = calendar_page("Coverage <of> it", found)
    assert page.count("<title>") == 5
    assert "<title>2024-02-29: degraded; 21 of 24 rows; archive_daily; 3 rows &lt;b&gt;</title>" in page
    assert "Coverage &lt;of&gt; it" in page
    assert not re.search(r"<script|<link|@import|url\(|(src|href)=", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)


def test_a_cell_stands_in_the_column_of_its_week_and_the_row_of_its_weekday(found: list[Calendar]) -> None:
    page = calendar_page("", found)
    # 2024 began on a Monday: 29 February is the Thursday of the ninth week.
    assert '<rect class="degraded" x="146" y="60"' in page


def test_pictures_beyond_the_limit_are_counted() -> None:
    several = calendars(pl.concat([frame(f"S{n}USDT") for n in range(5)]))
    piece = small_pictures(several, 3)
    assert piece.count('<svg class="calendar" viewBox') == 3
    assert "and 2 more" in piece


def test_the_image_is_a_png_with_every_colour_in_it(found: list[Calendar]) -> None:
    data = calendar_png([*found, *calendars(frame("币安人生USDT" * 8))])
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        [length] = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    pixels = {tuple(int(part) for part in one) for one in np.unique(lines[:, 1:].reshape(-1, 3), axis=0)}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in COLOURS.values()} <= pixels
