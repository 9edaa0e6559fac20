"""Kills the command line at any time, in a process of its own."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.crashing import processes
from tests.faults.disturbing import INGEST, Place, prepare, run_command
from tests.waiting import STANDSTILL_SECONDS


def killed(place: Place, wait: Callable[[Any], object], how: signal.Signals) -> int:
    """Runs the command, ends it, and returns the exit code of the process.

    Args:
        place: The lake and its archive.
        wait: Gets the process, and returns when it is to be killed.
        how: The signal.
    """
    place.work.mkdir(exist_ok=True)
    has_started = processes().Event()
    process = processes().Process(target=run_until_killed, args=(place, has_started))
    process.start()
    has_started.wait(STANDSTILL_SECONDS)
    wait(process)
    (process.kill if how is signal.SIGKILL else process.terminate)()
    process.join(STANDSTILL_SECONDS)
    return int(process.exitcode or 0)


def run_until_killed(place: Place, has_started: Any) -> None:
    """Runs the command; the target of a process that is killed."""
    prepare(place)
    has_started.set()
    code, _, _ = run_command(INGEST)
    sys.exit(code)


def programs_in(folder: Path) -> list[str]:
    """Returns the command lines of running programs that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command:
            found.append(command)
    return found
