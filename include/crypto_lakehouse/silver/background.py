"""A thread that writes in parallel with the parsing, in order, with a bounded queue."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

_PENDING_WRITES = 2

Result = TypeVar("Result")


class Background:
    """A thread that carries out writes in order. Few writes wait at a time, and errors reach the caller."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "write")
        self._pending: list[Future[Any]] = []

    def submit(self, work: Callable[[], Result]) -> "Future[Result]":
        """Queues work. Waits while too much is unfinished, and raises errors of earlier work."""
        while len(self._pending) >= _PENDING_WRITES:
            self._pending.pop(0).result()
        future = self._pool.submit(work)
        self._pending.append(future)
        return future

    def drain(self) -> None:
        """Waits for all work, and raises its errors."""
        while self._pending:
            self._pending.pop(0).result()

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(wait=True)
