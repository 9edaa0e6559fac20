"""Pages of an answer over an explicit stretch of time: [start, end), oldest first, nothing dropped and nothing twice.

ccxt's generic paginator starts at now less its greatest number of calls and so drops the oldest rows in silence (ccxt
issue 26252). Here every page is held against the one before, and an empty one is asked for again before it is believed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.client import Page, Params
from crypto_lakehouse.instants import epoch_microseconds, microseconds
from crypto_lakehouse.spec import Paging, RestEndpoint, RestSource

Ask = Callable[[RestEndpoint, Params], Page]
"""Asks an endpoint and returns its page."""

_MS = 1000
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to ask for.

    Args:
        symbol: By the name the endpoint knows it by.
        start: First instant, inclusive, UTC, a whole millisecond.
        end: First instant past it.
        step: Distance of rows in microseconds; 0 where they have no grid.
        parameters: Further parameters, the kline interval for one.
    """

    symbol: str
    start: datetime
    end: datetime
    step: int
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Asking:
    source: RestSource
    endpoint: RestEndpoint
    stretch: Stretch
    ask: Ask

    @property
    def base(self) -> dict[str, str | int]:
        named: dict[str, str | int] = {self.source.symbol_parameter: self.stretch.symbol}
        return {**named, **dict(self.stretch.parameters), "limit": self.endpoint.page_rows}

    def page(self, params: Params, fault: "Fault", doubt: "Doubt") -> Page:
        """Returns a page; one out of place or doubtful is asked for once more, since a failing cache answers so.

        Of two doubtful ones the fuller counts.

        Raises:
            SourceUnavailable: It is out of place again.
        """
        page = self.ask(self.endpoint, {**self.base, **params})
        said = fault(rows_of(page))
        if said or doubt(rows_of(page)):
            again = self.ask(self.endpoint, {**self.base, **params})
            is_better = said or not doubt(rows_of(again)) or len(rows_of(again)) >= len(rows_of(page))
            page = again if is_better else page
            said = fault(rows_of(page))
        if said:
            raise SourceUnavailable(f"{self.endpoint.path} {said}", "It is asked again by the next run")
        return page


Fault = Callable[[list[Any]], str]
"""Says in words why rows cannot be the page that was asked for, or nothing."""

Doubt = Callable[[list[Any]], bool]
"""Says whether rows lack some that there might be."""


def pages(source: RestSource, endpoint: RestEndpoint, stretch: Stretch, ask: Ask) -> Iterator[Page]:
    """Yields the pages of an endpoint that together hold every row of a stretch; the ends may hold rows beyond it.

    Raises:
        SourceUnavailable: A page repeats or contradicts the one before.
        SchemaDrift: Its rows are not as the table says.
        LakehouseError: As `ask` does.
    """
    ways = {Paging.TIME: _by_time, Paging.SPAN: _by_span, Paging.ID: _by_identifier}
    yield from ways[endpoint.paging](_Asking(source, endpoint, stretch, ask))


def rows_of(page: Page) -> list[Any]:
    """Returns the rows of a page.

    Raises:
        SchemaDrift: Its content is no list.
    """
    if not isinstance(page.content, list):
        raise SchemaDrift(
            f"{page.answer.path} answered no list: {page.answer.body[:80]!r}", "Look at its documentation"
        )
    return page.content


def row_time(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the time of a row in microseconds since the epoch, whichever unit it is written in.

    Raises:
        SchemaDrift: The row has no such time.
    """
    try:
        return epoch_microseconds(row[endpoint.time])
    except (LookupError, TypeError, ValueError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no time {endpoint.time!r}: {str(row)[:80]}") from error


def _by_time(asking: _Asking) -> Iterator[Page]:
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    while start < end:
        fault = _ascending_between(start, end, asking)
        doubt = _starts_late(start, asking)
        page = asking.page({"startTime": start // _MS, "endTime": end // _MS - 1}, fault, doubt)
        yield page
        if not rows_of(page):
            return
        # Behind the rows there may be the candle that is open now, although the end excludes it.
        last = max(time for row in rows_of(page) if (time := row_time(row, asking.endpoint)) < end)
        if asking.stretch.step and last + asking.stretch.step >= end:
            return
        start = last // _MS * _MS + _MS


def _by_span(asking: _Asking) -> Iterator[Page]:
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    span = asking.endpoint.page_rows * asking.stretch.step
    while start < end:
        stop = min(start + span, end)
        fault = _ascending_between(start, stop, asking)
        # No further page would bring what a short one lacks.
        expected = max(1, (stop - start) // asking.stretch.step)
        yield asking.page({"startTime": start // _MS, "endTime": stop // _MS - 1}, fault, _is_short_of(expected))
        start = stop


def _by_identifier(asking: _Asking) -> Iterator[Page]:
    end, endpoint = microseconds(asking.stretch.end), asking.endpoint
    page = _first_by_time(asking) if asking.source.locator is None else _located(asking, asking.source.locator)
    while True:
        # Without rows it is yielded too: it is the evidence that there are none.
        yield page
        if not rows_of(page):
            return
        last = rows_of(page)[-1]
        if row_time(last, endpoint) >= end:
            return
        wanted = _identifier(last, endpoint) + 1
        page = asking.page({"fromId": wanted}, _identified_from(wanted, endpoint), _skips(wanted, endpoint))


def _first_by_time(asking: _Asking) -> Page:
    """Returns the first page that has rows, or the last without, an hour at a time: more is refused by some."""
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    while True:
        stop = min(start + _HOUR_US, end)
        fault = _ascending_between(start, stop, asking)
        page = asking.page({"startTime": start // _MS, "endTime": stop // _MS - 1}, fault, _is_short_of(1))
        if rows_of(page) or stop >= end:
            return page
        start = stop


def _located(asking: _Asking, locator: RestEndpoint) -> Page:
    """Returns the page that starts at the first trade of the first aggregate at or after the start."""
    finding = _Asking(RestSource((locator,), asking.source.shape), locator, asking.stretch, asking.ask)
    found = _first_by_time(finding)
    if not rows_of(found):
        return found
    wanted = int(rows_of(found)[0]["f"])
    endpoint = asking.endpoint
    return asking.page({"fromId": wanted}, _identified_from(wanted, endpoint), _skips(wanted, endpoint))


def _identifier(row: Any, endpoint: RestEndpoint) -> int:
    try:
        return int(row[endpoint.identifier])
    except (LookupError, TypeError, ValueError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no {endpoint.identifier!r}: {str(row)[:80]}") from error


def _identified_from(wanted: int, endpoint: RestEndpoint) -> Fault:
    def fault(rows: list[Any]) -> str:
        first = _identifier(rows[0], endpoint) if rows else wanted
        return f"was asked from {wanted} on and answered from {first} on: the page repeats" if first < wanted else ""

    return fault


def _is_short_of(expected: int) -> Doubt:
    return lambda rows: len(rows) < expected


def _skips(wanted: int, endpoint: RestEndpoint) -> Doubt:
    return lambda rows: not rows or _identifier(rows[0], endpoint) > wanted


def _starts_late(start: int, asking: _Asking) -> Doubt:
    step = asking.stretch.step
    return lambda rows: not rows or (step > 0 and row_time(rows[0], asking.endpoint) >= start + step)


def _ascending_between(start: int, end: int, asking: _Asking) -> Fault:
    endpoint = asking.endpoint
    strictly = endpoint.paging is not Paging.ID

    def fault(rows: list[Any]) -> str:
        times = [row_time(row, endpoint) for row in rows]
        if times and times[0] < start:
            return f"was asked from {start} on and answered from {times[0]} on: the page repeats"
        if times and times[0] >= end:
            return f"was asked for what is before {end} and answered from {times[0]} on: the page is another's"
        if any(later < earlier or (strictly and later == earlier) for earlier, later in pairwise(times)):
            return "answered rows that are not in order of time"
        return ""

    return fault
