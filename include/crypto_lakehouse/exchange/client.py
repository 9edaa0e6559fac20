"""Asks an exchange through ccxt: within the shared budget, with the answer kept as received, errors as ours.

ccxt's implicit methods are used, not its unified ones, which drop taker volumes and counts and turn prices into floats
(ccxt issue 18555); its throttling and paging are not used, which know nothing of other processes or of bans.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ccxt
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from crypto_lakehouse.endpoints import SERVER_TIME
from crypto_lakehouse.errors import (
    ExchangeRefused,
    InvalidRequest,
    LakehouseError,
    OutOfReach,
    RateLimited,
    SchemaDrift,
    SourceUnavailable,
    TransientError,
    UnknownSymbol,
)
from crypto_lakehouse.exchange.bodies import Answer
from crypto_lakehouse.exchange.limiter import REFUSAL_SECONDS, RateLimiter
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.spec import RestEndpoint
from crypto_lakehouse.vocabulary import Market

Params = Mapping[str, str | int]

_STOP_SECONDS = {429: 60.0, 418: 300.0}
"""How long to stop where a refusal does not say: a window's length, and more than the shortest ban of two minutes."""

_TOO_MANY = -1003
_LEGAL = "It does not serve this location. Run where the exchange may be used; for spot, use data-api.binance.vision"
_FIREWALL = "Its firewall took the request for an attack, or the address is blocked: look at the request, then wait"
_OF_CODE: Mapping[int | None, tuple[type[LakehouseError], str]] = {
    -1121: (UnknownSymbol, "Only the archive may have it"),
    -1122: (UnknownSymbol, "It was delisted: only the archive may have it"),
    -4166: (OutOfReach, "Only the archive has it"),
}
"""Refusals that say that there are no rows; any other is of a request that should not have been made."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer and what it parses to."""

    answer: Answer
    content: Any


@dataclass(slots=True)
class ExchangeClient:
    """Asks one market of an exchange; for one thread.

    Args:
        settings: Where and how to ask.
        market: What to ask.
        limiter: The shared budget.
        clock: Seconds since the epoch, by this machine.
        sleep: Waits.
    """

    settings: ExchangeSettings
    market: Market
    limiter: RateLimiter
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _exchange: "_Exchange" = field(init=False)
    _offset: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._exchange = _Exchange(self.settings)

    def now(self) -> float:
        """Returns the seconds since the epoch by the exchange's clock, as far as `server_time` has asked for it."""
        return self.clock() + self._offset

    def server_time(self) -> datetime:
        """Returns the exchange's own time, which decides what is closed and what is too old, and keeps to it from now.

        Raises:
            LakehouseError: It did not answer, or refused.
        """
        page = self.ask(SERVER_TIME[self.market], {})
        milliseconds = page.content.get("serverTime") if isinstance(page.content, dict) else None
        if not isinstance(milliseconds, int):
            raise SchemaDrift(f"the server's time is {page.answer.body[:80]!r}", "Look at the exchange's documentation")
        self._offset = milliseconds / 1000 - self.clock()
        self.limiter.clock = self.now
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    def ask(self, endpoint: RestEndpoint, params: Params, *, in_microseconds: bool = False) -> Page:
        """Returns an endpoint's answer, asking again where that may help.

        Raises:
            RateLimited: The exchange asked us to wait longer than we do.
            SourceUnavailable: It did not answer, or not in a way that makes sense.
            ExchangeRefused: It does not serve this address.
            OutOfReach: It no longer has days so long ago.
            UnknownSymbol: It does not have the symbol.
            InvalidRequest: It does not take the request.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=_wait,
            retry=retry_if_exception_type(TransientError),
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(self._ask_once, endpoint, params, in_microseconds)

    def _ask_once(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Page:
        self.limiter.acquire(endpoint.limit, endpoint.weight)
        try:
            content = self._exchange.get(endpoint, params, in_microseconds)
        # ccxt decodes the body before it looks at it.
        except (ccxt.BaseError, UnicodeDecodeError) as error:
            answer = self._answer(endpoint, params)
            raise self._refusal(endpoint, answer, error) from error
        answer = self._answer(endpoint, params)
        if answer is None or not isinstance(content, list | dict):
            raise SourceUnavailable(f"{endpoint.path} answered what is no JSON", "It is asked again")
        if answer.weight_used is not None:
            self.limiter.note_used(endpoint.limit, answer.weight_used)
        return Page(answer, content)

    def _answer(self, endpoint: RestEndpoint, params: Params) -> Answer | None:
        got = self._exchange.received
        if got is None:
            return None
        used = got.headers.get(endpoint.limit.header, "") if endpoint.limit.header else ""
        at = datetime.fromtimestamp(self.now(), UTC)
        return Answer(at, endpoint.path, dict(params), got.status, int(used) if used.isdigit() else None, got.body)

    def _refusal(self, endpoint: RestEndpoint, answer: Answer | None, error: Exception) -> LakehouseError:
        """Returns our error for the exchange's; one that concerns the address stops every process first."""
        what = endpoint.path
        if answer is None:
            return SourceUnavailable(f"{what} did not answer: {type(error).__name__}", "It is asked again")
        code, words = _error_code(answer.body)
        said = f"{what} answered {answer.status} {code or ''} {words}".rstrip()
        if answer.status in _STOP_SECONDS or code == _TOO_MANY:
            self.limiter.stop(self._retry_after(answer.status), said)
            return RateLimited(said, "Every process waits until the exchange's time is up")
        if answer.status in {403, 451}:
            self.limiter.stop(REFUSAL_SECONDS, said, is_refusal=True)
            return ExchangeRefused(said, _LEGAL if answer.status == 451 else _FIREWALL)
        if answer.status >= 500 or answer.status == 200:
            return SourceUnavailable(said, "It is asked again")
        kind, advice = _OF_CODE.get(code, (InvalidRequest, "Look at the symbol and at the exchange's documentation"))
        return kind(said, advice)

    def _retry_after(self, status: int) -> float:
        got = self._exchange.received
        said = got.headers.get("retry-after", "") if got else ""
        return float(said) if said.isdigit() else _STOP_SECONDS.get(status, _STOP_SECONDS[429])


_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=20.0)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    # The limiter itself waits out what the exchange asked for.
    return 0.0 if isinstance(error, RateLimited) else _BACKOFF(state)


def _error_code(body: str) -> tuple[int | None, str]:
    """Returns the code and message of `{"code": -1121, "msg": "..."}`, or the start of any other body."""
    try:
        raw = json.loads(body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict) or not isinstance(raw.get("code"), int):
        return None, " ".join(body.split())[:120]
    return raw["code"], str(raw.get("msg", ""))[:200]


@dataclass(frozen=True, slots=True)
class _Received:
    status: int
    headers: dict[str, str]
    body: str


class _Exchange(ccxt.binance):  # type: ignore[misc]
    """ccxt's exchange, at the addresses of the settings, which remembers what it received."""

    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__({"enableRateLimit": False, "timeout": int(settings.timeout_seconds * 1000)})
        self.received: _Received | None = None
        self.apiKey = settings.api_key.get_secret_value() if settings.api_key else ""
        self.urls["api"] |= section_urls(settings)

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        self.received = None
        self.headers = {"X-MBX-TIME-UNIT": "MICROSECOND"} if in_microseconds else {}
        return self.request(endpoint.path, [endpoint.section], "GET", dict(params))

    def on_rest_response(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917 - ccxt's signature
        self, code, reason, url, method, response_headers, response_body, request_headers, request_body
    ) -> str:
        headers = {str(name).lower(): str(value) for name, value in response_headers.items()}
        self.received = _Received(int(code), headers, response_body)
        return str(response_body).strip()

    def sign(self, path, api=("public",), method="GET", params=None) -> dict[str, Any]:  # type: ignore[no-untyped-def]
        # Spot's old trades are public; ccxt asks for a key all the same.
        if path == "historicalTrades" and "public" in api and not self.apiKey:
            url = f"{self.urls['api']['public']}/{path}?{self.urlencode(params or {})}"
            return {"url": url, "method": method, "body": None, "headers": None}
        signed: dict[str, Any] = super().sign(path, api, method, params or {})
        return signed


def section_urls(settings: ExchangeSettings) -> dict[str, str]:
    """Returns the address of each of ccxt's sections of the API that we use."""
    return {
        "public": f"{settings.spot_url}/api/v3",
        "fapiPublic": f"{settings.um_url}/fapi/v1",
        "fapiData": f"{settings.um_url}/futures/data",
        "dapiPublic": f"{settings.cm_url}/dapi/v1",
        "dapiData": f"{settings.cm_url}/futures/data",
    }


def market_url(settings: ExchangeSettings, market: Market) -> str:
    """Returns the address that serves a market."""
    return {Market.SPOT: settings.spot_url, Market.UM: settings.um_url, Market.CM: settings.cm_url}[market]


def open_limiter(settings: ExchangeSettings, market: Market) -> RateLimiter:
    """Returns the budget of a market's address, which all processes of this machine share."""
    default = Path(tempfile.gettempdir()) / "crypto-lakehouse-limits.sqlite"
    url = urlsplit(market_url(settings, market))
    # Markets behind one host of a test or proxy are told apart by their path.
    address = f"{url.netloc}{url.path}"
    return RateLimiter(settings.limits_file or default, address, settings.budget_share, settings.max_wait_seconds)
