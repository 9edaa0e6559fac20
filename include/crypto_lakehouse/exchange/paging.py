"""Pages of an answer over an explicit stretch of time: [start, end), oldest first, nothing dropped and nothing twice.

ccxt's generic paginator starts at now less its greatest number of calls and so drops the oldest rows in silence (ccxt
issue 26252). Here every page is held against the one before, and an empty one is asked for again before it is believed.
"""

from collections.abc import Iterator
from typing import Any

from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.exchange.asking import (
    Ask,
    Asking,
    Doubt,
    Stretch,
    ascending_between,
    is_short_of,
    number_of,
    row_time,
    rows_of,
)
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.cursors import after_time, below_identifier
from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.spec import Paging, RestEndpoint, RestSource

__all__ = ["Ask", "Stretch", "pages", "row_time", "rows_of"]

_MS = 1000
_HOUR_US = 3_600_000_000


def pages(source: RestSource, endpoint: RestEndpoint, stretch: Stretch, ask: Ask) -> Iterator[Page]:
    """Yields the pages of an endpoint that together hold every row of a stretch; the ends may hold rows beyond it.

    Raises:
        SourceUnavailable: A page repeats or contradicts the one before.
        SchemaDrift: Its rows are not as the table says.
        LakehouseError: As `ask` does.
    """
    yield from _WAYS[endpoint.paging](Asking(source, endpoint, stretch, ask))


def _by_time(asking: Asking) -> Iterator[Page]:
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    while start < end:
        fault = ascending_between(start, end, asking.endpoint)
        page = asking.page(asking.between(start, end), fault, _starts_late(start, asking))
        yield page
        if not asking.rows(page):
            return
        # Behind the rows there may be the candle that is open now, although the end excludes it.
        last = max(time for row in asking.rows(page) if (time := row_time(row, asking.endpoint)) < end)
        if asking.stretch.step and last + asking.stretch.step >= end:
            return
        start = last // _MS * _MS + _MS


def _by_span(asking: Asking) -> Iterator[Page]:
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    span = asking.endpoint.page_rows * asking.stretch.step
    while start < end:
        stop = min(start + span, end)
        # No further page would bring what a short one lacks.
        expected = max(1, (stop - start) // asking.stretch.step)
        fault = ascending_between(start, stop, asking.endpoint)
        yield asking.page(asking.between(start, stop), fault, is_short_of(expected))
        start = stop


def _newest(asking: Asking) -> Iterator[Page]:
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)

    def stops_early(rows: list[Any]) -> str:
        last = row_time(rows[-1], asking.endpoint) if rows else start
        return f"answered up to {last} only" if last + asking.stretch.step < end else ""

    page = asking.confirmed({}, ascending_between(0, None, asking.endpoint), stops_early)
    rows = asking.rows(page)
    # A shorter page is the symbol's whole life.
    if len(rows) >= asking.endpoint.page_rows and row_time(rows[0], asking.endpoint) > start:
        raise SourceUnavailable(f"{asking.endpoint.path} no longer has {asking.stretch.start}", "It was asked too late")
    yield page


def _by_identifier(asking: Asking) -> Iterator[Page]:
    end, endpoint = microseconds(asking.stretch.end), asking.endpoint
    page = _first_by_time(asking) if asking.source.locator is None else _located(asking, asking.source.locator)
    while True:
        # Without rows it is yielded too: it is the evidence that there are none.
        yield page
        if not asking.rows(page):
            return
        last = asking.rows(page)[-1]
        if row_time(last, endpoint) >= end:
            return
        page = _from_identifier(asking, number_of(last, endpoint) + 1)


def _first_by_time(asking: Asking) -> Page:
    """Returns the first page that has rows, or the last without, an hour at a time: more is refused by some."""
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    while True:
        stop = min(start + _HOUR_US, end)
        page = asking.page(asking.between(start, stop), ascending_between(start, stop, asking.endpoint))
        if asking.rows(page) or stop >= end:
            return page
        start = stop


def _located(asking: Asking, locator: RestEndpoint) -> Page:
    """Returns the page that starts at the first trade of the first aggregate at or after the start."""
    finding = Asking(RestSource((locator,), asking.source.shape), locator, asking.stretch, asking.ask)
    found = _first_by_time(finding)
    if not finding.rows(found):
        return found
    return _from_identifier(asking, int(finding.rows(found)[0]["f"]))


def _from_identifier(asking: Asking, wanted: int) -> Page:
    def fault(rows: list[Any]) -> str:
        first = number_of(rows[0], asking.endpoint) if rows else wanted
        return f"was asked from {wanted} on and answered from {first} on: the page repeats" if first < wanted else ""

    def skips(rows: list[Any]) -> bool:
        return not rows or number_of(rows[0], asking.endpoint) > wanted

    return asking.page({asking.endpoint.query.cursor: wanted}, fault, skips)


def _starts_late(start: int, asking: Asking) -> Doubt:
    step = asking.stretch.step
    return lambda rows: not rows or (step > 0 and row_time(rows[0], asking.endpoint) >= start + step)


_WAYS = {
    Paging.TIME: _by_time,
    Paging.SPAN: _by_span,
    Paging.ID: _by_identifier,
    Paging.BELOW_ID: below_identifier,
    Paging.AFTER_TIME: after_time,
    Paging.NEWEST: _newest,
}
