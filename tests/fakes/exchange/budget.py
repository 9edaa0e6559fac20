"""Request weight: windows of the server's clock, refusals, bans."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

BAN_SECONDS = 120
FURTHER_REQUESTS_UNTIL_BAN = 10


class Pool(StrEnum):
    """What a request is charged to; only WEIGHT is told in a header."""

    WEIGHT = "weight"
    FUNDING = "funding"
    DATA = "data"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request costs."""

    pool: Pool
    weight: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the budget says: 200, 429 or 418, the pool's use so far, and when to come back."""

    status: int
    used: int
    retry_after: int = 0


@dataclass(slots=True)
class _Window:
    limit: int
    seconds: int
    used: int = 0
    refused: int = 0
    number: int = -1

    def add(self, weight: int, at: float) -> None:
        if self.number != int(at // self.seconds):
            self.number, self.used, self.refused = int(at // self.seconds), 0, 0
        self.used += weight
        self.refused += self.used > self.limit

    def seconds_left(self, at: float) -> int:
        return max(1, ceil((self.number + 1) * self.seconds - at))


@dataclass(slots=True)
class Budget:
    """The limits of one API for one address.

    Args:
        weight_limit: Request weight of a minute; 0 is no limit.
        shares_with: Another API, whose weight counts together with this one's.
    """

    weight_limit: int
    shares_with: "Budget | None" = None
    requests_while_banned: int = 0
    _banned_until: float = 0.0
    _windows: dict[Pool, _Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._windows = {
            Pool.WEIGHT: self.shares_with._windows[Pool.WEIGHT]
            if self.shares_with
            else _Window(self.weight_limit or 1 << 60, 60),
            Pool.FUNDING: _Window(500, 300),
            Pool.DATA: _Window(1000, 300),
        }

    def spend(self, charge: Charge, at: float) -> Verdict:
        """Returns the verdict on a request, and counts it: what is refused costs too."""
        if charge.pool is Pool.FREE:
            return Verdict(200, 0)
        window = self._windows[charge.pool]
        if at < self._banned_until:
            self.requests_while_banned += 1
            return Verdict(418, window.used, max(1, ceil(self._banned_until - at)))
        window.add(charge.weight, at)
        if not window.refused:
            return Verdict(200, window.used)
        if window.refused > FURTHER_REQUESTS_UNTIL_BAN:
            self._banned_until = at + BAN_SECONDS
            return Verdict(418, window.used, BAN_SECONDS)
        return Verdict(429, window.used, window.seconds_left(at))
