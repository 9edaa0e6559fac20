"""A worker: commands one after another, each in its own environment, until one fails or keeps too much memory."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from crypto_lakehouse.cli import worker


def request(mark: str, *arguments: str, **environment: str) -> str:
    """Returns the line of a request."""
    return json.dumps({"arguments": arguments, "environment": environment, "mark": mark}) + "\n"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the environment of the tests, and lets their memory count as little."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(worker, "_memory", lambda: 1)


def _echo(arguments: Sequence[str]) -> int:
    print("carried out", *arguments)
    return 65 if arguments[0] == "bad" else 0


def test_a_command_that_fails_is_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    worker.serve(io.StringIO(request("mark-0", "good") + request("mark-1", "bad") + request("mark-2", "never")), _echo)
    assert capsys.readouterr().out.splitlines() == [
        "carried out good",
        "mark-0 0 ready",
        "carried out bad",
        "mark-1 65 ends",
    ]


def test_a_worker_that_keeps_much_memory_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_MEMORY", 0)
    worker.serve(io.StringIO(request("mark-0", "good") + request("mark-1", "never")), _echo)
    assert capsys.readouterr().out.splitlines() == ["carried out good", "mark-0 0 ends"]


_MEMORY = """
from crypto_lakehouse.cli.worker import _memory
before = _memory()
held = bytearray(b"x") * (1 << 28)
print(_memory() - before)
del held
print(_memory() - before)
"""


def test_memory_that_is_given_back_does_not_count() -> None:
    done = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, check=True)
    held, later = map(int, done.stdout.split())
    assert held > 1 << 27
    assert later < 1 << 26


def test_the_process_carries_out_commands_each_with_the_settings_of_its_own_request() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRYPTO_LAKEHOUSE")}
    order = ("step", "pull", "--work-order", "runs/x/y/pull-000.json")
    done = subprocess.run(
        [sys.executable, "-m", "crypto_lakehouse.cli.worker"],
        input=request("first", "--version", **kept) + request("second", *order, **kept, CRYPTO_LAKEHOUSE_UNKNOWN="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    version, *marks = done.stdout.splitlines()
    assert version.startswith("crypto-lakehouse ")
    assert marks == ["first 0 ready", "second 64 ends"]
    assert "CRYPTO_LAKEHOUSE_UNKNOWN" in done.stderr
