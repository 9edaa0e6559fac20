"""Requests to an exchange through ccxt: within the shared budget, with answers kept as received, errors as ours.

ccxt's implicit methods are used. Its unified methods drop taker volumes and counts and turn prices into floats (ccxt
issue 18555). Its throttling and paging are not used: they know nothing of other processes or of bans.
"""

import re
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

from crypto_lakehouse.endpoints import server_time
from crypto_lakehouse.endpoints.spec import RestEndpoint
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
from crypto_lakehouse.exchange.limiter import (
    ADVICE_WHEN_LIMITED,
    ADVICE_WHEN_REFUSED,
    REFUSAL_SECONDS,
    RateLimiter,
)
from crypto_lakehouse.exchange.rows import time_of
from crypto_lakehouse.exchange.session import silence_of
from crypto_lakehouse.exchange.venue import Meaning, Params, Transport, Venue
from crypto_lakehouse.exchange.venues import VENUES
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.runbook import Entry, see
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Exchange, Market

_STOP_SECONDS = {429: 60.0, 418: 300.0}
"""How long to stop where a refusal has no time: a budget window, and more than the shortest ban of two minutes."""

_LONGEST_STOP_SECONDS = 3 * 86_400.0
"""The longest ban that the exchange's documentation names."""
_COUNT = re.compile(r"[0-9]{1,9}")

_RETRIED = "The request is repeated, and a later run requests what is missing"
_FIREWALL = (
    "Its firewall blocks this address for a while, or for good. Wait an hour. If it goes on, run from another address, "
    f"or set CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED=false. {see(Entry.EXCHANGE_REFUSES)}"
)

_OF_MEANING: Mapping[Meaning, tuple[type[LakehouseError], str]] = {
    Meaning.TOO_OLD: (OutOfReach, "Only the archive has it"),
    Meaning.UNKNOWN_SYMBOL: (UnknownSymbol, "Only the archive may have it"),
    Meaning.AGAIN: (SourceUnavailable, _RETRIED),
    Meaning.REQUEST: (InvalidRequest, "Look at the symbol and at the exchange's documentation"),
}
"""Our error and the advice for each refusal that concerns one request only."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer and what it parses to."""

    answer: Answer
    content: Any


@dataclass(slots=True)
class ExchangeClient:
    """A client of one market of an exchange, for one thread.

    Args:
        settings: Addresses, limits and retries.
        market: The market.
        limiter: The shared budget.
        clock: Seconds since the epoch, by this machine.
        sleep: Waits.
        exchange: The exchange.
    """

    settings: ExchangeSettings
    market: Market
    limiter: RateLimiter
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    exchange: Exchange = Exchange.BINANCE
    _transport: Transport = field(init=False)
    _offset: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._transport = self._venue.open(self.settings)

    @property
    def _venue(self) -> Venue:
        return VENUES[self.exchange]

    def now(self) -> float:
        """Returns the seconds since the epoch, by the exchange's clock once `server_time` was called."""
        return self.clock() + self._offset

    def server_time(self) -> datetime:
        """Returns the exchange's own time, and follows its clock from now on: it decides what is closed or too old.

        Raises:
            LakehouseError: It did not answer, or refused.
        """
        endpoint = server_time(self.exchange, self.market)
        page = self.request(endpoint, {})
        try:
            content = page.content[endpoint.rows_at] if endpoint.rows_at else page.content
            seconds = time_of(content, endpoint) / 1_000_000
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            body = foreign(page.answer.body)
            raise SchemaDrift(f"the server's time is {body}", "Look at the exchange's documentation") from error
        self._offset = seconds - self.clock()
        self.limiter.clock = self.now
        return datetime.fromtimestamp(seconds, UTC)

    def request(self, endpoint: RestEndpoint, params: Params, *, in_microseconds: bool = False) -> Page:
        """Returns an endpoint's answer; repeats the request where that may help.

        Raises:
            RateLimited: The exchange asked for a pause that is longer than allowed.
            SourceUnavailable: It did not answer, or its answer is not acceptable.
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
        return retrying(self._request_once, endpoint, params, in_microseconds)

    def _request_once(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Page:
        self.limiter.acquire(endpoint.limit, endpoint.weight)
        try:
            content = self._transport.get(endpoint, params, in_microseconds)
        except (ccxt.BaseError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError) as error:
            # ccxt's own parsing raises these for bodies that it does not expect.
            answer = self._answer(endpoint, params)
            raise self._refusal(endpoint, answer, error) from error
        answer = self._answer(endpoint, params)
        if answer is None or not isinstance(content, list | dict):
            raise SourceUnavailable(f"{endpoint.path} returned a body that is not JSON", _RETRIED)
        if answer.weight_used is not None:
            self.limiter.note_used(endpoint.limit, answer.weight_used)
        return Page(answer, content)

    def _answer(self, endpoint: RestEndpoint, params: Params) -> Answer | None:
        received = self._transport.received
        if received is None:
            return None
        used = received.headers.get(endpoint.limit.header, "") if endpoint.limit.header else ""
        weight = int(used) if _COUNT.fullmatch(used) else None
        at = datetime.fromtimestamp(self.now(), UTC)
        return Answer(at, endpoint.path, dict(params), received.status, weight, received.body)

    def _refusal(self, endpoint: RestEndpoint, answer: Answer | None, error: Exception) -> LakehouseError:
        """Returns our error for a refusal; a refusal of the address stops every process first."""
        if answer is None:
            silence = silence_of(error)
            return SourceUnavailable(f"{endpoint.path} did not answer: {silence.reason}", silence.advice or _RETRIED)
        code, words = map(foreign, self._venue.error(answer.body))
        what = " ".join(part for part in (f"{endpoint.path} answered {answer.status}", code, words) if part)
        meaning = self._venue.meaning(answer.status, code)
        if meaning is Meaning.WAIT:
            self.limiter.stop(endpoint.limit, self._retry_after(answer.status), what)
            return RateLimited(what, f"All processes wait until the exchange's time is up. {ADVICE_WHEN_LIMITED}")
        if meaning is Meaning.BLOCKED:
            self.limiter.stop(endpoint.limit, REFUSAL_SECONDS, what, is_refusal=True)
            return ExchangeRefused(what, ADVICE_WHEN_REFUSED if answer.status == 451 else _FIREWALL)
        kind, advice = _OF_MEANING[meaning]
        return kind(what, advice)

    def _retry_after(self, status: int) -> float:
        received = self._transport.received
        seconds = received.headers.get("retry-after", "") if received else ""
        if not _COUNT.fullmatch(seconds):
            return _STOP_SECONDS.get(status, _STOP_SECONDS[429])
        return min(float(seconds), _LONGEST_STOP_SECONDS)


_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=20.0)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    # The limiter itself waits for the pause that the exchange asked for.
    return 0.0 if isinstance(error, RateLimited) else _BACKOFF(state)


def open_limiter(settings: ExchangeSettings, market: Market, exchange: Exchange = Exchange.BINANCE) -> RateLimiter:
    """Returns the budget of a market's address, which all processes of this machine share."""
    default = Path(tempfile.gettempdir()) / "crypto-lakehouse-limits.sqlite"
    url = urlsplit(VENUES[exchange].address(settings, market))
    # Markets behind one host of a test or proxy differ by path.
    address = f"{url.netloc}{url.path}"
    return RateLimiter(settings.limits_file or default, address, settings.budget_share, settings.max_wait_seconds)
