"""Rows between the process of a query and ours: Arrow batches with distinct names and types that Polars knows."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc

from crypto_lakehouse.errors import InvalidRequest

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_897
"""The first day of the year 1 and the day after the year 9999, counted from 1970."""
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_DAYS_OF_A_MONTH = 30
"""The length of a month where an interval is compared with a duration, as in DuckDB."""


def transferable(reader: pa.RecordBatchReader, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields a batch without rows, then the batches of a result: no name twice, intervals as durations.

    Args:
        reader: The batches.
        columns: The names of the columns.

    Raises:
        InvalidRequest: A column has a type or a value that cannot be returned.
    """
    names = distinct(columns)
    try:
        # Also a result without rows has columns.
        yield _renamed([column.combine_chunks() for column in reader.schema.empty_table().columns], names)
        for batch in reader:
            yield _renamed(batch.columns, names)
    except pa.ArrowNotImplementedError as error:
        raise unknown_type(reader.schema) from error


def unknown_type(schema: pa.Schema) -> InvalidRequest:
    """Returns the error of a result with a type that Arrow or Polars does not have."""
    types = ", ".join(f"{field.name} {field.type}" for field in schema)[:200]
    what = f"a column of the result has a type that cannot be returned: {types}"
    return InvalidRequest(what, "Cast it in the statement, for example to VARCHAR")


def distinct(names: Iterable[str]) -> list[str]:
    """Returns names with a number behind those that repeat, as DuckDB itself numbers them.

    >>> distinct(["id", "close", "id", "id"])
    ['id', 'close', 'id_1', 'id_2']
    """
    given, chosen = list(names), list[str]()
    for name in given:
        number, free = 0, name
        while free in chosen or (number and free in given):
            number += 1
            free = f"{name}_{number}"
        chosen.append(free)
    return chosen


def encoded(batch: pa.RecordBatch) -> bytes:
    """Returns a batch as an Arrow stream of its own."""
    sink = BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def decoded(streams: Iterable[bytes]) -> pa.Table:
    """Returns the rows of several streams as one table."""
    return pa.concat_tables([pa.ipc.open_stream(stream).read_all() for stream in streams])


def _renamed(columns: list[pa.Array], names: list[str]) -> pa.RecordBatch:
    for name, column in zip(names, columns, strict=True):
        if _has_times_beyond_years(column):
            what = f"column {name} has a date or time that is infinite, or not in the years 1 to 9999"
            raise InvalidRequest(what, f'Cast it: "{name}"::VARCHAR')
    known = [
        _durations(column, name) if pa.types.is_interval(column.type) else column
        for name, column in zip(names, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(known, names=names)


def _has_times_beyond_years(column: pa.Array) -> bool:
    """Returns whether a column has times that Python does not have; also within lists and structs."""
    kind = column.type
    if pa.types.is_map(kind):
        return _has_times_beyond_years(column.keys) or _has_times_beyond_years(column.items)
    if pa.types.is_struct(kind):
        return any(map(_has_times_beyond_years, column.flatten()))
    if pa.types.is_nested(kind):
        return _has_times_beyond_years(column.flatten())
    if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind)):
        return False
    per_day = _PER_DAY[kind.unit] if pa.types.is_timestamp(kind) else 1
    numbers = column.view(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
    least, most = pc.min_max(numbers).values()
    return bool(least.is_valid) and (least.as_py() < _FIRST_DAY * per_day or most.as_py() >= _LAST_DAY * per_day)


def _durations(column: pa.Array, name: str) -> pa.Array:
    values = column.to_pylist()
    try:
        return pa.array([None if value is None else _duration(value) for value in values], pa.duration("us"))
    except (OverflowError, pa.ArrowInvalid) as error:
        raise InvalidRequest(
            f"column {name} has an interval that is too long", f'Cast it: "{name}"::VARCHAR'
        ) from error


def _duration(value: pa.MonthDayNano) -> timedelta:
    return timedelta(days=value.months * _DAYS_OF_A_MONTH + value.days, microseconds=value.nanoseconds // 1000)
