"""Requests and answers, apart from HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Protocol

from tests.fakes.exchange.budget import Budget, Charge

JSON = "application/json"


def compact(value: object) -> bytes:
    """Returns JSON without blanks, as exchanges send it.

    >>> compact({"code": -1121})
    b'{"code":-1121}'
    """
    return json.dumps(value, separators=(",", ":")).encode()


class Refused(Exception):
    """The exchange's own refusal of a request.

    Args:
        code: Binance's number.
        message: Its words.
        status: HTTP status.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Args:
        mount: The first part of its path: `spot`, `um`, ...
        path: What follows, without slashes at its ends.
        params: Its query.
        headers: Its headers, by names in lower case.
        at: When it came, in seconds of the server's clock.
    """

    mount: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    at: float

    @property
    def now(self) -> int:
        """When it came, in microseconds."""
        return floor(self.at * 1_000_000)

    @property
    def endpoint(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def text(self, name: str) -> str:
        """Returns a parameter that must be there.

        Raises:
            Refused: It is not.
        """
        value = self.params.get(name, "")
        if not value:
            raise Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return value

    def number(self, name: str) -> int | None:
        """Returns a whole number that may be there.

        Raises:
            Refused: It is no number.
        """
        value = self.params.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            raise Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
        return int(value)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


def _no_candle() -> bytes | None:
    return None


@dataclass(frozen=True, slots=True)
class Page:
    """A list of rows, in the order of the answer.

    Args:
        rows: Each as JSON.
        head: What stands before them.
        tail: What stands after them.
        headers: Further headers.
        open_candle: Makes the candle that is open now, where rows are candles.
    """

    rows: list[bytes]
    head: bytes = b"["
    tail: bytes = b"]"
    headers: Mapping[str, str] = field(default_factory=dict)
    open_candle: Callable[[], bytes | None] = _no_candle

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return self.head + b",".join(self.rows) + self.tail


class Mount(Protocol):
    """One API of the exchange."""

    budget: Budget

    def charge(self, request: Request) -> Charge:
        """Returns what the request costs."""
        ...

    def respond(self, request: Request) -> Page | bytes:
        """Returns the answer's rows, or its body.

        Raises:
            Refused: The exchange would say no.
        """
        ...

    def refusal(self, refused: Refused) -> Answer:
        """Returns a refusal in this API's own shape."""
        ...
