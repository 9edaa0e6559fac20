"""Tables: plain lines for other programs, wrapped columns for people."""

import re
import sys

import pytest

from crypto_lakehouse.cli.output import print_table

COLUMNS = ("symbol", "rows", "at")
ROWS = [("BTCUSDT", 1_234_567, None), ("[bold]X", 8, None), ("币安人生", -1, None), ("\x1b[2J", 0, None)]


def test_other_programs_get_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "symbol         rows  at",
        "BTCUSDT   1,234,567   -",
        "[bold]X           8   -",
        # Each of these letters takes two columns.
        "币安人生         -1   -",
        "\N{REPLACEMENT CHARACTER}[2J              0   -",
    ]


def test_other_programs_get_one_line_per_row_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [("x" * 5000, "y" * 5000)])
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [5003, 10_002]


def test_a_table_without_rows_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [])
    assert capsys.readouterr().out == "symbol  rows  at\n"


def test_a_terminal_gets_a_bold_header_and_no_line_beyond_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("name", "value"), [("short", "z" * 100), ("\x1b[2J", "")])
    out = capsys.readouterr().out
    assert "\x1b[1m" in out
    assert "\x1b[2J" not in out
    assert 20 < out.count("z") < 40, "what does not fit is cut off"
    assert "z…" in out
    assert all(len(line) <= 40 for line in re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines())
