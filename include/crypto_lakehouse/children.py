"""Child processes that end with the process that started them, also where it is killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

_SHIM = """
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]))
except (ImportError, AttributeError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[3], sys.argv[3:])
"""
"""Asks the kernel for a signal at the parent's end (PR_SET_PDEATHSIG), then becomes the program.

It is no `preexec_fn`: Python code between fork and exec is not safe where the parent has threads. A parent that was
killed before the request is noticed by the comparison."""


def bound_to_us(arguments: Sequence[str], at_our_end: signal.Signals = signal.SIGKILL) -> list[str]:
    """Returns the command line of a program that gets a signal when the thread that starts it ends.

    Args:
        arguments: The program, by its path, and its arguments.
        at_our_end: The signal.
    """
    if sys.platform != "linux":
        return list(arguments)
    return [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), str(int(at_our_end)), *arguments]


def end_with(parent: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Lets this process, a fork, get a signal when the thread that forked it ends.

    Args:
        parent: Process id of the parent. If it has ended already, this process ends.
        how: The signal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(how))
    if os.getppid() != parent:
        sys.exit(128 + int(how))


@contextmanager
def ended_with_us(process: "subprocess.Popen[Any]", how: signal.Signals = signal.SIGKILL) -> Iterator[None]:
    """Ends a process, and all that it started in its own session, when the block ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            process.wait()
