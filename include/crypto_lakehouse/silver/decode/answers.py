"""REST answers as lines of the dataset's first layout, so that they are conformed as archive files are."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.endpoints.spec import RestEndpoint, RestShape, RestSource
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.exchange.bodies import Answer, decode
from crypto_lakehouse.exchange.rows import end_of, parsed, rows_in, time_of
from crypto_lakehouse.instants import epoch_microseconds, microseconds
from crypto_lakehouse.silver.decode.blocks import Block, InflationBounds
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.sniff import Sniffed
from crypto_lakehouse.spec import Dataset
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
"""Endpoint and member of each column of metrics after time stamp and symbol."""


def answers_block(input_object: InputObject, content: bytes, dataset: Dataset, bounds: InflationBounds) -> Block:
    """Returns the rows of a Bronze object of REST answers as lines: the rows within its span, each once.

    A kline that was still open when the answer came is left out.

    Raises:
        SchemaDrift: An answer has rows of another form than the table describes.
        HostileArchive: The object is damaged or too large.
    """
    if dataset.rest is None:
        raise SchemaDrift("its row of the table names no REST source", partition=input_object.object.key)
    answers = [answer for answer in decode(content, bounds.max_bytes) if answer.status == 200]
    try:
        lines = list(_LINES[dataset.rest.shape](answers, dataset.rest, input_object))
        text = "".join(f"{','.join(line)}\n" for line in lines)
        if text.count("\n") != len(lines):
            raise ValueError("a value contains a line break")
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise SchemaDrift(
            f"an answer has rows of another form: {type(error).__name__} {error}",
            "Compare it with the API's documentation",
        ) from error
    return Block(text.encode(), 1, Sniffed(dataset.layouts[0], has_header=False, body_offset=0))


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


def _array_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[list[str]]:
    endpoint, step = source.endpoints[0], Interval(input_object.object.interval).microseconds or 0
    seen = -1
    for answer in answers:
        answered_at = microseconds(answer.at)
        for row in _rows(answer, source):
            time = time_of(row, endpoint)
            if time > seen and _is_within(input_object, time) and end_of(row, source, step) <= answered_at:
                seen = time
                line = [_field_text(value) for value in row]
                line[int(endpoint.time)] = _stamped(row[endpoint.time], time, endpoint)
                yield line


def _object_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[list[str]]:
    endpoint = source.endpoints[0]
    seen = set[int]()
    for answer in answers:
        if answer.path != endpoint.path:
            continue
        for row in _rows(answer, source):
            number, time = int(row[endpoint.identifier]), time_of(row, endpoint)
            if number not in seen and _is_within(input_object, time):
                seen.add(number)
                yield [_field(row, name, time, source) for name in source.fields]


def _field(row: Any, name: str | int, time: int, source: RestSource) -> str:
    endpoint, flag = source.endpoints[0], source.flag
    if name == endpoint.time:
        return _stamped(row[name], time, endpoint)
    if flag is not None and name == flag.member:
        return {flag.yes: "true", flag.no: "false"}[row[name]]
    return _field_text(row[name])


def _funding_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[list[str]]:
    """Yields payments with the hours since the payment before, as the archive counts them.

    The first known payment has none before it: it gets the hours of the second one.
    """
    rates = {int(row["fundingTime"]): row["fundingRate"] for answer in answers for row in _rows(answer, source)}
    times = sorted(rates)
    hours = {later: _hours(earlier, later) for earlier, later in pairwise(times)}
    if len(times) > 1:
        hours[times[0]] = hours[times[1]]
    for time in times:
        if _is_within(input_object, epoch_microseconds(time)):
            yield [str(time), str(hours.get(time, 8)), _field_text(rates[time])]


def _hours(earlier: int, later: int) -> int:
    return round((epoch_microseconds(later) - epoch_microseconds(earlier)) / _HOUR_US)


def _metric_lines(answers: Sequence[Answer], source: RestSource, input_object: InputObject) -> Iterator[list[str]]:
    rows = {(answer.path, int(row["timestamp"])): row for answer in answers for row in _rows(answer, source)}
    lag = metrics_stamp_lag(input_object.object.first_day)
    for time in sorted(stamp for path, stamp in rows if path == _METRICS[0][0]):
        if not _is_within(input_object, epoch_microseconds(time) - lag):
            continue
        values = [_field_text(rows.get((path, time), {}).get(name, "")) for path, name in _METRICS]
        yield [f"{datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%d %H:%M:%S}", input_object.object.symbol, *values]


_LINES = {
    RestShape.ARRAYS: _array_lines,
    RestShape.CANDLES: _array_lines,
    RestShape.OBJECTS: _object_lines,
    RestShape.FUNDING: _funding_lines,
    RestShape.METRICS: _metric_lines,
}
