"""Faults on command, and proof that they went out."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tests.fakes.exchange.budget import BAN_SECONDS
from tests.fakes.exchange.protocol import JSON, Answer, Page, Refused, Request

RETRY_AFTER_SECONDS = 2
"""What an injected 429 says, where it says anything."""


class Fault(StrEnum):
    """A way to misbehave."""

    RATE_LIMITED_WITH_RETRY_AFTER = "rate_limited_with_retry_after"
    RATE_LIMITED_WITHOUT = "rate_limited_without"
    BANNED_418 = "banned_418"
    WAF_403 = "waf_403"
    GEO_451 = "geo_451"
    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_504 = "error_504"
    TOO_MANY_1003 = "too_many_1003"
    BAD_INTERVAL_1120 = "bad_interval_1120"
    BAD_PARAMETER_1130 = "bad_parameter_1130"
    TOO_OLD_4166 = "too_old_4166"
    EMPTY_LIST = "empty_list"
    SHORT_PAGE = "short_page"
    REPEATED_PAGE = "repeated_page"
    OPEN_CANDLE = "open_candle"
    NO_WEIGHT_HEADER = "no_weight_header"


_TOO_MANY = "Too many requests; current limit is exceeded. Please use WebSocket Streams for live updates."
_BANNED = "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates to avoid bans."
_GEO = "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use."
_HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"

REFUSALS = {
    Fault.RATE_LIMITED_WITH_RETRY_AFTER: Refused(-1003, _TOO_MANY, 429),
    Fault.RATE_LIMITED_WITHOUT: Refused(-1003, _TOO_MANY, 429),
    Fault.BANNED_418: Refused(-1003, _BANNED, 418),
    Fault.GEO_451: Refused(0, _GEO, 451),
    Fault.ERROR_500: Refused(-1001, "Internal error; unable to process your request. Please try again.", 500),
    Fault.ERROR_504: Refused(
        -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", 504
    ),
    Fault.TOO_MANY_1003: Refused(-1003, _TOO_MANY),
    Fault.BAD_INTERVAL_1120: Refused(-1120, "Invalid interval."),
    Fault.BAD_PARAMETER_1130: Refused(-1130, "Data sent for parameter 'limit' is not valid."),
    Fault.TOO_OLD_4166: Refused(-4166, "Search window is restricted to recent 2 days only."),
}
"""Faults that take the answer's place, in the API's own shape."""

PAGES_OF_HTML = {Fault.WAF_403: (403, "403 Forbidden"), Fault.ERROR_502: (502, "502 Bad Gateway")}
"""Faults of what stands before the API: it answers in HTML."""

_RETRY_AFTER = {Fault.RATE_LIMITED_WITH_RETRY_AFTER: RETRY_AFTER_SECONDS, Fault.BANNED_418: BAN_SECONDS}
_FROM_BEFORE_THE_API = (*PAGES_OF_HTML, Fault.GEO_451, Fault.ERROR_504)
_REPLACING = (*REFUSALS, *PAGES_OF_HTML)


@dataclass(slots=True)
class _Queued:
    fault: Fault
    path: str
    left: int

    def matches(self, request: Request) -> bool:
        return f"/{request.mount}/{request.path}".endswith(f"/{self.path}") if self.path else True


@dataclass(slots=True)
class Faults:
    """The faults that wait for a request that they fit, and those that went out.

    A fault fires only where it changes the answer: a page cannot be repeated before there was one, and an answer
    that has no list cannot be short. Until then it waits.
    """

    fired: Counter[Fault] = field(default_factory=Counter)
    _queue: deque[_Queued] = field(default_factory=deque)
    _last_pages: dict[tuple[str, str, str], list[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, fault: Fault, times: int, path: str) -> None:
        """Queues a fault for the next requests whose path ends so."""
        with self._lock:
            self._queue.append(_Queued(fault, path.strip("/"), times))

    def pending(self) -> int:
        """Returns how many faults have not gone out yet."""
        with self._lock:
            return sum(one.left for one in self._queue)

    def instead(self, request: Request) -> Fault | None:
        """Returns the fault that takes the whole answer's place, if one waits."""
        return next((one.fault for one in self._waiting(request) if one.fault in _REPLACING and self._fire(one)), None)

    def without_header(self, request: Request) -> bool:
        """Returns whether the weight header is left out; ask only where there would be one."""
        return any(one.fault is Fault.NO_WEIGHT_HEADER and self._fire(one) for one in self._waiting(request))

    def spoiled(self, request: Request, page: Page) -> Page:
        """Returns the page as it is to go out, and remembers it."""
        key = (request.mount, request.path, request.params.get("symbol") or request.params.get("pair", ""))
        for one in self._waiting(request):
            rows = _spoiled_rows(one.fault, page, self._last_pages.get(key))
            if rows is not None and rows != page.rows and self._fire(one):
                page = replace(page, rows=rows)
                break
        self._last_pages[key] = page.rows
        return page

    def _waiting(self, request: Request) -> list[_Queued]:
        with self._lock:
            return [one for one in self._queue if one.matches(request)]

    def _fire(self, one: _Queued) -> bool:
        with self._lock:
            one.left -= 1
            if one.left <= 0:
                self._queue.remove(one)
            self.fired[one.fault] += 1
        return True


def _spoiled_rows(fault: Fault, page: Page, last: list[bytes] | None) -> list[bytes] | None:
    """Returns the rows that a fault makes of a page, or None where it cannot."""
    if fault is Fault.EMPTY_LIST:
        return []
    if fault is Fault.SHORT_PAGE and len(page.rows) > 1:
        return page.rows[: len(page.rows) // 2]
    if fault is Fault.REPEATED_PAGE:
        return last
    candle = page.open_candle() if fault is Fault.OPEN_CANDLE else None
    if candle is None or (page.rows and _opened(page.rows[-1]) == _opened(candle)):
        return None
    return [*page.rows, candle]


def _opened(candle: bytes) -> bytes:
    return candle.partition(b",")[0]


def html_answer(fault: Fault) -> Answer:
    """Returns the answer of what stands before the API."""
    status, title = PAGES_OF_HTML[fault]
    return Answer(status, _HTML.format(title).encode(), content_type="text/html")


def faulty(fault: Fault, shaped: Answer) -> Answer:
    """Returns the answer of a refusing fault, given the refusal in the API's shape."""
    seconds = _RETRY_AFTER.get(fault)
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Answer(shaped.status, shaped.body, headers, JSON)


def has_weight_header(fault: Fault) -> bool:
    """Returns whether the API itself answers, which tells the weight used."""
    return fault not in _FROM_BEFORE_THE_API
