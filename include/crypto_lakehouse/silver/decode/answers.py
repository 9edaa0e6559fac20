"""REST answers as lines of the dataset's first layout, so that they are conformed as archive files are.

A row of another form than the table describes becomes a line with its JSON. No layout accepts such a line, so the row
is set aside as a bad line of an archive file is, and the other rows of its answer are used.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.endpoints.spec import RestEndpoint, RestShape, RestSource
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.exchange.bodies import Answer, decode
from crypto_lakehouse.exchange.rows import end_of, parsed, rows_in, time_of
from crypto_lakehouse.instants import HOUR_US, epoch_microseconds, microseconds
from crypto_lakehouse.silver.decode.blocks import Block, InflationBounds
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.sniff import Sniffed
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval, Stamp

_ODD = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
"""What reading a row of another form raises."""
_FLAGS = {True: "true", False: "false"}
_METRICS = (
    ("openInterestHist", "sumOpenInterest"),
    ("openInterestHist", "sumOpenInterestValue"),
    ("topLongShortAccountRatio", "longShortRatio"),
    ("topLongShortPositionRatio", "longShortRatio"),
    ("globalLongShortAccountRatio", "longShortRatio"),
    ("takerlongshortRatio", "buySellRatio"),
)
"""Endpoint and member of each column of metrics after time stamp and symbol."""


def answers_block(input_object: InputObject, content: bytes, dataset: Dataset, bounds: InflationBounds) -> Block:
    """Returns the rows of a Bronze object of REST answers as lines: the rows within its span, each once.

    A kline that was still open when the answer came is left out.

    Raises:
        SchemaDrift: An answer has another form than the table describes.
        HostileArchive: The object is damaged or too large.
    """
    if dataset.rest is None:
        raise SchemaDrift("its row of the table names no REST source", partition=input_object.object.key)
    answers = [answer for answer in decode(content, bounds.max_bytes) if answer.status == 200]
    try:
        # A row that is not used may be on two pages, and is set aside once.
        lines = dict.fromkeys(_LINES[dataset.rest.shape](answers, dataset.rest, input_object))
    except _ODD as error:
        raise SchemaDrift(
            f"an answer has another form: {type(error).__name__} {error}",
            "Compare it with the API's documentation",
        ) from error
    return Block(b"".join(lines), 1, Sniffed(dataset.layouts[0], has_header=False, body_offset=0))


def _rows(answer: Answer, source: RestSource) -> list[Any]:
    endpoints = source.endpoints
    endpoint = next((endpoint for endpoint in endpoints if endpoint.path == answer.path), endpoints[0])
    return rows_in(parsed(answer.body), endpoint)


def _is_within(input_object: InputObject, time: int) -> bool:
    return microseconds(input_object.object.start) <= time < microseconds(input_object.object.end)


def _field_text(value: Any) -> str:
    if isinstance(value, bool):
        return _FLAGS[value]
    # An empty text is how the archive writes an unknown value.
    return '""' if value in {"", None} else str(value)


def _stamped(value: Any, time: int, endpoint: RestEndpoint) -> str:
    """Returns a row's time as archive files write it: an epoch as it was sent, any other stamp in microseconds."""
    return _field_text(value) if endpoint.stamp is Stamp.EPOCH else str(time)


def _line(row: Any, fields: Callable[[], Sequence[str] | None]) -> Iterator[bytes]:
    """Yields the line of a row, or nothing if the row is not wanted; its JSON if it has another form."""
    try:
        wanted = fields()
        line = ",".join(wanted).encode() if wanted is not None else None
        if line is not None and (b"\n" in line or line.count(b",") != len(wanted or ()) - 1):
            raise ValueError("a value contains a comma or a line break")
    except _ODD:
        line = json.dumps(row).encode()
    if line is not None:
        yield line + b"\n"


def _array_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[bytes]:
    endpoint, step = source.endpoints[0], Interval(input_object.object.interval).microseconds or 0
    seen = set[int]()

    def fields(row: Any, answered_at: int) -> list[str] | None:
        """Returns the fields of a row; None for a row that is known, outside the object, or not closed yet."""
        time = time_of(row, endpoint)
        is_closed = end_of(row, source, step) <= answered_at
        if time in seen or not _is_within(input_object, time) or not is_closed:
            return None
        line = [_field_text(value) for value in row]
        line[int(endpoint.time)] = _stamped(row[endpoint.time], time, endpoint)
        seen.add(time)
        return line

    for answer in answers:
        for row in _rows(answer, source):
            yield from _line(row, partial(fields, row, microseconds(answer.at)))


def _object_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[bytes]:
    endpoint = source.endpoints[0]
    seen = set[int]()

    def fields(row: Any) -> list[str] | None:
        """Returns the fields of a row; None for a row that is known or outside the object."""
        number, time = int(row[endpoint.identifier]), time_of(row, endpoint)
        if number in seen or not _is_within(input_object, time):
            return None
        line = [_field(row, name, time, source) for name in source.fields]
        seen.add(number)
        return line

    for answer in answers:
        if answer.path == endpoint.path:
            for row in _rows(answer, source):
                yield from _line(row, partial(fields, row))


def _field(row: Any, name: str | int, time: int, source: RestSource) -> str:
    endpoint, flag = source.endpoints[0], source.flag
    if name == endpoint.time:
        return _stamped(row[name], time, endpoint)
    if flag is not None and name == flag.member:
        return {flag.yes: "true", flag.no: "false"}[row[name]]
    return _field_text(row[name])


def _funding_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[bytes]:
    """Yields payments with the hours since the payment before, as the archive counts them.

    The first known payment has none before it: it gets the hours of the second one.
    """
    rates: dict[int, Any] = {}
    for answer in answers:
        for row in _rows(answer, source):
            yield from _line(row, partial(_noted, rates, row, "fundingTime", "fundingRate"))
    times = sorted(rates)
    hours = {later: _hours(earlier, later) for earlier, later in pairwise(times)}
    if len(times) > 1:
        hours[times[0]] = hours[times[1]]
    for time in times:
        if _is_within(input_object, epoch_microseconds(time)):
            rate = rates[time]
            yield from _line([time, rate], partial(_texts, time, hours.get(time, 8), rate))


def _noted(values: dict[int, Any], row: Any, stamp: str, name: str) -> None:
    """Adds a value of a row by its stamp, and wants no line yet."""
    time = int(row[stamp])
    epoch_microseconds(time)
    values[time] = row[name]


def _texts(*values: Any) -> list[str]:
    return [_field_text(value) for value in values]


def _hours(earlier: int, later: int) -> int:
    return round((epoch_microseconds(later) - epoch_microseconds(earlier)) / HOUR_US)


def _metric_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[bytes]:
    rows: dict[str, dict[int, Any]] = {path: {} for path, _ in _METRICS}
    for answer in answers:
        for row in _rows(answer, source):
            yield from _line(row, partial(_noted_row, rows[answer.path], row))
    lag = metrics_stamp_lag(input_object.object.first_day)
    for time, main in sorted(rows[_METRICS[0][0]].items()):
        if _is_within(input_object, epoch_microseconds(time) - lag):
            yield from _line(main, partial(_metric_fields, rows, time, input_object.object.symbol))


def _noted_row(rows: dict[int, Any], row: Any) -> None:
    time = int(row["timestamp"])
    epoch_microseconds(time)
    rows[time] = row


def _metric_fields(rows: dict[str, dict[int, Any]], time: int, symbol: str) -> list[str]:
    values = [_field_text(rows[path].get(time, {}).get(name, "")) for path, name in _METRICS]
    return [f"{datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%d %H:%M:%S}", symbol, *values]


_LINES = {
    RestShape.ARRAYS: _array_lines,
    RestShape.CANDLES: _array_lines,
    RestShape.OBJECTS: _object_lines,
    RestShape.FUNDING: _funding_lines,
    RestShape.METRICS: _metric_lines,
}
