"""Synthetic prices: one continuous random path per symbol, the same on every machine.

Each day is a Brownian bridge between two levels. The levels depend only on the symbol and the day, so that days can
be generated in any order and still join.
"""

import hashlib
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

MINUTES = 1440
_LEVELS = {"BTC": 60_000.0, "ETH": 3_000.0}
_OTHER_LEVEL = 100.0
_DAILY_VOLATILITY = 0.02
_MINUTE_VOLATILITY = 0.0004


def seeded(*parts: object) -> np.random.Generator:
    """Returns a random number generator that is seeded with the arguments."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _level(symbol: str, day: date) -> float:
    base = next((level for name, level in _LEVELS.items() if symbol.startswith(name)), _OTHER_LEVEL)
    swing = np.sin(day.toordinal() / 17.0) * 0.1
    return float(base * np.exp(swing + _DAILY_VOLATILITY * seeded("level", symbol, day).standard_normal()))


def minute_prices(symbol: str, day: date) -> Numbers:
    """Returns the price at every full minute of a day and at its end: 1,441 values, quote per base."""
    start, end = _level(symbol, day), _level(symbol, day + timedelta(days=1))
    steps = seeded("path", symbol, day).standard_normal(MINUTES) * _MINUTE_VOLATILITY
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    bridge = walk - walk[-1] * np.linspace(0, 1, MINUTES + 1)
    log_price: Numbers = np.log(start) + (np.log(end) - np.log(start)) * np.linspace(0, 1, MINUTES + 1) + bridge
    return np.exp(log_price)


def prices_at(symbol: str, day: date, seconds: Numbers) -> Numbers:
    """Returns the price at seconds of a day, interpolated linearly between the minutes."""
    path = minute_prices(symbol, day)
    return np.interp(seconds, np.arange(MINUTES + 1) * 60.0, path)
