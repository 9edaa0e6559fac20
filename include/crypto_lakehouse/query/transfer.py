"""Rows between the process of a query and ours: Arrow batches with distinct names and types that Polars knows."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from io import BytesIO

import pyarrow as pa

from crypto_lakehouse.errors import InvalidRequest

_DAYS_OF_A_MONTH = 30
"""The length of a month where an interval is compared with a duration, as in DuckDB."""


def transferable(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yields a batch without rows, then the batches of a result: no name twice, intervals as durations.

    Raises:
        InvalidRequest: A column has a type that cannot be returned.
    """
    names = distinct(reader.schema.names)
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
    known = [_durations(column) if pa.types.is_interval(column.type) else column for column in columns]
    return pa.RecordBatch.from_arrays(known, names=names)


def _durations(column: pa.Array) -> pa.Array:
    return pa.array([None if value is None else _duration(value) for value in column.to_pylist()], pa.duration("us"))


def _duration(value: pa.MonthDayNano) -> timedelta:
    return timedelta(days=value.months * _DAYS_OF_A_MONTH + value.days, microseconds=value.nanoseconds // 1000)
