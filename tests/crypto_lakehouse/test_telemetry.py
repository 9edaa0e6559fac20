"""Logs are lines of JSON where nobody looks on, words on a terminal, and nothing where no program switched them on."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest

from crypto_lakehouse.telemetry import Level, bound, event, readable, switched_on


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_an_event_is_one_line_of_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with switched_on(), bound(step="pull", dataset="d", run="r"):
        event("step_ended", seconds=0.5, objects=3, words="a\nb 币")
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    facts = json.loads(line)
    assert facts.pop("timestamp").endswith("Z")
    assert facts == {
        "event": "step_ended",
        "level": "info",
        "step": "pull",
        "dataset": "d",
        "run": "r",
        "seconds": 0.5,
        "objects": 3,
        "words": "a\nb 币",
    }


def test_nothing_is_logged_unless_a_program_switched_it_on(capsys: pytest.CaptureFixture[str]) -> None:
    event("before")
    with switched_on(), switched_on():
        event("meanwhile")
    event("after")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["meanwhile"]


def test_facts_hold_until_their_block_ends_and_in_their_thread(capsys: pytest.CaptureFixture[str]) -> None:
    with switched_on():
        with bound(run="outer"), bound(step="inner"):
            event("both")
            with ThreadPoolExecutor(1) as pool:
                pool.submit(event, "elsewhere").result()
        event("none")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(facts.get("run"), facts.get("step")) for facts in found] == [
        ("outer", "inner"),
        (None, None),
        (None, None),
    ]


def test_a_terminal_shows_warnings_in_words_and_nothing_less(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with switched_on():
        event("step_started", step="pull")
        event("partition_quarantined", Level.WARNING, partition="p")
    (line,) = terminal.getvalue().splitlines()
    assert "partition_quarantined" in line
    assert "{" not in line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            '{"event": "progress", "level": "info", "timestamp": "t", "what": "files", "done": 3}',
            "progress what=files done=3",
        ),
        ("pull of d: succeeded in 1.0 s", "pull of d: succeeded in 1.0 s"),
        ('{"event": "cut off', '{"event": "cut off'),
        ('{"status": "failed"}', '{"status": "failed"}'),
        ("", ""),
    ],
)
def test_a_line_of_json_becomes_words_and_any_other_stays(line: str, words: str) -> None:
    assert readable(line) == words
