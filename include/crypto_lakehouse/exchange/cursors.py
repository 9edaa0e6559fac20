"""Pages of trades of endpoints that know a cursor only: rows below an identifier, or rows after an instant."""

from collections.abc import Iterator
from typing import Any

from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.page_reader import (
    REQUESTED_AGAIN,
    PageReader,
    ascending_between,
    number_of,
    row_time,
    rows_of,
    written,
)


def after_time(reader: PageReader) -> Iterator[Page]:
    """Yields the pages of a request, each from just before the last row of the page before.

    Rows of one instant may be on two pages. So the last row comes twice, which also proves that pages join.

    Raises:
        SourceUnavailable: A page is wrong, or more rows than fit a page are of one instant.
    """
    after, end = reader.start, reader.end
    known, last = set[int](), None
    while True:
        page = _after(reader, after, last)
        rows = reader.rows(page)
        numbers = {number_of(row, reader.endpoint) for row in rows}
        if known and numbers <= known:
            if reader.is_full(page):
                raise SourceUnavailable(f"{reader.endpoint.path} has no page after {after}", REQUESTED_AGAIN)
            return
        yield page
        if not rows or row_time(rows[-1], reader.endpoint) >= end:
            return
        after, known, last = row_time(rows[-1], reader.endpoint), numbers, number_of(rows[-1], reader.endpoint)


def _after(reader: PageReader, after: int, last: int | None) -> Page:
    """Returns the rows from an instant on; `last` is the identifier of a row of that instant, if one is known."""
    endpoint, end = reader.endpoint, reader.end
    is_early = ascending_between(after, None, endpoint)

    def fault(rows: list[Any]) -> str:
        """Returns what is wrong with a page, which is then not accepted; nothing if it is right."""
        if last is not None and last not in {number_of(row, endpoint) for row in rows}:
            return f"was asked for rows from {last} on and returned none of that identifier: pages do not join"
        return is_early(rows)

    def doubt(rows: list[Any]) -> str:
        """Returns what is odd about a page, which is then accepted only if it comes twice; nothing if it is not odd."""
        is_late = bool(rows) and row_time(rows[0], endpoint) >= end
        return "returned later rows than the request, and none of it" if is_late else ""

    # Rows come after the cursor, never at it.
    cursor = {endpoint.query.cursor: int(written(after, endpoint.query.stamp)) - 1}
    return reader.confirmed(cursor, fault, doubt)


def below_identifier(reader: PageReader) -> Iterator[Page]:
    """Yields the pages of a request, oldest first, of an endpoint that returns the newest rows below an identifier.

    Raises:
        SourceUnavailable: A page is wrong, or rows are missing that were there a moment ago.
    """
    start, end = reader.start, reader.end
    newest = _newest(reader, start)
    rows = reader.rows(newest)
    if not rows or row_time(rows[-1], reader.endpoint) < start:
        # This page is the evidence that nothing was traded since.
        yield newest
        return
    wanted, top = _first_number(reader, newest, start), number_of(rows[-1], reader.endpoint)
    while wanted <= top:
        chunk = _from_number(reader, wanted, top)
        yield from chunk
        last = reader.rows(chunk[-1])[-1]
        if row_time(last, reader.endpoint) >= end:
            return
        wanted = number_of(last, reader.endpoint) + 1
        if wanted > top:
            # An old page from a cache would look like the end of all trades.
            top = max([top, *(number_of(row, reader.endpoint) for row in reader.rows(_newest(reader, end)))])


def _newest(reader: PageReader, since: int) -> Page:
    def is_old(rows: list[Any]) -> bool:
        """Returns whether a page has only rows from before the instant; a cache may have answered."""
        return row_time(rows[-1], reader.endpoint) < since

    page = reader.page({}, lambda _: "")
    rows = reader.rows(page)
    return reader.page({}, lambda _: "") if rows and is_old(rows) else page


def _first_number(reader: PageReader, newest: Page, start: int) -> int:
    """Returns the identifier of the first row at or after an instant, by binary search.

    Odd rows just before it may be of the request, too: then it is the identifier after the last row that is not.
    """
    endpoint = reader.endpoint
    page, rows = newest, reader.rows(newest)
    top = middle = high = number_of(rows[-1], endpoint)
    low = after_earlier = 1
    while True:
        earlier = [row for row in rows if row_time(row, endpoint) < start]
        if len(earlier) == len(rows):
            low = middle + 1
            after_earlier = number_of(rows[-1], endpoint) + 1 if rows and _ends_oddly(page, reader) else low
        elif earlier:
            first, later = number_of(earlier[-1], endpoint) + 1, rows[len(earlier)]
            every = rows_of(page, endpoint)
            return first if every[every.index(later) - 1] != earlier[-1] else number_of(later, endpoint)
        else:
            high = number_of(rows[0], endpoint)
        if low >= high:
            return min(high, after_earlier)
        middle = (low + high) // 2
        page = _below(reader, middle + 1, top)
        rows = reader.rows(page)


def _ends_oddly(page: Page, reader: PageReader) -> bool:
    """Returns whether the newest row of a page is odd."""
    return reader.rows(page)[-1:] != rows_of(page, reader.endpoint)[-1:]


def _from_number(reader: PageReader, wanted: int, top: int) -> list[Page]:
    """Returns the pages, oldest first, of as many identifiers as fit a page; several where a page has fewer rows."""
    collected, upper = list[Page](), wanted + reader.endpoint.page_rows
    while upper > wanted:
        page = _below(reader, upper, top)
        rows = reader.rows(page)
        if not rows or number_of(rows[-1], reader.endpoint) < wanted:
            break
        collected.append(page)
        upper = number_of(rows[0], reader.endpoint)
    if not collected:
        raise SourceUnavailable(
            f"{reader.endpoint.path} has none of {wanted} to {upper}, but newer ones", REQUESTED_AGAIN
        )
    return collected[::-1]


def _below(reader: PageReader, upper: int, top: int) -> Page:
    """Returns the newest rows below an identifier; `top` is known to exist. A page of fewer rows must come twice."""

    def fault(rows: list[Any]) -> str:
        """Returns what is wrong with a page, which is then not accepted; nothing if it is right."""
        last = number_of(rows[-1], reader.endpoint) if rows else 0
        return f"was asked for rows below {upper} and returned {last}" if last >= upper else ""

    def doubt(rows: list[Any]) -> str:
        """Returns what is odd about a page, which is then accepted only if it comes twice; nothing if it is not odd."""
        last = number_of(rows[-1], reader.endpoint) if rows else 0
        return f"was asked for rows below {upper} and returned rows up to {last}" if last < min(upper - 1, top) else ""

    return reader.confirmed({reader.endpoint.query.cursor: upper}, fault, doubt)
