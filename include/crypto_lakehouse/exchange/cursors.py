"""Pages of trades where only a cursor is to be had: those below an identifier, or those after an instant."""

from collections.abc import Iterator
from typing import Any

from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.exchange.asking import Asking, ascending_between, number_of, row_time, written
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.instants import microseconds

_AGAIN = "It is asked again by the next run"


def after_time(asking: Asking) -> Iterator[Page]:
    """Yields the pages of a stretch, each asked for from just before the last row of the one before.

    Rows of one instant may lie on two pages; so the last row comes twice, which also proves that pages join.

    Raises:
        SourceUnavailable: A page is out of place, or so many rows are of one instant that none goes on.
    """
    after, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    known, last = set[int](), None
    while True:
        page = _after(asking, after, last)
        rows = asking.rows(page)
        numbers = {number_of(row, asking.endpoint) for row in rows}
        if known and numbers <= known:
            if len(rows) >= asking.endpoint.page_rows:
                raise SourceUnavailable(f"{asking.endpoint.path} does not go on after {after}", _AGAIN)
            return
        yield page
        if not rows or row_time(rows[-1], asking.endpoint) >= end:
            return
        after, known, last = row_time(rows[-1], asking.endpoint), numbers, number_of(rows[-1], asking.endpoint)


def _after(asking: Asking, after: int, last: int | None) -> Page:
    """Returns the rows from an instant on; `last` is the identifier of one of that instant, if one is known."""
    endpoint, end = asking.endpoint, microseconds(asking.stretch.end)
    is_early = ascending_between(after, None, endpoint)

    def fault(rows: list[Any]) -> str:
        if last is not None and last not in {number_of(row, endpoint) for row in rows}:
            return f"was asked from {last} on and answered without it: pages do not join"
        return is_early(rows)

    def doubt(rows: list[Any]) -> str:
        is_late = bool(rows) and row_time(rows[0], endpoint) >= end
        return "answered none of what was asked for, but later ones" if is_late else ""

    # What is answered comes after the cursor, never at it.
    cursor = {endpoint.query.cursor: int(written(after, endpoint.query.stamp)) - 1}
    return asking.confirmed(cursor, fault, doubt)


def below_identifier(asking: Asking) -> Iterator[Page]:
    """Yields the pages of a stretch, oldest first, of an endpoint that gives the newest rows below an identifier.

    Raises:
        SourceUnavailable: A page is out of place, or rows are missing that were there a moment ago.
    """
    start, end = microseconds(asking.stretch.start), microseconds(asking.stretch.end)
    newest = _newest(asking, start)
    rows = asking.rows(newest)
    if not rows or row_time(rows[-1], asking.endpoint) < start:
        # The evidence that nothing was traded since.
        yield newest
        return
    wanted, top = _first_number(asking, rows, start), number_of(rows[-1], asking.endpoint)
    while wanted <= top:
        chunk = _from_number(asking, wanted, top)
        yield from chunk
        last = asking.rows(chunk[-1])[-1]
        if row_time(last, asking.endpoint) >= end:
            return
        wanted = number_of(last, asking.endpoint) + 1
        if wanted > top:
            # An old answer out of a cache looks like the last trade there was.
            top = max([top, *(number_of(row, asking.endpoint) for row in asking.rows(_newest(asking, end)))])


def _newest(asking: Asking, since: int) -> Page:
    def is_old(rows: list[Any]) -> str:
        return "answered old rows only" if row_time(rows[-1], asking.endpoint) < since else ""

    page = asking.page({}, lambda _: "")
    rows = asking.rows(page)
    return asking.page({}, lambda _: "") if rows and is_old(rows) else page


def _first_number(asking: Asking, newest: list[Any], start: int) -> int:
    """Returns the identifier of the first row at or after an instant, found by halving."""
    endpoint = asking.endpoint
    top = middle = high = number_of(newest[-1], endpoint)
    rows, low = newest, 1
    while True:
        times = [row_time(row, endpoint) for row in rows]
        if not times or times[-1] < start:
            low = middle + 1
        elif times[0] >= start:
            high = number_of(rows[0], endpoint)
        else:
            return next(number_of(row, endpoint) for row, time in zip(rows, times, strict=True) if time >= start)
        if low >= high:
            return high
        middle = (low + high) // 2
        rows = asking.rows(_below(asking, middle + 1, top))


def _from_number(asking: Asking, wanted: int, top: int) -> list[Page]:
    """Returns the pages, oldest first, of a page's worth of identifiers; more than one where one came short."""
    found, upper = list[Page](), wanted + asking.endpoint.page_rows
    while upper > wanted:
        page = _below(asking, upper, top)
        rows = asking.rows(page)
        if not rows or number_of(rows[-1], asking.endpoint) < wanted:
            break
        found.append(page)
        upper = number_of(rows[0], asking.endpoint)
    if not found:
        raise SourceUnavailable(f"{asking.endpoint.path} has none of {wanted} to {upper}, but newer ones", _AGAIN)
    return found[::-1]


def _below(asking: Asking, upper: int, top: int) -> Page:
    """Returns the newest rows below an identifier; `top` is known to exist. Fewer than expected must come twice."""

    def fault(rows: list[Any]) -> str:
        last = number_of(rows[-1], asking.endpoint) if rows else 0
        return f"was asked below {upper} and answered {last}" if last >= upper else ""

    def doubt(rows: list[Any]) -> str:
        last = number_of(rows[-1], asking.endpoint) if rows else 0
        return f"was asked below {upper} and answered up to {last}" if last < min(upper - 1, top) else ""

    return asking.confirmed({asking.endpoint.query.cursor: upper}, fault, doubt)
