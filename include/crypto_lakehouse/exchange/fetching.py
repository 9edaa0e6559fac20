"""One window of one symbol, asked of the exchange and kept in Bronze."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.errors import InvalidRequest, OutOfReach, UnknownSymbol
from crypto_lakehouse.exchange.bodies import Answer, encode
from crypto_lakehouse.exchange.client import ExchangeClient, Page
from crypto_lakehouse.exchange.paging import Ask, Stretch, pages, row_time, rows_of
from crypto_lakehouse.exchange.rows import end_of
from crypto_lakehouse.instants import instant, microseconds
from crypto_lakehouse.lake.records import BronzeObject, DeltaWindow
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset, Query, RestShape, RestSource
from crypto_lakehouse.symbols import symbol_key
from crypto_lakehouse.vocabulary import ChecksumStatus, Interval, Source

MAX_PAGES = 100
"""Pages in one Bronze object, so that no object grows with the window asked for."""

SETTLING = timedelta(seconds=2)
"""How long before the exchange's now a row may still come, or a kline that has closed still change."""

LIVE_EDGE = timedelta(hours=1)
"""How recent an end is where rows may still be on their way to the exchange's own store."""

_REST_INTERVAL = {Interval.MO1: "1M"}
"""Intervals whose name in REST is not that of the archive."""

_KLINES = frozenset({RestShape.ARRAYS, RestShape.CANDLES})

_REFUSED = 400
"""Status of an answer that is a refusal; conform takes rows only from those of status 200."""

_STAMP = "%Y%m%dT%H%M%S%f"
"""To the microsecond: two pieces of one second are two objects."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time that some answers hold all rows of; one without rows says that the exchange has none."""

    start: datetime
    end: datetime
    answers: tuple[Answer, ...]


def fetch(row: Dataset, window: DeltaWindow, client: ExchangeClient) -> Iterator[Piece]:
    """Yields what the exchange answers for a window, in pieces that follow each other, up to its last closed row.

    A symbol the exchange does not know, or days out of the endpoint's reach, give a piece without rows: that is the
    evidence, and they are not asked for again.

    Raises:
        LakehouseError: The exchange did not answer, or not in a way that makes sense.
    """
    source = _source(row)
    reached = datetime.fromisoformat(window.start)
    end = min(datetime.fromisoformat(window.end), _now(client) - SETTLING)
    reach = _reach(source, client, _step(window, source))
    if reached < min(reach, end):
        yield Piece(reached, min(reach, end), (_refusal(source, client, _reach_in_words(source)),))
        reached = reach
    if reached >= end:
        return
    try:
        for piece in _pieces(source, _asked(source, window, client, (reached, end)), (reached, end)):
            yield piece
            reached = piece.end
    except (UnknownSymbol, OutOfReach) as error:
        yield Piece(reached, end, (_refusal(source, client, error.what),))


def _source(row: Dataset) -> RestSource:
    if row.rest is None:
        raise InvalidRequest("no endpoint has its rows", "Only the archive has them", dataset=row.name)
    return row.rest


def _step(window: DeltaWindow, source: RestSource) -> int:
    """Returns the distance of rows in microseconds; 0 where they have no grid."""
    return (Interval(window.interval).microseconds or 0) if window.interval else source.step_seconds * 1_000_000


def _reach(source: RestSource, client: ExchangeClient, step: int) -> datetime:
    """Returns the first instant, on a full hour or kline, for which the endpoint still answers, by its own clock."""
    if source.reach_rows is not None:
        # The open kline is one of them, and another one may open before the answer comes.
        return instant((microseconds(_now(client)) // step + 2 - source.reach_rows) * step)
    if source.reach_days is None:
        return datetime.fromtimestamp(0, UTC)
    first = _now(client) - timedelta(days=source.reach_days)
    return first.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _reach_in_words(source: RestSource) -> str:
    if source.reach_rows is not None:
        return f"asked for the newest {source.reach_rows} klines only"
    return f"asked for {source.reach_days:g} days only"


def _refusal(source: RestSource, client: ExchangeClient, words: str) -> Answer:
    """Returns an answer without rows that says why there are none."""
    return Answer(_now(client), source.endpoints[0].path, {}, _REFUSED, None, words)


def _now(client: ExchangeClient) -> datetime:
    return instant(int(client.now() * 1_000_000))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of an endpoint, and how.

    Args:
        stretch: What.
        ask: How.
        now: By the exchange's clock, before it was asked.
        lag: By how much a row's stamp lies past its own start.
    """

    stretch: Stretch
    ask: Ask
    now: datetime
    lag: int


def _asked(
    source: RestSource, window: DeltaWindow, client: ExchangeClient, bounds: tuple[datetime, datetime]
) -> _Asked:
    interval = Interval(window.interval) if window.interval else None
    parameters = source.parameters
    if interval is not None:
        parameters = (*parameters, _interval_parameter(interval, source.endpoints[0].query))
    stretch = Stretch(
        _asked_name(source, window.symbol),
        bounds[0] - timedelta(seconds=source.before_seconds),
        bounds[1] + timedelta(seconds=source.after_seconds),
        _step(window, source),
        parameters,
    )
    in_microseconds = source.microseconds_from is not None and bounds[0].date() >= source.microseconds_from
    lag = metrics_stamp_lag(bounds[0].date()) if source.shape is RestShape.METRICS else 0
    return _Asked(stretch, partial(client.ask, in_microseconds=in_microseconds), _now(client), lag)


def _interval_parameter(interval: Interval, query: Query) -> tuple[str, str]:
    if query.interval_seconds:
        return query.interval, str((interval.microseconds or 0) // 1_000_000 // query.interval_seconds)
    return query.interval, _REST_INTERVAL.get(interval, interval.value)


def _asked_name(source: RestSource, symbol: str) -> str:
    """Returns a symbol as the endpoint knows it.

    Raises:
        UnknownSymbol: It answers by pair and contract type, and the symbol is of another type.
    """
    if not source.by_pair:
        return symbol
    pair, _, contract = symbol.partition("_")
    if dict(source.parameters).get("contractType") and contract != "PERP":
        raise UnknownSymbol("is not a perpetual contract, and only those are answered", "Only the archive has it")
    return pair


def _pieces(source: RestSource, asked: _Asked, bounds: tuple[datetime, datetime]) -> Iterator[Piece]:
    begin, end = bounds
    held, seen, is_whole = list[Page](), None, True
    endpoint = source.endpoints[0]
    for page in pages(source, endpoint, asked.stretch, asked.ask):
        held.append(page)
        seen = _seen_to(page, source, asked) or seen
        is_whole = is_whole and not _has_open_candle(page, source, asked, end)
        if len(held) >= MAX_PAGES and seen is not None and begin < seen < end:
            yield Piece(begin, seen, _answers(held))
            # Rows of the instant at which it was cut lie in its last page, and belong to the next piece.
            begin, held = seen, [page] if endpoint.has_identifier else []
    for other in source.endpoints[1:]:
        others = list(pages(source, other, asked.stretch, asked.ask))
        held += others
        # A row is whole once the slowest of its endpoints has it.
        ends = [one for page in others if (one := _seen_to(page, source, asked))]
        seen = min(seen or begin, max(ends, default=begin))
    if end > asked.now - LIVE_EDGE or not is_whole:
        # What is not there yet may come: no more is taken for answered than was seen.
        end = min(end, seen or begin)
    if begin < end:
        yield Piece(begin, end, _answers(held))


def _answers(held: Sequence[Page]) -> tuple[Answer, ...]:
    return tuple(one.answer for one in held)


def _seen_to(page: Page, source: RestSource, asked: _Asked) -> datetime | None:
    """Returns up to when a page holds all rows; a kline that is still open does not count."""
    endpoint = source.endpoints[0]
    rows = rows_of(page, endpoint)
    if source.shape in _KLINES:
        ends = [end_of(row, source, asked.stretch.step) for row in rows]
        closed = [one for one in ends if one <= _closed_by(source, asked)]
        return instant(closed[-1]) if closed else None
    if not rows:
        return None
    last = row_time(rows[-1], endpoint)
    if source.shape is RestShape.METRICS:
        return instant(last - asked.lag + asked.stretch.step)
    # Other trades of the same millisecond may be on the next page; a payment has its instant alone.
    return instant(last // 1000 * 1000 + (0 if endpoint.has_identifier else 1000))


def _closed_by(source: RestSource, asked: _Asked) -> int:
    """Returns up to when a kline must have ended to be whole, in microseconds since the epoch."""
    # Where no close time is published, nothing says that a kline which ended a moment ago is the last word.
    return microseconds(asked.now - SETTLING if source.shape is RestShape.CANDLES else asked.now)


def _has_open_candle(page: Page, source: RestSource, asked: _Asked, end: datetime) -> bool:
    """Returns whether a candle that opened before the end of what is asked for is still open."""
    if source.shape not in _KLINES:
        return False
    endpoint = source.endpoints[0]
    before = [row for row in rows_of(page, endpoint) if row_time(row, endpoint) < microseconds(end)]
    return any(end_of(row, source, asked.stretch.step) > _closed_by(source, asked) for row in before)


def store(piece: Piece, row: Dataset, window: DeltaWindow, storage: Storage) -> BronzeObject:
    """Keeps a piece's answers in the lake and returns the record for the Bronze log, which the caller commits."""
    data = encode(piece.answers)
    sha256 = hashlib.sha256(data).hexdigest()
    place = "/".join(part for part in (symbol_key(window.symbol), window.interval) if part)
    name = f"{piece.start:{_STAMP}}_{piece.end:{_STAMP}}"
    path = f"bronze/{row.name}/rest/{place}/{name}/{sha256}.jsonl.gz"
    storage.write(path, data)
    at = max((one.at for one in piece.answers), default=piece.end)
    return BronzeObject(
        dataset=row.name,
        key=f"rest/{row.name}/{place}/{name}.jsonl.gz",
        symbol=window.symbol,
        interval=window.interval,
        source=Source.REST,
        start=piece.start,
        end=piece.end,
        etag="",
        last_modified=at,
        size=len(data),
        sha256=sha256,
        checksum=ChecksumStatus.UNPUBLISHED,
        seen_at=datetime.now(UTC),
        path=path,
    )
