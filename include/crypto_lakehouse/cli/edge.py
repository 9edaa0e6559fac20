"""The edge of the command line: every error becomes two lines on stderr and an exit code."""

import json
import os
import sys
from collections.abc import Sequence

import typer

from crypto_lakehouse import exit_codes, telemetry
from crypto_lakehouse.cli.arguments import gathered
from crypto_lakehouse.cli.output import note_traceback
from crypto_lakehouse.cli.own_lake import lake_restored
from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.exit_codes import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNEXPECTED,
    EXIT_USAGE,
)
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.foreign_text import message
from crypto_lakehouse.termination import terminable


def exit_code(error: BaseException) -> int:
    """Returns the exit code for an error. Errors of the command line itself are usage errors."""
    return EXIT_USAGE if isinstance(error, typer.TyperException) else exit_codes.exit_code(error)


def run(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code. Only exceptions of the interpreter itself are raised.

    Args:
        app: The program.
        program: Its name in messages.
        arguments: What follows the name. By default the arguments of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        with lake_restored(), terminable(), telemetry.switched_on(), translated("the command"):
            code = app(gathered(given), prog_name=program, standalone_mode=False)
            sys.stdout.flush()
            return code if isinstance(code, int) else EXIT_OK
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit) as end:
        # The reader of our output ended, for example `| head`. Typer raises SystemExit then.
        if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):
            raise
        # Without this the interpreter reports the broken pipe again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    # This is the edge: every error becomes an exit code, and unexpected errors show their traceback.
    except Exception as error:
        return _report(error, program, "--json" in given)


def _report(error: Exception, program: str, as_json: bool) -> int:
    code = exit_code(error)
    if code == EXIT_UNEXPECTED:
        note_traceback(error)
    what, advice = _lines(error, program)
    print(f"error: {what}", file=sys.stderr)
    print(advice, file=sys.stderr)
    if as_json:
        fault = {"class": type(error).__name__, "message": what, "advice": advice, "exit_code": code}
        print(json.dumps({"status": "failed", "error": fault}, ensure_ascii=False))
    return code


def _lines(error: Exception, program: str) -> tuple[str, str]:
    """Returns what happened and what to do, one line each."""
    if isinstance(error, LakehouseError):
        place = " ".join(part for part in (error.dataset, error.partition) if part)
        what = _one_line(f"{place}: {error.what}" if place else error.what)
        usual = "Try again later" if isinstance(error, TransientError) else "A second attempt would fail as well"
        return what, _one_line(error.advice) or usual
    if isinstance(error, typer.TyperException):
        return _one_line(error.format_message()), f"Run `{program} --help`, or a command with --help, for examples"
    return _one_line(f"{type(error).__name__}: {error}"), "This is a bug in the program: please report the traceback"


def _one_line(text: str) -> str:
    return " ".join(message(text).split())
