"""What the tests of the exchange ask it with."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ccxt

from tests.fakes.exchange.server import LocalExchange
from tests.waiting import STANDSTILL_SECONDS

NOW = datetime(2025, 1, 3, 10, 7, 30, tzinfo=UTC)
MICROSECONDS = {"X-MBX-TIME-UNIT": "MICROSECOND"}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now.timestamp()

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(exchange: LocalExchange, path: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Asks as a plain HTTP client does; a refusal is a reply too."""
    request = urllib.request.Request(f"{exchange.url}/{path}", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=STANDSTILL_SECONDS) as answer:
            return Reply(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers, error.read())


@contextmanager
def client(kind: type[ccxt.Exchange], urls: Mapping[str, str], **options: Any) -> Iterator[Any]:
    """Yields a ccxt client that asks these addresses."""
    one = kind({"enableRateLimit": False, **options})
    one.urls["api"] = {**one.urls["api"], **urls}
    try:
        yield one
    finally:
        one.session.close()


def ms(*parts: int) -> int:
    """Returns a UTC instant in milliseconds."""
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000
