"""How far long work is: one protocol, and what listens to it: nothing, log lines, or bars on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Protocol

from crypto_lakehouse import telemetry

EVENT_EVERY_SECONDS = 5.0


class Progress(Protocol):
    """Listens to how far long work is."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Takes note that `done` of `total` are done.

        Args:
            what: What is counted, such as `files`.
            done: How many are done.
            total: How many there are.
        """


def no_progress(_what: str, _done: int, _total: int, /) -> None:
    """Listens to nothing."""


class LoggedProgress:
    """Logs an event every few seconds, and one at each end.

    Args:
        now: The clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Takes note that `done` of `total` are done."""
        now = self._now()
        if done < total and now - self._last.get(what, float("-inf")) < EVENT_EVERY_SECONDS:
            return
        self._last[what] = now
        telemetry.event("progress", what=what, done=done, total=total)


@contextmanager
def bars() -> Iterator[Progress]:
    """Yields a listener that draws a bar for each kind of thing that is counted, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True)) as drawn:
        tasks: dict[str, int] = {}

        def listener(what: str, done: int, total: int, /) -> None:
            if what not in tasks:
                tasks[what] = int(drawn.add_task(what, total=total))
            drawn.update(drawn.task_ids[tasks[what]], completed=done, total=total)

        yield listener


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Yields a listener for a command; meanwhile nothing that prints reaches stdout, which is for the result.

    Args:
        quiet: Whether to show nothing where there is no terminal to draw on.
    """
    with redirect_stdout(sys.stderr):
        if sys.stderr.isatty():
            with bars() as listener:
                yield listener
        else:
            yield no_progress if quiet else LoggedProgress()
