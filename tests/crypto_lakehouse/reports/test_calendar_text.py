import re

from crypto_lakehouse.reports.calendar import Calendar
from crypto_lakehouse.reports.calendar_text import calendar_lines


def test_the_terminal_shows_a_month_per_line_and_a_letter_per_day(four_days: list[Calendar]) -> None:
    lines = list(calendar_lines(four_days, coloured=False))
    assert lines[0] == "binance_um_klines BTCUSDT 1h"
    assert lines[2] == "2024-02" + " " * 29 + "AD"
    assert lines[3] == "2024-03  PM"
    assert lines[1].index("26") == lines[2].index("A") - 2
    assert "A available: complete" in lines[-1]
    assert "\x1b" not in "".join(lines)


def test_colour_adds_to_the_letters_and_replaces_none(four_days: list[Calendar]) -> None:
    coloured = list(calendar_lines(four_days, coloured=True))
    assert "\x1b[97;48;5;25mA\x1b[0m" in coloured[2]
    plain = list(calendar_lines(four_days, coloured=False))
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain
