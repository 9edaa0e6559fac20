"""Progress is logged now and then, drawn on a terminal, and keeps stdout for the result."""

import json
import sys
from io import StringIO

import pytest

from crypto_lakehouse.progress import EVENT_EVERY_SECONDS, LoggedProgress, no_progress, shown_progress
from crypto_lakehouse.telemetry import switched_on


def logged(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int, int]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["event"] for line in lines} <= {"progress"}
    return [(line["what"], line["done"], line["total"]) for line in lines]


def test_an_event_comes_at_each_end_and_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(100))
    progress = LoggedProgress(now=lambda: float(next(clock)))
    with switched_on():
        for done in range(13):
            progress("files", done, 12)
    found = logged(capsys)
    assert found[0] == ("files", 0, 12)
    assert found[-1] == ("files", 12, 12)
    assert [done for _, done, _ in found[:-1]] == [0, EVENT_EVERY_SECONDS, 2 * EVENT_EVERY_SECONDS]


def test_what_is_counted_is_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LoggedProgress(now=lambda: 0.0)
    with switched_on():
        for what in ("files", "windows", "files"):
            progress(what, 0, 2)
    assert logged(capsys) == [("files", 0, 2), ("windows", 0, 2)]


def test_what_prints_meanwhile_does_not_reach_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        print("a library's line")
        progress("files", 1, 1)
    out, err = capsys.readouterr()
    assert (out, "a library's line" in err) == ("", True)


def test_a_quiet_command_shows_nothing_without_a_terminal() -> None:
    with shown_progress(quiet=True) as progress:
        assert progress is no_progress


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress(quiet=True) as progress:
        progress("files", 1, 2)
        progress("files", 2, 2)
    assert "files" in screen.getvalue()
    assert "2/2" in screen.getvalue()
