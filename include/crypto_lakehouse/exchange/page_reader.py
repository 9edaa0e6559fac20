"""One endpoint, read page by page: how a page is requested, and when it is requested again before it is accepted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from crypto_lakehouse.endpoints.spec import RestEndpoint, RestShape, RestSource
from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.rows import end_of, rows_in, time_of
from crypto_lakehouse.exchange.venue import Params
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.instants import instant, microseconds
from crypto_lakehouse.spans import Span
from crypto_lakehouse.vocabulary import Stamp

FetchPage = Callable[[RestEndpoint, Params], Page]
"""Requests a page of an endpoint and returns it."""

Fault = Callable[[list[Any]], str]
"""Returns why rows cannot be the page that was requested; empty where they can."""

Doubt = Callable[[list[Any]], bool]
"""Returns whether rows may be missing in a page."""

_UNITS = {Stamp.EPOCH: 1000, Stamp.SECONDS: 1_000_000, Stamp.ISO: 1_000_000, Stamp.NANOSECONDS: 1}
"""The resolution of a request's times in microseconds; a nanosecond counts as one."""

KLINES = frozenset({RestShape.ARRAYS, RestShape.CANDLES})
"""The shapes whose rows are klines, which have an end."""

REQUESTED_AGAIN = "The next run requests it again"


@dataclass(frozen=True, slots=True)
class RowRequest:
    """Which rows to request.

    Args:
        symbol: The symbol, by its name in this endpoint.
        span: The time of the rows. It may begin and end between two times that the endpoint can be asked for.
        step: Distance of rows in microseconds; 0 where they have no grid.
        parameters: Further parameters, such as the kline interval.
    """

    symbol: str
    span: Span
    step: int
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PageReader:
    """Reads the rows of one request from one endpoint.

    An odd row has no time, identifier or end that can be read. Pages follow each other by the other rows. The odd row
    stays in the answer, and conform sets it aside.

    Args:
        source: The source.
        endpoint: Its endpoint.
        request: Which rows to request.
        fetch_page: Requests a page.
        odd: The odd rows so far: at the border of two pages one may come twice.
    """

    source: RestSource
    endpoint: RestEndpoint
    request: RowRequest
    fetch_page: FetchPage
    odd: set[str] = field(default_factory=set)

    @property
    def start(self) -> int:
        """First instant of the request that the endpoint can be asked for, in microseconds since the epoch."""
        return microseconds(self.request.span.start) // self._unit * self._unit

    @property
    def end(self) -> int:
        """First instant after the request that the endpoint can be asked for, in microseconds since the epoch."""
        # Rounded up: otherwise a span within one unit would end before it starts, which the exchange refuses.
        return -(-microseconds(self.request.span.end) // self._unit) * self._unit

    @property
    def _unit(self) -> int:
        return _UNITS[self.endpoint.query.stamp]

    @property
    def base(self) -> dict[str, str | int]:
        """The parameters of every page."""
        named: dict[str, str | int] = {self.source.symbol_parameter: self.request.symbol}
        limit = self.endpoint.query.limit
        return {**named, **dict(self.request.parameters), **({limit: self.endpoint.page_rows} if limit else {})}

    def rows(self, page: Page) -> list[Any]:
        """Returns the rows of a page without odd ones, oldest first.

        Raises:
            SchemaDrift: Its content is no list, or most of its rows are odd and were on no page before.
        """
        rows = rows_of(page, self.endpoint)
        odd = [row for row in rows if not is_readable(row, self.source, self.endpoint, self.request.step)]
        if not odd:
            return rows
        new = [row for row in odd if repr(row) not in self.odd]
        if 2 * len(new) > len(rows):
            raise SchemaDrift(
                f"{len(odd)} of {len(rows)} rows of {self.endpoint.path} have no time or identifier that can be read,"
                f" such as {foreign(odd[0])}",
                "Compare them with its documentation",
            )
        self.odd.update(map(repr, new))
        return [row for row in rows if row not in odd]

    def is_full(self, page: Page) -> bool:
        """Returns whether a page has as many rows as it can have, odd ones included."""
        return len(rows_of(page, self.endpoint)) >= self.endpoint.page_rows

    def has_odd_rows(self, page: Page) -> bool:
        """Returns whether a page has odd rows; it is then requested once more."""
        return len(self.rows(page)) < len(rows_of(page, self.endpoint))

    def between(self, start: int, stop: int) -> dict[str, str | int]:
        """Returns the parameters that request the time from `start` up to but without `stop`, in microseconds."""
        query = self.endpoint.query
        # The exchange takes ends as inclusive.
        return {query.start: written(start, query.stamp), query.end: written(stop - self._unit, query.stamp)}

    def page(self, params: Params, fault: Fault, doubt: Doubt | None = None) -> Page:
        """Returns a page; one that is wrong, doubtful or empty, or has odd rows, is requested once more.

        The cache of an exchange that fails gives such pages. Of two doubtful pages, the one with more rows is taken.

        Raises:
            SourceUnavailable: The page is wrong again.
        """
        is_doubtful = doubt or is_short_of(1)
        page = self._fetched(params)
        rows = self.rows(page)
        reason = fault(rows)
        if reason or is_doubtful(rows) or self.has_odd_rows(page):
            second = self._fetched(params)
            second_rows = self.rows(second)
            page = second if reason or not is_doubtful(second_rows) or len(second_rows) >= len(rows) else page
            reason = fault(self.rows(page))
        if reason:
            raise SourceUnavailable(f"{self.endpoint.path} {reason}", REQUESTED_AGAIN)
        return page

    def confirmed(self, params: Params, fault: Fault, doubt: Fault) -> Page:
        """Returns a page that may be right although it looks incomplete: a doubtful or empty page must come twice.

        Raises:
            SourceUnavailable: The page is wrong twice, or has fewer rows the second time.
        """
        first = self.rows(page := self._fetched(params))
        if first and not fault(first) and not doubt(first) and not self.has_odd_rows(page):
            return page
        second = self.rows(page := self._fetched(params))
        reason = fault(second)
        if not reason and not fault(first) and self._names(first) - self._names(second):
            reason = doubt(second) or ("" if second else "returned nothing")
        if reason:
            raise SourceUnavailable(f"{self.endpoint.path} {reason}", REQUESTED_AGAIN)
        return page

    def _fetched(self, params: Params) -> Page:
        return self.fetch_page(self.endpoint, {**self.base, **params})

    def _names(self, rows: list[Any]) -> set[int]:
        name = number_of if self.endpoint.has_identifier else row_time
        return {name(row, self.endpoint) for row in rows}


def written(time: int, stamp: Stamp) -> str | int:
    """Returns microseconds since the epoch as a request spells them.

    >>> written(1735689600_000000, Stamp.EPOCH), written(1735689600_000000, Stamp.ISO)
    (1735689600000, '2025-01-01T00:00:00Z')
    """
    if stamp is Stamp.ISO:
        return f"{instant(time):%Y-%m-%dT%H:%M:%SZ}"
    return time * 1000 if stamp is Stamp.NANOSECONDS else time // _UNITS[stamp]


def rows_of(page: Page, endpoint: RestEndpoint) -> list[Any]:
    """Returns the rows of a page, oldest first.

    Raises:
        SchemaDrift: Its content is no list.
    """
    try:
        return rows_in(page.content, endpoint)
    except (LookupError, TypeError) as error:
        raise SchemaDrift(
            f"{page.answer.path} returned no list: {foreign(page.answer.body)}", "Look at its documentation"
        ) from error


def is_readable(row: Any, source: RestSource, endpoint: RestEndpoint, step: int) -> bool:
    """Returns whether a row has what paging needs: a time, an identifier where rows have one, and a kline's end."""
    try:
        row_time(row, endpoint)
        if endpoint.has_identifier:
            number_of(row, endpoint)
        if source.shape in KLINES:
            row_end(row, source, step)
    except SchemaDrift:
        return False
    return True


def row_time(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the time of a row in microseconds since the epoch, in whichever way it is written.

    Raises:
        SchemaDrift: The row has no such time.
    """
    try:
        return time_of(row, endpoint)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no time {endpoint.time!r}: {foreign(row)}") from error


def number_of(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the identifier of a row.

    Raises:
        SchemaDrift: The row has none.
    """
    try:
        return int(row[endpoint.identifier])
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no {endpoint.identifier!r}: {foreign(row)}") from error


def row_end(kline: Any, source: RestSource, step: int) -> int:
    """Returns the first instant past a kline, in microseconds since the epoch; `step` is its length.

    Raises:
        SchemaDrift: The row has no such time.
    """
    try:
        return end_of(kline, source, step)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        path = source.endpoints[0].path
        raise SchemaDrift(f"a row of {path} has no close time: {foreign(kline)}") from error


def is_short_of(expected: int) -> Doubt:
    """Returns a doubt that applies where there are fewer rows than expected."""
    return lambda rows: len(rows) < expected


def ascending_between(start: int, end: int | None, endpoint: RestEndpoint) -> Fault:
    """Returns a fault that applies where rows begin before `start`, or after `end`, or are not in order of time."""
    strictly = not endpoint.has_identifier

    def fault(rows: list[Any]) -> str:
        times = [row_time(row, endpoint) for row in rows]
        if times and times[0] < start:
            return f"was asked for rows from {start} on and returned rows from {times[0]} on: the page repeats"
        if times and end is not None and times[0] >= end:
            return f"was asked for rows before {end} and returned rows from {times[0]} on: it is another page"
        if any(later < earlier or (strictly and later == earlier) for earlier, later in pairwise(times)):
            return "returned rows that are not in order of time"
        return ""

    return fault
