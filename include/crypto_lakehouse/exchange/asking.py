"""What one stretch of time of one endpoint is asked with, page by page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.rows import rows_in, time_of
from crypto_lakehouse.exchange.venue import Params
from crypto_lakehouse.instants import instant
from crypto_lakehouse.spec import RestEndpoint, RestSource
from crypto_lakehouse.vocabulary import Stamp

Ask = Callable[[RestEndpoint, Params], Page]
"""Asks an endpoint and returns its page."""

Fault = Callable[[list[Any]], str]
"""Says in words why rows cannot be the page that was asked for, or nothing."""

Doubt = Callable[[list[Any]], bool]
"""Says whether rows lack some that there might be."""

_UNITS = {Stamp.EPOCH: 1000, Stamp.SECONDS: 1_000_000, Stamp.ISO: 1_000_000, Stamp.NANOSECONDS: 1}
"""How many microseconds apart the instants are that a request can tell apart; a nanosecond counts as one."""


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
class Asking:
    """An endpoint in the asking."""

    source: RestSource
    endpoint: RestEndpoint
    stretch: Stretch
    ask: Ask

    @property
    def base(self) -> dict[str, str | int]:
        """The parameters of every page."""
        named: dict[str, str | int] = {self.source.symbol_parameter: self.stretch.symbol}
        limit = self.endpoint.query.limit
        return {**named, **dict(self.stretch.parameters), **({limit: self.endpoint.page_rows} if limit else {})}

    def rows(self, page: Page) -> list[Any]:
        """Returns the rows of a page, oldest first.

        Raises:
            SchemaDrift: Its content is no list.
        """
        return rows_of(page, self.endpoint)

    def between(self, start: int, stop: int) -> dict[str, str | int]:
        """Returns the parameters that ask for the time from `start` up to but without `stop`, in microseconds."""
        query, unit = self.endpoint.query, _UNITS[self.endpoint.query.stamp]
        # Ends are inclusive.
        return {query.start: written(start, query.stamp), query.end: written(stop - unit, query.stamp)}

    def page(self, params: Params, fault: Fault, doubt: "Doubt | None" = None) -> Page:
        """Returns a page; one out of place, doubtful or without rows is asked for once more.

        A failing cache answers so. Of two doubtful ones the fuller counts.

        Raises:
            SourceUnavailable: It is out of place again.
        """
        doubtful = doubt or is_short_of(1)
        page = self.ask(self.endpoint, {**self.base, **params})
        rows = self.rows(page)
        said = fault(rows)
        if said or doubtful(rows):
            again = self.ask(self.endpoint, {**self.base, **params})
            more = self.rows(again)
            page = again if said or not doubtful(more) or len(more) >= len(rows) else page
            said = fault(self.rows(page))
        if said:
            raise SourceUnavailable(f"{self.endpoint.path} {said}", "It is asked again by the next run")
        return page

    def confirmed(self, params: Params, fault: Fault, doubt: Fault) -> Page:
        """Returns a page that may be sound although it looks incomplete: doubtful or empty, it must come twice.

        Raises:
            SourceUnavailable: It is out of place twice, or lacks rows the second time.
        """
        first = self.rows(page := self.ask(self.endpoint, {**self.base, **params}))
        if first and not fault(first) and not doubt(first):
            return page
        second = self.rows(page := self.ask(self.endpoint, {**self.base, **params}))
        said = fault(second)
        if not said and not fault(first) and self._names(first) - self._names(second):
            said = doubt(second) or ("" if second else "answered nothing")
        if said:
            raise SourceUnavailable(f"{self.endpoint.path} {said}", "It is asked again by the next run")
        return page

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
            f"{page.answer.path} answered no list: {page.answer.body[:80]!r}", "Look at its documentation"
        ) from error


def row_time(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the time of a row in microseconds since the epoch, whichever way it is written.

    Raises:
        SchemaDrift: The row has no such time.
    """
    try:
        return time_of(row, endpoint)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no time {endpoint.time!r}: {str(row)[:80]}") from error


def number_of(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the identifier of a row.

    Raises:
        SchemaDrift: The row has none.
    """
    try:
        return int(row[endpoint.identifier])
    except (LookupError, TypeError, ValueError) as error:
        raise SchemaDrift(f"a row of {endpoint.path} has no {endpoint.identifier!r}: {str(row)[:80]}") from error


def is_short_of(expected: int) -> Doubt:
    """Returns the doubt of rows that are fewer than expected."""
    return lambda rows: len(rows) < expected


def ascending_between(start: int, end: int | None, endpoint: RestEndpoint) -> Fault:
    """Returns the fault of rows that begin before `start`, or past `end`, or are not in order of time."""
    strictly = not endpoint.has_identifier

    def fault(rows: list[Any]) -> str:
        times = [row_time(row, endpoint) for row in rows]
        if times and times[0] < start:
            return f"was asked from {start} on and answered from {times[0]} on: the page repeats"
        if times and end is not None and times[0] >= end:
            return f"was asked for what is before {end} and answered from {times[0]} on: the page is another's"
        if any(later < earlier or (strictly and later == earlier) for earlier, later in pairwise(times)):
            return "answered rows that are not in order of time"
        return ""

    return fault
