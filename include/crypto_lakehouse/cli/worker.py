"""Carries out commands one after another in one process: `python -m crypto_lakehouse.cli.worker`.

Loading the engines takes longer than most steps of a small run. A process that has carried out a command is ready for
the next one at once.

Each line of standard input is a request as JSON: `arguments` of the command line, the `environment` to run them in,
and a `mark`. What the command prints follows on standard output and standard error, then one line `MARK CODE NEXT`:
CODE is the exit code, and NEXT is `ready`, or `ends` where this process takes no further request.
"""

import gc
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

MOST_MEMORY = 1 << 29
"""Bytes. A process that has more after its command ends, so that what an engine keeps is given back."""


def serve(requests: TextIO, carry_out: Callable[[Sequence[str]], int]) -> None:
    """Carries out requests until there are no more, one fails, or the process keeps too much memory.

    Args:
        requests: A line for each request.
        carry_out: Runs the command line and returns its exit code.
    """
    for line in requests:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(request["environment"])
        code = carry_out(request["arguments"])
        # What a failed step leaves behind in the process is not known, so the next one gets a new process.
        ends = code != 0 or _memory() > MOST_MEMORY
        sys.stderr.flush()
        print(request["mark"], code, "ends" if ends else "ready", flush=True)
        if ends:
            return


def _memory() -> int:
    """Returns the bytes that this process has in memory; 0 where there is no /proc. See proc(5).

    The peak of `getrusage` is no measure: a program inherits the one of the process that started it.
    """
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statistics.exists() else 0


def _carry_out(arguments: Sequence[str]) -> int:
    from crypto_lakehouse.cli import main
    from crypto_lakehouse.settings import load_settings

    load_settings.cache_clear()
    return main(arguments)


def _own_requests() -> TextIO:
    """Returns the requests, and gives the processes that a command starts an empty standard input instead."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    with pathlib.Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    return requests


if __name__ == "__main__":
    serve(_own_requests(), _carry_out)
    # To free the many objects of a gate one by one took 0.7 s.
    gc.freeze()
