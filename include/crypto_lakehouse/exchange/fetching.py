"""One window of one symbol, asked of the exchange and kept in Bronze."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from crypto_lakehouse.errors import InvalidRequest, OutOfReach
from crypto_lakehouse.exchange.bodies import Answer, encode
from crypto_lakehouse.exchange.client import ExchangeClient, Page
from crypto_lakehouse.exchange.paging import Ask, Stretch, pages, row_time, rows_of
from crypto_lakehouse.instants import epoch_microseconds, instant, microseconds
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.work import DeltaWindow
from crypto_lakehouse.spec import Dataset, Paging, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.symbols import symbol_key
from crypto_lakehouse.vocabulary import ChecksumStatus, Interval, Source

MAX_PAGES = 100
"""Pages in one Bronze object, so that no object grows with the window asked for."""

SETTLING = timedelta(seconds=2)
"""How long before the exchange's now a row may still come."""

_REST_INTERVAL = {Interval.MO1: "1M"}
"""Intervals that REST spells otherwise than the archive."""

_REFUSED = 400
"""Status of an answer that is a refusal; conform takes rows only from those of status 200."""

_CLOSE_TIME = 6
"""Place of the close time in a kline."""

_STAMP = "%Y%m%dT%H%M%S"


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
    reached, end = datetime.fromisoformat(window.start), datetime.fromisoformat(window.end)
    interval = Interval(window.interval) if window.interval else None
    end = min(end, _settled(client, interval))
    reach = _reach(source, client)
    if reached < min(reach, end):
        yield Piece(reached, min(reach, end), (_refusal(source, client, f"asked for {source.reach_days:g} days only"),))
        reached = reach
    if reached >= end:
        return
    stretch = _stretch(source, window.symbol, (reached, end), interval)
    in_microseconds = source.microseconds_from is not None and reached.date() >= source.microseconds_from
    ask = partial(client.ask, in_microseconds=in_microseconds)
    try:
        for piece in _pieces(source, stretch, ask, (reached, end)):
            still_open = _open_from(piece, source, _now(client))
            yield piece if still_open is None else replace(piece, end=still_open)
            reached = piece.end
    except (InvalidRequest, OutOfReach) as error:
        yield Piece(reached, end, (_refusal(source, client, error.what),))


def _source(row: Dataset) -> RestSource:
    if row.rest is None:
        raise InvalidRequest("no endpoint has its rows", "Only the archive has them", dataset=row.name)
    return row.rest


def _reach(source: RestSource, client: ExchangeClient) -> datetime:
    """Returns the first instant, on a full hour, for which the endpoint still answers, by the exchange's clock."""
    if source.reach_days is None:
        return datetime.fromtimestamp(0, UTC)
    first = _now(client) - timedelta(days=source.reach_days)
    return first.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _refusal(source: RestSource, client: ExchangeClient, words: str) -> Answer:
    """Returns an answer without rows that says why there are none."""
    return Answer(_now(client), source.endpoints[0].path, {}, _REFUSED, None, words)


def _now(client: ExchangeClient) -> datetime:
    return instant(int(client.now() * 1_000_000))


def _settled(client: ExchangeClient, interval: Interval | None) -> datetime:
    """Returns up to when rows are final: the end of the last closed kline, or the last full second."""
    step = interval.microseconds if interval else None
    longest = Interval.D1.microseconds or 0
    # Klines of more than a day start on days of their own; `_open_from` finds the open one by its close time.
    grid = step if step and step <= longest else 1_000_000
    now = microseconds(_now(client) - SETTLING)
    return instant(now // grid * grid)


def _stretch(source: RestSource, symbol: str, bounds: tuple[datetime, datetime], interval: Interval | None) -> Stretch:
    parameters = source.parameters
    if interval is not None:
        parameters = (*parameters, ("interval", _REST_INTERVAL.get(interval, interval.value)))
    return Stretch(
        symbol,
        bounds[0] - timedelta(seconds=source.before_seconds),
        bounds[1] + timedelta(seconds=source.after_seconds),
        (interval.microseconds or 0) if interval else source.step_seconds * 1_000_000,
        parameters,
    )


def _pieces(source: RestSource, stretch: Stretch, ask: Ask, bounds: tuple[datetime, datetime]) -> Iterator[Piece]:
    begin, end = bounds
    if len(source.endpoints) > 1:
        found = [page.answer for endpoint in source.endpoints for page in pages(source, endpoint, stretch, ask)]
        yield Piece(begin, end, tuple(found))
        return
    endpoint, held = source.endpoints[0], list[Page]()
    for page in pages(source, endpoint, stretch, ask):
        held.append(page)
        cut = _cut(page, endpoint, stretch) if len(held) >= MAX_PAGES else None
        if cut is not None and begin < cut < end:
            yield Piece(begin, cut, tuple(one.answer for one in held))
            # Rows of the instant at which it was cut lie in its last page, and belong to the next piece.
            begin, held = cut, [page] if endpoint.paging is Paging.ID else []
    yield Piece(begin, end, tuple(one.answer for one in held))


def _cut(page: Page, endpoint: RestEndpoint, stretch: Stretch) -> datetime | None:
    rows = rows_of(page)
    if not rows:
        return None
    last = row_time(rows[-1], endpoint)
    # Other rows of the same millisecond may be on the next page; a kline has its open time alone.
    return instant(last + stretch.step) if endpoint.paging is Paging.TIME else instant(last // 1000 * 1000)


def _open_from(piece: Piece, source: RestSource, now: datetime) -> datetime | None:
    """Returns when the first kline starts that is not closed, where the answers hold one that starts in the piece."""
    if source.shape is not RestShape.ARRAYS or not piece.answers:
        return None
    rows = json.loads(piece.answers[-1].body)
    endpoint = source.endpoints[0]
    still_open = [row_time(row, endpoint) for row in rows if epoch_microseconds(row[_CLOSE_TIME]) >= microseconds(now)]
    starts = instant(still_open[0]) if still_open else piece.end
    return starts if piece.start < starts < piece.end else None


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
