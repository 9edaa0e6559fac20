"""Waiting for what another process or thread does: until it is done, however busy the machine is.

A limit on how long something may take measures the machine. What is looked for here is a standstill: nothing has
changed for a long time.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

STANDSTILL_SECONDS = 900.0
"""Without any change, after which something hangs and is not merely slow."""

T = TypeVar("T")


def is_running(pid: int) -> bool:
    """Returns whether a process runs; a dead one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(
    condition: Callable[[], T],
    *,
    progress: Callable[[], object] = lambda: None,
    pause: float = 0.05,
    standstill: float = STANDSTILL_SECONDS,
) -> T:
    """Returns the condition's first value that is true.

    Args:
        condition: What is waited for.
        progress: Returns something comparable that changes while the work goes on.
        pause: Seconds between two looks.
        standstill: Seconds without a change of `progress` after which waiting ends.

    Raises:
        AssertionError: Nothing changed any more; the last state is in the message.
    """
    state, since = progress(), time.monotonic()
    while not (value := condition()):
        now = progress()
        if now != state:
            state, since = now, time.monotonic()
        if time.monotonic() - since > standstill:
            raise AssertionError(f"nothing has changed for {standstill:.0f} s; the last state was {state!r}")
        time.sleep(pause)
    return value
