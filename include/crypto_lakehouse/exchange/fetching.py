"""Fetches one span of one symbol from the exchange and stores the answers in Bronze."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.endpoints.spec import Query, RestShape, RestSource
from crypto_lakehouse.errors import InvalidRequest, OutOfReach, UnknownSymbol
from crypto_lakehouse.exchange.bodies import Answer, encode
from crypto_lakehouse.exchange.client import ExchangeClient, Page
from crypto_lakehouse.exchange.page_reader import KLINES, FetchPage, RowRequest, is_readable, row_end, row_time, rows_of
from crypto_lakehouse.exchange.paging import pages
from crypto_lakehouse.instants import instant, microseconds, utc_now
from crypto_lakehouse.lake.records import BronzeObject, RequestSpan
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spans import Span
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import symbol_key
from crypto_lakehouse.vocabulary import ChecksumStatus, Interval, Source

MAX_PAGES = 100
"""Pages in one Bronze object, so that its size does not depend on the span requested."""

SETTLING = timedelta(seconds=2)
"""How long before the exchange's now a row may still come, or a kline that has closed may still change."""

LIVE_EDGE = timedelta(hours=1)
"""A span that ends so recently may lack rows that have not reached the exchange's own store yet."""

_REST_INTERVAL = {Interval.MO1: "1M"}
"""Intervals whose name in REST is not the archive's name."""

_REFUSED = 400
"""Status of an answer that is a refusal; conform takes rows only from answers of status 200."""

_STAMP = "%Y%m%dT%H%M%S%f"
"""To the microsecond: two spans within one second are two objects."""


@dataclass(frozen=True, slots=True)
class AnsweredSpan:
    """A span whose rows are all in these answers; answers without rows are the evidence that there are none."""

    span: Span
    answers: tuple[Answer, ...]


def fetch(
    dataset: Dataset, wanted: RequestSpan, client: ExchangeClient, *, is_known: bool = True
) -> Iterator[AnsweredSpan]:
    """Yields what the exchange answers for a span, in parts that follow each other, up to its last closed row.

    Where the exchange no longer knows the symbol, or the days are out of the endpoint's reach, a part without rows is
    yielded. It is the evidence, and these days are not requested again.

    Args:
        dataset: The dataset.
        wanted: The span.
        client: The client of its market.
        is_known: Whether the symbol existed once, even if the exchange does not know it.

    Raises:
        UnknownSymbol: The exchange does not know the symbol, and it never existed.
        LakehouseError: The exchange did not answer, or its answer is not acceptable.
    """
    source = _source(dataset)
    start, end = wanted.span.start, min(wanted.span.end, _now(client) - SETTLING)
    reach = _reach(source, client, _step(wanted, source))
    if start < min(reach, end):
        out_of_reach = Span(start, min(reach, end))
        yield AnsweredSpan(out_of_reach, (_refusal(source, client, _reach_in_words(source)),))
        start = reach
    if start >= end:
        return
    try:
        for answered in _answered_spans(_fetch(source, wanted, client, Span(start, end))):
            yield answered
            start = answered.span.end
    except (UnknownSymbol, OutOfReach) as error:
        if isinstance(error, UnknownSymbol) and not is_known:
            raise
        yield AnsweredSpan(Span(start, end), (_refusal(source, client, error.what),))


def _source(dataset: Dataset) -> RestSource:
    if dataset.rest is None:
        raise InvalidRequest("no endpoint has its rows", "Only the archive has them", dataset=dataset.name)
    return dataset.rest


def _step(wanted: RequestSpan, source: RestSource) -> int:
    """Returns the distance of rows in microseconds; 0 where they have no grid."""
    return (Interval(wanted.interval).microseconds or 0) if wanted.interval else source.step_seconds * 1_000_000


def _reach(source: RestSource, client: ExchangeClient, step: int) -> datetime:
    """Returns the first instant, on a full hour or kline, whose rows the endpoint still returns, by its own clock."""
    if source.reach_rows is not None:
        # The open kline counts too, and another kline may open before the answer comes.
        return instant((microseconds(_now(client)) // step + 2 - source.reach_rows) * step)
    if source.reach_days is None:
        return datetime.fromtimestamp(0, UTC)
    first = _now(client) - timedelta(days=source.reach_days)
    return first.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _reach_in_words(source: RestSource) -> str:
    if source.reach_rows is not None:
        return f"the endpoint has the newest {source.reach_rows} klines only"
    return f"the endpoint has {source.reach_days:g} days only"


def _refusal(source: RestSource, client: ExchangeClient, words: str) -> Answer:
    """Returns an answer without rows that contains why there are none."""
    return Answer(_now(client), source.endpoints[0].path, {}, _REFUSED, None, words)


def _now(client: ExchangeClient) -> datetime:
    return instant(int(client.now() * 1_000_000))


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What is fetched from a source, and how.

    Args:
        source: The source.
        span: The span of the rows that are wanted.
        request: What is requested for it.
        fetch_page: Requests a page.
        now: By the exchange's clock, before the first request.
        lag: How far a row's stamp is after the row's own start, in microseconds.
    """

    source: RestSource
    span: Span
    request: RowRequest
    fetch_page: FetchPage
    now: datetime
    lag: int

    @property
    def closed_by(self) -> int:
        """When a kline must have ended to be whole, in microseconds since the epoch."""
        # Where no close time is published, a kline that ended a moment ago may still change.
        is_candle = self.source.shape is RestShape.CANDLES
        return microseconds(self.now - SETTLING if is_candle else self.now)


def _fetch(source: RestSource, wanted: RequestSpan, client: ExchangeClient, span: Span) -> _Fetch:
    interval = Interval(wanted.interval) if wanted.interval else None
    parameters = source.parameters
    if interval is not None:
        parameters = (*parameters, _interval_parameter(interval, source.endpoints[0].query))
    margins = timedelta(seconds=source.before_seconds), timedelta(seconds=source.after_seconds)
    request = RowRequest(
        _endpoint_symbol(source, wanted.symbol),
        Span(span.start - margins[0], span.end + margins[1]),
        _step(wanted, source),
        parameters,
    )
    first_day = span.start.date()
    in_microseconds = source.microseconds_from is not None and first_day >= source.microseconds_from
    lag = metrics_stamp_lag(first_day) if source.shape is RestShape.METRICS else 0
    fetch_page = partial(client.request, in_microseconds=in_microseconds)
    return _Fetch(source, span, request, fetch_page, _now(client), lag)


def _interval_parameter(interval: Interval, query: Query) -> tuple[str, str]:
    if query.interval_seconds:
        return query.interval, str((interval.microseconds or 0) // 1_000_000 // query.interval_seconds)
    return query.interval, _REST_INTERVAL.get(interval, interval.value)


def _endpoint_symbol(source: RestSource, symbol: str) -> str:
    """Returns a symbol by its name in the endpoint.

    Raises:
        UnknownSymbol: The endpoint takes a pair and a contract type, and the symbol is of another type.
    """
    if not source.by_pair:
        return symbol
    pair, _, contract = symbol.partition("_")
    if dict(source.parameters).get("contractType") and contract != "PERP":
        raise UnknownSymbol("is not a perpetual contract, and the endpoint has only those", "Only the archive has it")
    return pair


def _answered_spans(fetch: _Fetch) -> Iterator[AnsweredSpan]:
    source, endpoint = fetch.source, fetch.source.endpoints[0]
    begin, end = fetch.span.start, fetch.span.end
    collected, complete_to, is_whole = list[Page](), None, True
    for page in pages(source, endpoint, fetch.request, fetch.fetch_page):
        collected.append(page)
        complete_to = _complete_to(page, fetch) or complete_to
        is_whole = is_whole and not _has_open_kline(page, fetch)
        if len(collected) >= MAX_PAGES and complete_to is not None and begin < complete_to < end:
            yield AnsweredSpan(Span(begin, complete_to), _answers(collected))
            # Rows of the instant of the cut are in this part's last page, and belong to the next part.
            begin, collected = complete_to, [page] if endpoint.has_identifier else []
    for other in source.endpoints[1:]:
        others = list(pages(source, other, fetch.request, fetch.fetch_page))
        collected += others
        # A row is whole once the slowest of its endpoints has it.
        ends = [reached for page in others if (reached := _complete_to(page, fetch))]
        complete_to = min(complete_to or begin, max(ends, default=begin))
    if end > fetch.now - LIVE_EDGE or not is_whole:
        # Later rows may still come: the answers count up to the last row only.
        end = min(end, complete_to or begin)
    if begin < end:
        yield AnsweredSpan(Span(begin, end), _answers(collected))


def _answers(collected: Sequence[Page]) -> tuple[Answer, ...]:
    return tuple(page.answer for page in collected)


def _complete_to(page: Page, fetch: _Fetch) -> datetime | None:
    """Returns up to when a page has all rows; a kline that is still open does not count. None without rows."""
    source, endpoint = fetch.source, fetch.source.endpoints[0]
    rows = _readable_rows(page, fetch)
    if source.shape in KLINES:
        ends = [row_end(row, source, fetch.request.step) for row in rows]
        closed = [end for end in ends if end <= fetch.closed_by]
        return instant(closed[-1]) if closed else None
    if not rows:
        return None
    last = row_time(rows[-1], endpoint)
    if source.shape is RestShape.METRICS:
        return instant(last - fetch.lag + fetch.request.step)
    # Other trades of the same millisecond may be on the next page; there is one payment at an instant.
    return instant(last // 1000 * 1000 + (0 if endpoint.has_identifier else 1000))


def _has_open_kline(page: Page, fetch: _Fetch) -> bool:
    """Returns whether a kline that opened before the end of the span is still open."""
    if fetch.source.shape not in KLINES:
        return False
    endpoint, end = fetch.source.endpoints[0], microseconds(fetch.span.end)
    rows = _readable_rows(page, fetch)
    if rows[-1:] != rows_of(page, endpoint)[-1:] and end + fetch.request.step > fetch.closed_by:
        # The newest row is odd, and may be the open one.
        return True
    before = [row for row in rows if row_time(row, endpoint) < end]
    return any(row_end(row, fetch.source, fetch.request.step) > fetch.closed_by for row in before)


def _readable_rows(page: Page, fetch: _Fetch) -> list[Any]:
    """Returns the rows of a page that tell how far it reaches; conform sets the others aside."""
    source, endpoint = fetch.source, fetch.source.endpoints[0]
    return [row for row in rows_of(page, endpoint) if is_readable(row, source, endpoint, fetch.request.step)]


def store(answered: AnsweredSpan, dataset: Dataset, wanted: RequestSpan, storage: Storage) -> BronzeObject:
    """Writes the answers to the lake and returns the record for the Bronze log, which the caller commits."""
    data = encode(answered.answers)
    sha256 = hashlib.sha256(data).hexdigest()
    span = answered.span
    folder = "/".join(part for part in (symbol_key(wanted.symbol), wanted.interval) if part)
    name = f"{span.start:{_STAMP}}_{span.end:{_STAMP}}"
    path = f"bronze/{dataset.name}/rest/{folder}/{name}/{sha256}.jsonl.gz"
    storage.write(path, data)
    return BronzeObject(
        dataset=dataset.name,
        key=f"rest/{dataset.name}/{folder}/{name}.jsonl.gz",
        symbol=wanted.symbol,
        interval=wanted.interval,
        source=Source.REST,
        start=span.start,
        end=span.end,
        etag="",
        last_modified=max((answer.at for answer in answered.answers), default=span.end),
        size=len(data),
        sha256=sha256,
        checksum=ChecksumStatus.UNPUBLISHED,
        seen_at=utc_now(),
        path=path,
    )
