"""Progress of long work: bars on a terminal, plain lines elsewhere; always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

Listener = Callable[[str, int, int], None]

LINE_EVERY_SECONDS = 5.0


@contextmanager
def listening(*, quiet: bool = False) -> Iterator[Listener]:
    """Yields a listener for long work; meanwhile nothing that prints reaches stdout, which is for the result.

    Args:
        quiet: Say nothing unless there is a terminal to draw on.
    """
    with redirect_stdout(sys.stderr):
        if sys.stderr.isatty():
            with _bars() as listener:
                yield listener
        else:
            yield _silent if quiet else PlainLines()


class PlainLines:
    """Says how far work is, a line every few seconds and one at each end.

    Args:
        now: The clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Takes note that `done` of `total` are done."""
        now = self._now()
        if done < total and now - self._said.get(what, float("-inf")) < LINE_EVERY_SECONDS:
            return
        self._said[what] = now
        print(f"{what}: {done:,}/{total:,}", file=sys.stderr, flush=True)


def _silent(_what: str, _done: int, _total: int) -> None:
    """Listens to nothing."""


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def listener(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = int(bars.add_task(what, total=total))
            bars.update(bars.task_ids[tasks[what]], completed=done, total=total)

        yield listener
