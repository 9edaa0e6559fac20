"""The edge of the command line: every error becomes two lines on stderr and an exit code that means something."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from crypto_lakehouse import exit_codes
from crypto_lakehouse.cli.arguments import gathered
from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.exit_codes import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TERMINATED,
    EXIT_UNEXPECTED,
    EXIT_USAGE,
)


def exit_code(error: BaseException) -> int:
    """Returns the exit code that an error stands for; one of the command line itself is a fault of usage."""
    return EXIT_USAGE if isinstance(error, typer.TyperException) else exit_codes.exit_code(error)


def run(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code; no exception passes but those of the interpreter.

    Args:
        app: The program.
        program: Its name in messages.
        arguments: What follows the name; the process's own by default.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        with _terminable():
            code = app(gathered(given), prog_name=program, standalone_mode=False)
            sys.stdout.flush()
            return code if isinstance(code, int) else EXIT_OK
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit) as end:
        # The reader of our output went away, as `| head` does; typer turns that into SystemExit.
        if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):
            raise
        # The interpreter would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    # This is the edge: whatever broke becomes an exit code, and what we did not foresee shows its traceback.
    except Exception as error:
        return _report(error, program, "--json" in given)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turns SIGTERM into an exit that unwinds, so that children and scratch folders are cleared away."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_TERMINATED)


def _report(error: Exception, program: str, as_json: bool) -> int:
    code = exit_code(error)
    if code == EXIT_UNEXPECTED:
        traceback.print_exception(error, file=sys.stderr)
    what, advice = _lines(error, program)
    print(f"error: {what}", file=sys.stderr)
    print(advice, file=sys.stderr)
    if as_json:
        fault = {"class": type(error).__name__, "message": what, "advice": advice, "exit_code": code}
        print(json.dumps({"status": "failed", "error": fault}, ensure_ascii=False))
    return code


def _lines(error: Exception, program: str) -> tuple[str, str]:
    """Returns what happened and what to do about it, one line each."""
    if isinstance(error, LakehouseError):
        place = " ".join(part for part in (error.dataset, error.partition) if part)
        what = _one_line(f"{place}: {error.what}" if place else error.what)
        usual = "Try again later" if isinstance(error, TransientError) else "Trying again changes nothing"
        return what, _one_line(error.advice) or usual
    if isinstance(error, typer.TyperException):
        return _one_line(error.format_message()), f"Run `{program} --help`, or a command with --help, for examples"
    return _one_line(f"{type(error).__name__}: {error}"), "This is a fault of the program: please report the traceback"


def _one_line(text: str) -> str:
    return " ".join(text.split())
