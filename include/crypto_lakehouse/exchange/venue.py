"""What is peculiar to an exchange beyond the table's rows: ccxt's class of it, its addresses, and how it says no."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from crypto_lakehouse.exchange.rows import parsed
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.spec import RestEndpoint
from crypto_lakehouse.vocabulary import Market

Params = Mapping[str, str | int]


class Meaning(StrEnum):
    """What a refusal asks of us."""

    WAIT = "wait"
    """Too much was asked: everyone waits."""
    BLOCKED = "blocked"
    """This address is not served."""
    TOO_OLD = "too_old"
    """Days so long ago are not answered."""
    UNKNOWN_SYMBOL = "unknown_symbol"
    """It does not have the symbol: there are no rows."""
    AGAIN = "again"
    """The exchange is at fault: it may answer another time."""
    REQUEST = "request"
    """The request should not have been made."""


GRAVE_STATUSES = MappingProxyType({429: Meaning.WAIT, 418: Meaning.WAIT, 403: Meaning.BLOCKED, 451: Meaning.BLOCKED})
"""What a status means everywhere, whatever the body says: it may come from what stands before the exchange."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: str


class Transport(Protocol):
    """A ccxt exchange, at the addresses of the settings, which remembers what it received."""

    received: Received | None

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        """Returns the JSON of an answer; raises ccxt's errors."""
        ...


@dataclass(frozen=True, slots=True)
class Venue:
    """See the module.

    Args:
        open: Returns the transport.
        address: The address that serves a market.
        error: The code and the words of a body that refuses; no code where it does not.
        codes: What a code means; those that start so mean the same.
    """

    open: Callable[[ExchangeSettings], Transport]
    address: Callable[[ExchangeSettings, Market], str]
    error: Callable[[str], tuple[str, str]]
    codes: Mapping[str, Meaning] = field(default_factory=dict)

    def meaning(self, status: int, code: str) -> Meaning:
        """Returns what a refusal of this status and code means; the longest code that fits decides."""
        if status in GRAVE_STATUSES:
            return GRAVE_STATUSES[status]
        fitting = [one for one in self.codes if code == one or code.startswith(f"{one}:")]
        if fitting:
            return self.codes[max(fitting, key=len)]
        # A refusal that says it is none is as good as no answer.
        return Meaning.AGAIN if status >= 500 or status == 200 else Meaning.REQUEST


class Remembering:
    """What every transport shares; comes before ccxt's class among the bases."""

    received: Received | None = None

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        """Returns the JSON of an answer, its digits as they were sent; raises ccxt's errors."""
        del in_microseconds
        self.received = None
        return self.request(endpoint.path, [endpoint.section], "GET", dict(params))  # type: ignore[attr-defined]

    def on_rest_response(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917 - ccxt's signature
        self, code, reason, url, method, response_headers, response_body, request_headers, request_body
    ) -> str:
        """Keeps an answer as it came."""
        headers = {str(name).lower(): str(value) for name, value in response_headers.items()}
        self.received = Received(int(code), headers, response_body)
        return str(response_body).strip()

    def parse_json(self, http_response: str) -> Any:
        """Returns a body's JSON, or None where it is none: ccxt then looks at the status."""
        try:
            return parsed(http_response)
        except ValueError:
            return None


def options(settings: ExchangeSettings) -> dict[str, Any]:
    """Returns what every ccxt class is made with: its own throttling knows nothing of other processes."""
    return {"enableRateLimit": False, "timeout": int(settings.timeout_seconds * 1000)}


def document(body: str) -> dict[str, Any]:
    """Returns the object that a body is, empty for any other body."""
    try:
        raw = parsed(body)
    except ValueError:
        raw = None
    return raw if isinstance(raw, dict) else {}


def beginning(body: str) -> str:
    """Returns the start of a body of no known form, in one line."""
    return " ".join(body.split())[:120]
