"""Signals that end the process, as exceptions, so that children end and scratch folders are removed.

Python raises such an exception in the code that runs at that moment. A library may make another error of it, such as
the panic of an engine that was importing a module, or lose it. So the signal is remembered: where an error is
translated, and before each step, the process ends as the signal demands.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from crypto_lakehouse.exit_codes import EXIT_TERMINATED

_received: list[int] = []


@contextmanager
def terminable() -> Iterator[None]:
    """Turns SIGTERM into SystemExit and SIGINT into KeyboardInterrupt in the block; for the main thread.

    Raises:
        SystemExit: SIGTERM came, and the block ended without it.
        KeyboardInterrupt: The same for SIGINT.
    """
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
        raise_if_ended()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received.clear()


def raise_if_ended(error: BaseException | None = None) -> None:
    """Ends the process if a signal demanded it.

    Args:
        error: What a library made of it.

    Raises:
        SystemExit: SIGTERM came.
        KeyboardInterrupt: SIGINT came.
    """
    if _received:
        raise _exception(_received[0]) from error


def _end(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    raise _exception(number)


def _exception(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(EXIT_TERMINATED)
