"""REST answers as lines of the archive's own layout, so that both are conformed by the same code."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.exchange.bodies import Answer, decode
from crypto_lakehouse.exchange.rows import end_of, parsed, rows_in, time_of
from crypto_lakehouse.instants import epoch_microseconds, microseconds
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset, RestEndpoint, RestShape, RestSource, SourceLayout
from crypto_lakehouse.vocabulary import Interval, Stamp

_HOUR_US = 3_600_000_000
_FLAGS = {True: "true", False: "false"}
_METRICS = (
    ("openInterestHist", "sumOpenInterest"),
    ("openInterestHist", "sumOpenInterestValue"),
    ("topLongShortAccountRatio", "longShortRatio"),
    ("topLongShortPositionRatio", "longShortRatio"),
    ("globalLongShortAccountRatio", "longShortRatio"),
    ("takerlongshortRatio", "buySellRatio"),
)
"""Endpoint and member of each column of metrics after stamp and symbol."""


def answer_lines(one: InputObject, data: bytes, dataset: Dataset, max_bytes: int) -> tuple[bytes, SourceLayout]:
    """Returns the rows of a Bronze object of REST answers as lines of a layout: those within its window, each once.

    A kline that was still open when the answer came is left out.

    Raises:
        SchemaDrift: An answer has rows of another form than the table says.
        HostileArchive: The object is damaged or too large.
    """
    layout = dataset.layouts[0]
    if dataset.rest is None:
        raise SchemaDrift("its row of the table names no REST source", partition=one.object.key)
    answers = [answer for answer in decode(data, max_bytes) if answer.status == 200]
    try:
        lines = list(_LINES[dataset.rest.shape](answers, dataset.rest, one))
        text = "".join(f"{','.join(line)}\n" for line in lines)
        if text.count("\n") != len(lines):
            raise ValueError("a value holds a line break")
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise SchemaDrift(
            f"an answer has rows of another form: {type(error).__name__} {error}",
            "Compare it with the API's documentation",
        ) from error
    return text.encode(), layout


def _rows(answer: Answer, source: RestSource) -> list[Any]:
    endpoint = next((one for one in source.endpoints if one.path == answer.path), source.endpoints[0])
    return rows_in(parsed(answer.body), endpoint)


def _within(one: InputObject, time: int) -> bool:
    return microseconds(one.object.start) <= time < microseconds(one.object.end)


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return _FLAGS[value]
    # An empty text is how the archive writes what is not known.
    return '""' if value in {"", None} else str(value)


def _stamped(value: Any, time: int, endpoint: RestEndpoint) -> str:
    """Returns a row's time as files have it: as it was sent where that is an epoch they know, else in microseconds."""
    return _spelled(value) if endpoint.stamp is Stamp.EPOCH else str(time)


def _array_lines(answers: Sequence[Answer], source: RestSource, one: InputObject) -> Iterator[list[str]]:
    endpoint, step = source.endpoints[0], Interval(one.object.interval).microseconds or 0
    seen = -1
    for answer in answers:
        asked_at = microseconds(answer.at)
        for row in _rows(answer, source):
            time = time_of(row, endpoint)
            if time > seen and _within(one, time) and end_of(row, source, step) <= asked_at:
                seen = time
                line = [_spelled(value) for value in row]
                line[int(endpoint.time)] = _stamped(row[endpoint.time], time, endpoint)
                yield line


def _object_lines(answers: Sequence[Answer], source: RestSource, one: InputObject) -> Iterator[list[str]]:
    endpoint = source.endpoints[0]
    seen = set[int]()
    for answer in answers:
        if answer.path != endpoint.path:
            continue
        for row in _rows(answer, source):
            number, time = int(row[endpoint.identifier]), time_of(row, endpoint)
            if number not in seen and _within(one, time):
                seen.add(number)
                yield [_field(row, name, time, source) for name in source.fields]


def _field(row: Any, name: str | int, time: int, source: RestSource) -> str:
    endpoint, flag = source.endpoints[0], source.flag
    if name == endpoint.time:
        return _stamped(row[name], time, endpoint)
    if flag is not None and name == flag.member:
        return {flag.yes: "true", flag.no: "false"}[row[name]]
    return _spelled(row[name])


def _funding_lines(answers: Sequence[Answer], source: RestSource, one: InputObject) -> Iterator[list[str]]:
    """Yields payments; each but the first known one has the hours since the one before, as the archive counts them."""
    rates = {int(row["fundingTime"]): row["fundingRate"] for answer in answers for row in _rows(answer, source)}
    times = sorted(rates)
    hours = {later: _hours(earlier, later) for earlier, later in pairwise(times)}
    if len(times) > 1:
        hours[times[0]] = hours[times[1]]
    for time in times:
        if _within(one, epoch_microseconds(time)):
            yield [str(time), str(hours.get(time, 8)), _spelled(rates[time])]


def _hours(earlier: int, later: int) -> int:
    return round((epoch_microseconds(later) - epoch_microseconds(earlier)) / _HOUR_US)


def _metric_lines(answers: Sequence[Answer], source: RestSource, one: InputObject) -> Iterator[list[str]]:
    rows = {(answer.path, int(row["timestamp"])): row for answer in answers for row in _rows(answer, source)}
    lag = metrics_stamp_lag(one.object.first_day)
    for time in sorted(stamp for path, stamp in rows if path == _METRICS[0][0]):
        if not _within(one, epoch_microseconds(time) - lag):
            continue
        values = [_spelled(rows.get((path, time), {}).get(name, "")) for path, name in _METRICS]
        yield [f"{datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%d %H:%M:%S}", one.object.symbol, *values]


_LINES = {
    RestShape.ARRAYS: _array_lines,
    RestShape.CANDLES: _array_lines,
    RestShape.OBJECTS: _object_lines,
    RestShape.FUNDING: _funding_lines,
    RestShape.METRICS: _metric_lines,
}
