"""Every way a command can end has one exit code, and two lines that say what and what to do."""

import json
import os
import signal
import subprocess
import sys

import pytest
import typer

from crypto_lakehouse import errors
from crypto_lakehouse.cli.edge import exit_code, run
from crypto_lakehouse.cli.output import JsonOption
from crypto_lakehouse.errors import (
    ChecksumMismatch,
    InvalidRequest,
    LakehouseError,
    PermanentError,
    RateLimited,
    SourceUnavailable,
    TransientError,
)


def program(error: BaseException | None) -> typer.Typer:
    """A program of one command that ends in an error."""
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    def command(*, as_json: JsonOption = False) -> None:
        if error is not None:
            raise error
        print(json.dumps({"as_json": as_json}))

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SourceUnavailable("no answer", "try again"), 75),
        (RateLimited("wait", "wait"), 75),
        (ChecksumMismatch("other bytes", "look"), 65),
        (InvalidRequest("not a symbol", "spell it"), 64),
        (ZeroDivisionError("division by zero"), 70),
        (KeyboardInterrupt(), 130),
        (typer.Exit(3), 3),
    ],
)
def test_an_error_has_its_exit_code(error: BaseException | None, code: int) -> None:
    assert run(program(error), "lake", ["--json"]) == code


@pytest.mark.parametrize("name", [name for name in dir(errors) if isinstance(getattr(errors, name), type)])
def test_every_error_of_the_tree_has_the_code_of_its_branch(name: str) -> None:
    kind = getattr(errors, name)
    if issubclass(kind, LakehouseError) and kind is not LakehouseError:
        expected = 75 if issubclass(kind, TransientError) else 64 if issubclass(kind, InvalidRequest) else 65
        assert exit_code(kind("what")) == expected
        assert issubclass(kind, TransientError | PermanentError)
    else:
        assert name in {"LakehouseError", "SpecificationError"}


def test_an_error_is_two_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run(program(InvalidRequest("3 symbols\nare odd", "spell\nthem", dataset="d", partition="p")), "lake", ["--json"])
    out, err = capsys.readouterr()
    assert err == "error: d p: 3 symbols are odd\nspell them\n"
    assert json.loads(out)["error"] == {
        "class": "InvalidRequest",
        "message": "d p: 3 symbols are odd",
        "advice": "spell them",
        "exit_code": 64,
    }


def test_a_fault_of_ours_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    run(program(ZeroDivisionError("division by zero")), "lake", ["--json"])
    out, err = capsys.readouterr()
    assert "Traceback" in err
    assert json.loads(out)["error"]["exit_code"] == 70


@pytest.mark.parametrize("arguments", [["--nonsense"], ["extra"]])
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(None), "lake", arguments) == 64
    assert len(capsys.readouterr().err.splitlines()) == 2


_WAITS = """
import sys, time
import typer
from crypto_lakehouse.cli.edge import run
app = typer.Typer()
@app.command()
def command() -> None:
    try:
        print("ready", flush=True)
        time.sleep(3600)
    finally:
        print("cleared away", flush=True)
sys.exit(run(app, "lake", ["--"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_unwinds_and_has_its_code(number: signal.Signals, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _WAITS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        rest = process.stdout.read()
    assert rest == "cleared away\n"
    assert process.returncode == code


def test_output_into_a_closed_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "crypto_lakehouse.cli", "--help"]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, "")
