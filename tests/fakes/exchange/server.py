"""The exchange as a server on loopback, in a thread with an event loop of its own."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Self, TypeVar

from aiohttp import web

from crypto_lakehouse.vocabulary import Market
from tests.fakes.exchange.binance import BinanceMount
from tests.fakes.exchange.budget import Charge, Pool, Verdict
from tests.fakes.exchange.coinbase import CoinbaseMount
from tests.fakes.exchange.encoding import DayCache
from tests.fakes.exchange.faults import REFUSALS, Fault, Faults, faulty, has_weight_header, html_answer
from tests.fakes.exchange.history import Library
from tests.fakes.exchange.kraken import KrakenMount
from tests.fakes.exchange.protocol import Answer, Mount, Page, Refused, Request
from tests.fakes.exchange.rows import RowSource, SyntheticRows
from tests.fakes.exchange.symbols import Symbols

_T = TypeVar("_T")
_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
_TOO_MUCH = {
    429: "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API.",
    418: "Way too much request weight used; IP banned until {until}. "
    "Please use WebSocket Streams for live updates to avoid bans.",
}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that came.

    Args:
        at: When, in seconds of the server's clock.
        mount: The first part of its path: `spot`, `um`, `cm`, `coinbase`, `kraken`.
        path: What follows, as `fapi/v1/klines`.
        params: Its query.
        status: What it was answered with.
        weight: What it was charged to the budget of a minute; 0 where there is no such budget.
    """

    at: float
    mount: str
    path: str
    params: Mapping[str, str]
    status: int
    weight: int


def running_clock(start: datetime) -> Callable[[], float]:
    """Returns a clock that shows `start` now, in seconds since the epoch, and runs on."""
    offset = start.timestamp() - time.monotonic()
    return lambda: offset + time.monotonic()


class LocalExchange:
    """Serves the mounts `/spot`, `/um`, `/cm`, `/coinbase` and `/kraken` while it is entered.

    Args:
        source: Where the rows come from; the generator of the synthetic archive unless told otherwise.
        symbols: What Binance's markets list.
        clock: The exchange's time in seconds since the epoch; the machine's unless told otherwise.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        source: RowSource | None = None,
        *,
        symbols: Symbols | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        library = Library(source or SyntheticRows(), DayCache())
        listed = symbols or Symbols()
        um = BinanceMount(Market.UM, library, listed)
        self._mounts: dict[str, Mount] = {
            "spot": BinanceMount(Market.SPOT, library, listed),
            "um": um,
            # Since 2026-06-30 an address has one weight for both futures APIs.
            "cm": BinanceMount(Market.CM, library, listed, shares_budget_with=um),
            "coinbase": CoinbaseMount(library),
            "kraken": KrakenMount(library),
        }
        self._clock = clock
        self._port = port
        self._faults = Faults()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-exchange", daemon=True)
        self.requests: list[SeenRequest] = []
        self.url = ""

    @property
    def fired(self) -> Counter[Fault]:
        """How often each fault really went out."""
        return self._faults.fired

    @property
    def requests_while_banned(self) -> int:
        """How many requests came during a ban that requests had earned."""
        return sum(mount.budget.requests_while_banned for mount in self._mounts.values())

    @property
    def faults_pending(self) -> int:
        """How many injected faults have not gone out yet."""
        return self._faults.pending()

    def inject(self, fault: Fault, times: int = 1, path: str = "klines") -> None:
        """Lets a fault befall the next requests that it fits.

        Args:
            fault: What to do.
            times: How often.
            path: How the path ends, whole parts of it: `klines`, `um/fapi/v1/klines`; empty fits all.
        """
        self._faults.inject(fault, times, path)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._runner = self._in_loop(self._listen())
        except OSError:
            self._end_thread()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._in_loop(self._runner.cleanup())
        self._end_thread()

    def _in_loop(self, work: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> web.ServerRunner:
        runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        mount, _, path = request.path.strip("/").partition("/")
        headers = MappingProxyType({name.lower(): value for name, value in request.headers.items()})
        request = Request(mount, path, MappingProxyType(dict(request.query)), headers, self._clock())
        answer = self._answer(request)
        return web.Response(
            status=answer.status, body=answer.body, headers=answer.headers, content_type=answer.content_type
        )

    def _answer(self, request: Request) -> Answer:
        mount = self._mounts.get(request.mount)
        if mount is None:
            return Answer(404, b"404: Not Found", content_type="text/plain")
        charge = mount.charge(request)
        answer = self._charged_answer(request, mount, charge)
        weight = charge.weight if charge.pool is Pool.WEIGHT else 0
        self.requests.append(
            SeenRequest(request.at, request.mount, request.path, request.params, answer.status, weight)
        )
        return answer

    def _charged_answer(self, request: Request, mount: Mount, charge: Charge) -> Answer:
        verdict = mount.budget.spend(charge, request.at)
        fault = None
        if verdict.status == 200:
            fault = self._faults.instead(request)
            answer = self._content(request, mount) if fault is None else _answer_of(fault, mount)
        else:
            answer = _limited(request, mount, verdict)
        tells_weight = charge.pool is Pool.WEIGHT and (fault is None or has_weight_header(fault))
        if not tells_weight or self._faults.without_header(request):
            return answer
        headers = {**answer.headers, _WEIGHT_HEADER: str(verdict.used)}
        return Answer(answer.status, answer.body, headers, answer.content_type)

    def _content(self, request: Request, mount: Mount) -> Answer:
        try:
            content = mount.respond(request)
        except Refused as refused:
            return mount.refusal(refused)
        if isinstance(content, bytes):
            return Answer(200, content)
        page: Page = self._faults.spoiled(request, content)
        return Answer(200, page.body, page.headers)


def _answer_of(fault: Fault, mount: Mount) -> Answer:
    return faulty(fault, mount.refusal(REFUSALS[fault])) if fault in REFUSALS else html_answer(fault)


def _limited(request: Request, mount: Mount, verdict: Verdict) -> Answer:
    until = request.now // 1000 + verdict.retry_after * 1000
    words = _TOO_MUCH[verdict.status].format(limit=mount.budget.weight_limit, until=until)
    refusal = mount.refusal(Refused(-1003, words, verdict.status))
    return Answer(refusal.status, refusal.body, {"Retry-After": str(verdict.retry_after)})
