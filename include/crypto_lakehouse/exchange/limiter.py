"""One budget per exchange address, shared by every task and process of this machine.

Addresses that the exchange counts together have one budget. A small SQLite file holds what is used. A process reserves
weight before a request, and corrects the figure by the header of the answer, which also counts other programs behind
the same address. A refusal of one process (429, 418) stops all of them until the exchange's time is up.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.endpoints.spec import RateLimit
from crypto_lakehouse.errors import ExchangeRefused, RateLimited
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.runbook import Entry, see

REFUSAL_SECONDS = 3600.0
"""How long no process sends a request after the exchange refused the address itself."""

ADVICE_WHEN_REFUSED = (
    "Run at a location that the exchange serves, or behind a proxy there. Or do without it: set "
    f"CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED=false. {see(Entry.EXCHANGE_REFUSES)}"
)
"""What helps where the exchange refuses this address. The file of the budget stays: all processes use it."""

ADVICE_WHEN_LIMITED = (
    "Nothing is to be done: a later run requests the rest. If it happens often, another program uses this address: "
    f"lower CRYPTO_LAKEHOUSE_EXCHANGE__BUDGET_SHARE. {see(Entry.EXCHANGE_LIMITS)}"
)

_LOCK_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (
    address TEXT, name TEXT, window INTEGER, amount INTEGER, PRIMARY KEY (address, name, window)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stops (address TEXT PRIMARY KEY, until REAL, reason TEXT, is_refusal INTEGER) WITHOUT ROWID;
"""


@dataclass(slots=True)
class RateLimiter:
    """The budget of one exchange address.

    Args:
        path: The shared file.
        address: The exchange's host. The exchange counts per host, or per group of hosts, and per address of ours.
        share: The part of each limit that all our processes may use together.
        max_wait_seconds: Longest wait for the end of a stop.
        clock: Seconds since the epoch, by the exchange's clock where it is known: its budget windows are UTC minutes.
        sleep: Waits.
    """

    path: Path
    address: str
    share: float
    max_wait_seconds: float
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def acquire(self, limit: RateLimit, weight: int) -> None:
        """Reserves weight; waits for the next budget window where this one is used up.

        Raises:
            RateLimited: The exchange stopped us for longer than we wait.
            ExchangeRefused: It refused this address a short while ago.
        """
        while True:
            self._wait_out_stops(limit)
            wait = self._reserve(limit, weight)
            if wait <= 0:
                return
            self.sleep(wait)

    def note_used(self, limit: RateLimit, used: int) -> None:
        """Corrects what is used of a limit's window by the exchange's own figure."""
        with self._transaction() as connection:
            amount = max(used, self._used(connection, limit))
            self._write(connection, limit, amount)

    def stop(self, limit: RateLimit, seconds: float, reason: str, *, is_refusal: bool = False) -> None:
        """Stops every process that uses this address for so many seconds, or for the rest of a longer stop.

        Args:
            limit: The limit of the request. Addresses that share it stop too, but for a refusal: it is of one host.
            seconds: How long.
            reason: The exchange's words.
            is_refusal: Whether the exchange refused the address itself: then nobody waits for the end.
        """
        stopped = (self.address,) if is_refusal else self._addresses(limit)
        with self._transaction() as connection:
            for address in stopped:
                connection.execute(
                    "INSERT INTO stops VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET "
                    "until = excluded.until, reason = excluded.reason, is_refusal = excluded.is_refusal "
                    "WHERE excluded.until > stops.until",
                    (address, self.clock() + seconds, reason, is_refusal),
                )

    def _addresses(self, limit: RateLimit) -> tuple[str, ...]:
        return (self.address, limit.shared) if limit.shared else (self.address,)

    def _wait_out_stops(self, limit: RateLimit) -> None:
        while True:
            with self._transaction() as connection:
                rows = [
                    row
                    for address in self._addresses(limit)
                    for row in connection.execute(
                        "SELECT until, reason, is_refusal FROM stops WHERE address = ?", (address,)
                    )
                ]
            row = max(rows, default=None)
            wait = row[0] - self.clock() if row else 0.0
            if row is None or wait <= 0:
                return
            if row[2]:
                raise ExchangeRefused(
                    f"{self.address} refused us: {row[1]}; no process sends a request for {wait:.0f} s",
                    ADVICE_WHEN_REFUSED,
                )
            if wait > self.max_wait_seconds:
                raise RateLimited(
                    f"{self.address} asked us to wait: {row[1]}; {wait:.0f} s are left",
                    ADVICE_WHEN_LIMITED,
                )
            self.sleep(wait)

    def _reserve(self, limit: RateLimit, weight: int) -> float:
        """Reserves weight and returns 0, or returns how long to wait for a window that has room."""
        with self._transaction() as connection:
            used = self._used(connection, limit)
            # A single page may cost more than the share: it then has a window of its own.
            if used and used + weight > limit.amount * self.share:
                return (self._window(limit) + 1) * limit.window_seconds - self.clock() + 0.05
            self._write(connection, limit, used + weight)
            return 0.0

    def _key(self, limit: RateLimit) -> tuple[str, str, int]:
        return limit.shared or self.address, limit.name, self._window(limit)

    def _window(self, limit: RateLimit) -> int:
        return int(self.clock() // limit.window_seconds)

    def _used(self, connection: sqlite3.Connection, limit: RateLimit) -> int:
        row = connection.execute(
            "SELECT amount FROM used WHERE address = ? AND name = ? AND window = ?",
            self._key(limit),
        ).fetchone()
        return int(row[0]) if row else 0

    def _write(self, connection: sqlite3.Connection, limit: RateLimit, amount: int) -> None:
        key = self._key(limit)
        connection.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?, ?)", (*key, amount))
        # The window before stays: the clocks of two processes may differ.
        connection.execute("DELETE FROM used WHERE address = ? AND name = ? AND window < ? - 1", key)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection that has the file's write lock, so that reading and reserving are one step."""
        with translated(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Without the commit, closing rolls back.
            with closing(sqlite3.connect(self.path, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
                connection.executescript("PRAGMA synchronous = OFF;" + _SCHEMA)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
