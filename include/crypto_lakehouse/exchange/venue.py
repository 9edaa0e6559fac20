"""What an exchange has beyond the table's rows: its class of ccxt, its addresses and its refusals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from crypto_lakehouse.endpoints.spec import RestEndpoint
from crypto_lakehouse.exchange.rows import parsed
from crypto_lakehouse.exchange.session import bounded_session
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.http_limits import AnswerLimits
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Market

Params = Mapping[str, str | int]


class Meaning(StrEnum):
    """What is to be done after a refusal."""

    WAIT = "wait"
    """There were too many requests: every process waits."""
    BLOCKED = "blocked"
    """This address is not served."""
    TOO_OLD = "too_old"
    """The endpoint no longer has days so long ago."""
    UNKNOWN_SYMBOL = "unknown_symbol"
    """The exchange does not have the symbol: there are no rows."""
    AGAIN = "again"
    """The exchange has a fault: a later request may succeed."""
    REQUEST = "request"
    """The request is wrong."""


GRAVE_STATUSES = MappingProxyType(
    {
        429: Meaning.WAIT,
        418: Meaning.WAIT,
        403: Meaning.BLOCKED,
        451: Meaning.BLOCKED,
        407: Meaning.AGAIN,
    }
)
"""The meaning of a status for every exchange and body: it may come from a proxy in front of the exchange."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as received."""

    status: int
    headers: Mapping[str, str]
    body: str


class Transport(Protocol):
    """A ccxt exchange at the addresses of the settings; it keeps the last answer."""

    received: Received | None

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        """Returns the JSON of an answer; raises ccxt's errors."""
        ...


@dataclass(frozen=True, slots=True)
class Venue:
    """What an exchange has beyond the table's rows.

    Args:
        open: Returns the transport.
        address: Returns the address that serves a market.
        error: Returns the code and the words of a body; without a code, the body is not a refusal of a known form.
        codes: What a code means; a longer code that starts with `<code>:` means the same.
    """

    open: Callable[[ExchangeSettings], Transport]
    address: Callable[[ExchangeSettings, Market], str]
    error: Callable[[str], tuple[str, str]]
    codes: Mapping[str, Meaning] = field(default_factory=dict)

    def meaning(self, status: int, code: str) -> Meaning:
        """Returns what a refusal of this status and code means; the longest matching code decides."""
        if status in GRAVE_STATUSES:
            return GRAVE_STATUSES[status]
        matching = [known for known in self.codes if code == known or code.startswith(f"{known}:")]
        if matching:
            return self.codes[max(matching, key=len)]
        # A body of no known form with status 200 is treated as a fault of the exchange.
        return Meaning.AGAIN if status >= 500 or status == 200 else Meaning.REQUEST


class KeepsAnswer:
    """What the transports have in common; stands before ccxt's class among the bases."""

    received: Received | None = None

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        """Returns the JSON of an answer with its digits as sent; raises ccxt's errors."""
        del in_microseconds
        self.received = None
        return self.request(endpoint.path, [endpoint.section], "GET", dict(params))  # type: ignore[attr-defined]

    def on_rest_response(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917 - ccxt's signature
        self, code, reason, url, method, response_headers, response_body, request_headers, request_body
    ) -> str:
        """Keeps an answer as received."""
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
    """Returns the options of every ccxt class: its own throttling is off, for it knows nothing of other processes."""
    limits = AnswerLimits(settings.max_answer_mib * 2**20, settings.answer_seconds)
    return {
        "enableRateLimit": False,
        "timeout": int(settings.timeout_seconds * 1000),
        "session": bounded_session(limits),
    }


def document(body: str) -> dict[str, Any]:
    """Returns the JSON object of a body; an empty one for any other body."""
    try:
        raw = parsed(body)
    except ValueError:
        raw = None
    return raw if isinstance(raw, dict) else {}


def beginning(body: str) -> str:
    """Returns the start of a body of no known form, as one line."""
    return foreign(body)
