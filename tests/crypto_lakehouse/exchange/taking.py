"""Processes that share one budget, each for itself."""

import time
from pathlib import Path
from typing import Any

from crypto_lakehouse.endpoints.spec import RateLimit
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.exchange.limiter import RateLimiter
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Market

LIMIT = RateLimit("weight", 400, 60)
SHARE, WEIGHT = 200, 2


class Full(Exception):
    """Somebody would have to wait."""


def _wait(_seconds: float) -> None:
    raise Full


def _limiter(path: Path, now: float = 0.0) -> RateLimiter:
    return RateLimiter(path, "a", SHARE / LIMIT.amount, 150, lambda: now, _wait)


def take_until_full(path: Path, start: Any, taken: Any) -> None:
    """Takes as much as it gets in one window, and tells how often."""
    one = _limiter(path)
    start.wait()
    count = 0
    try:
        while True:
            one.acquire(LIMIT, WEIGHT)
            count += 1
    except Full:
        taken.put(count)


def take_unguarded(path: Path, start: Any, taken: Any) -> None:
    """Does the same with the defence off: reading and writing are two transactions."""
    one = _limiter(path)
    start.wait()
    count = 0
    while True:
        with one._transaction() as connection:
            used = one._used(connection, LIMIT)
        if used + WEIGHT > SHARE:
            break
        time.sleep(0.001)
        with one._transaction() as connection:
            one._write(connection, LIMIT, used + WEIGHT)
        count += 1
    taken.put(count)


def stop_all(path: Path, now: float) -> None:
    """Stops everybody, as one does who was told to wait."""
    _limiter(path, now).stop(LIMIT, 120, "418 of another process")


class FastTime:
    """A clock that all processes of a machine share, and that runs faster than the real one."""

    def __init__(self, start: float, speed: float) -> None:
        self._start, self._speed, self._origin = start, speed, time.monotonic()

    def __call__(self) -> float:
        return self._start + (time.monotonic() - self._origin) * self._speed

    def sleep(self, seconds: float) -> None:
        """Waits, in this clock's seconds."""
        time.sleep(max(0.0, seconds) / self._speed)


def ask_often(settings: ExchangeSettings, clock: FastTime, times: int) -> None:
    """Asks the exchange as often as told, within the shared budget."""
    limiter = open_limiter(settings, Market.UM)
    limiter.clock, limiter.sleep = clock, clock.sleep
    client = ExchangeClient(settings, Market.UM, limiter, clock, clock.sleep)
    for _ in range(times):
        client.server_time()
