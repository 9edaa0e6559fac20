"""The pages of an endpoint over an explicit span of time: oldest first, no row dropped and no row twice.

ccxt's generic paginator starts at now less its greatest number of calls and so drops the oldest rows in silence (ccxt
issue 26252). Here every page is compared with the page before, and an empty page is requested again before it is
accepted.
"""

from collections.abc import Iterator
from typing import Any

from crypto_lakehouse.endpoints.spec import Paging, RestEndpoint, RestSource
from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.cursors import after_time, below_identifier
from crypto_lakehouse.exchange.page_reader import (
    Doubt,
    FetchPage,
    PageReader,
    RowRequest,
    ascending_between,
    is_short_of,
    number_of,
    row_time,
    rows_of,
)
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.instants import HOUR_US

_MS = 1000


def pages(source: RestSource, endpoint: RestEndpoint, request: RowRequest, fetch_page: FetchPage) -> Iterator[Page]:
    """Yields the pages of an endpoint that together contain every row of a request; some may have rows beyond it.

    Raises:
        SourceUnavailable: A page repeats or contradicts the one before.
        SchemaDrift: Its rows do not match the table.
        LakehouseError: As `fetch_page` does.
    """
    yield from _READERS[endpoint.paging](PageReader(source, endpoint, request, fetch_page))


def _by_time(reader: PageReader) -> Iterator[Page]:
    start, end = reader.start, reader.end
    while start < end:
        fault = ascending_between(start, end, reader.endpoint)
        page = reader.page(reader.between(start, end), fault, _starts_late(start, reader))
        yield page
        if not reader.rows(page):
            return
        # After the rows there may be the kline that is open now, although the end excludes it.
        last = max(time for row in reader.rows(page) if (time := row_time(row, reader.endpoint)) < end)
        if reader.request.step and last + reader.request.step >= end:
            return
        start = last // _MS * _MS + _MS


def _by_span(reader: PageReader) -> Iterator[Page]:
    start, end = reader.start, reader.end
    span = reader.endpoint.page_rows * reader.request.step
    while start < end:
        stop = min(start + span, end)
        # No later page would bring what a short page lacks.
        expected = max(1, (stop - start) // reader.request.step)
        fault = ascending_between(start, stop, reader.endpoint)
        yield reader.page(reader.between(start, stop), fault, is_short_of(expected))
        start = stop


def _newest(reader: PageReader) -> Iterator[Page]:
    start, end = reader.start, reader.end

    def stops_early(rows: list[Any]) -> str:
        """Returns how far a page reaches if it ends before the span does; nothing if it does not."""
        last = row_time(rows[-1], reader.endpoint) if rows else start
        return f"returned rows up to {last} only" if last + reader.request.step < end else ""

    page = reader.confirmed({}, ascending_between(0, None, reader.endpoint), stops_early)
    rows = reader.rows(page)
    # A shorter page is the symbol's whole life.
    if reader.is_full(page) and row_time(rows[0], reader.endpoint) > start:
        raise SourceUnavailable(
            f"{reader.endpoint.path} no longer has {reader.request.span.start}", "The request came too late"
        )
    yield page


def _by_identifier(reader: PageReader) -> Iterator[Page]:
    end, endpoint = reader.end, reader.endpoint
    page = _first_by_time(reader) if reader.source.locator is None else _located(reader, reader.source.locator)
    while True:
        # A page without rows is yielded too: it is the evidence that there are none.
        yield page
        if not reader.rows(page):
            return
        last = reader.rows(page)[-1]
        if row_time(last, endpoint) >= end:
            return
        page = _from_identifier(reader, number_of(last, endpoint) + 1)


def _first_by_time(reader: PageReader) -> Page:
    """Returns the first page that has rows, or else the last one; an hour at a time, for some refuse more."""
    start, end = reader.start, reader.end
    while True:
        stop = min(start + HOUR_US, end)
        page = reader.page(reader.between(start, stop), ascending_between(start, stop, reader.endpoint))
        if reader.rows(page) or stop >= end:
            return page
        start = stop


def _located(reader: PageReader, locator: RestEndpoint) -> Page:
    """Returns the page that starts at the first trade of the first aggregate at or after the start."""
    aggregates = PageReader(RestSource((locator,), reader.source.shape), locator, reader.request, reader.fetch_page)
    page = _first_by_time(aggregates)
    # The first of all rows: the trades of an odd one would be left out without a trace.
    first = rows_of(page, locator)[:1] if aggregates.rows(page) else []
    return _from_identifier(reader, _first_trade(first[0], locator)) if first else page


def _first_trade(aggregate: Any, locator: RestEndpoint) -> int:
    try:
        return int(aggregate["f"])
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SchemaDrift(f"a row of {locator.path} has no first trade: {foreign(aggregate)}") from error


def _from_identifier(reader: PageReader, wanted: int) -> Page:
    def fault(rows: list[Any]) -> str:
        """Returns what is wrong with a page, which is then not accepted; nothing if it is right."""
        first = number_of(rows[0], reader.endpoint) if rows else wanted
        if first < wanted:
            return f"was asked for rows from {wanted} on and returned rows from {first} on: the page repeats"
        return ""

    def skips(rows: list[Any]) -> bool:
        """Returns whether the identifier asked for is not on a page; it is then requested again."""
        return not rows or number_of(rows[0], reader.endpoint) > wanted

    return reader.page({reader.endpoint.query.cursor: wanted}, fault, skips)


def _starts_late(start: int, reader: PageReader) -> Doubt:
    step = reader.request.step
    return lambda rows: not rows or (step > 0 and row_time(rows[0], reader.endpoint) >= start + step)


_READERS = {
    Paging.TIME: _by_time,
    Paging.SPAN: _by_span,
    Paging.ID: _by_identifier,
    Paging.BELOW_ID: below_identifier,
    Paging.AFTER_TIME: after_time,
    Paging.NEWEST: _newest,
}
