"""Rows between the process of a query and ours: Arrow batches with distinct names and types that Polars knows."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.foreign_text import foreign

if TYPE_CHECKING:
    import duckdb

_WITHOUT_ARROW = re.compile(r"\b(UNION|BIT|BIGNUM|VARIANT|GEOMETRY|TIME WITH TIME ZONE|TIMETZ)\b")
"""Types that Arrow or Polars does not have: their values become the text that the engine prints."""
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""The years 1 to 9999 in days since 1970: what Python's dates can hold."""
_UNITS_OF_A_DAY = {unit: 86_400 * 1000**power for power, unit in enumerate(("s", "ms", "us", "ns"))}

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


def in_words(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """Returns a result whose columns of types that cannot be returned are text. Names of enumerations are no types."""
    names = [re.sub(r"'[^']*'|\"[^\"]*\"", "", str(kind)) for kind in relation.types]
    texts = {
        number
        for number, kind in enumerate(names, 1)
        if _WITHOUT_ARROW.search(kind) or (kind != "INTERVAL" and re.search(r"\bINTERVAL\b", kind))
    }
    if not texts:
        return relation
    quoted = ['"' + name.replace('"', '""') + '"' for name in distinct(relation.columns)]
    return relation.project(
        ", ".join(
            f"{f'CAST(#{number} AS VARCHAR)' if number in texts else f'#{number}'} AS {name}"
            for number, name in enumerate(quoted, 1)
        )
    )


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
    known = [
        _durations(name, column) if pa.types.is_interval(column.type) else column
        for name, column in zip(names, columns, strict=True)
    ]
    for name, column in zip(names, known, strict=True):
        _check_times(name, column)
    return pa.RecordBatch.from_arrays(known, names=names)


def _check_times(name: str, column: pa.Array) -> None:
    """Refuses a time that Python cannot hold, such as infinity: other programs would end without a word, or wrong."""
    kind = column.type
    if pa.types.is_struct(kind):
        for child in column.flatten():
            _check_times(name, child)
    elif pa.types.is_map(kind):
        _check_times(name, column.keys)
        _check_times(name, column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        _check_times(name, column.flatten())
    elif pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        days = 1 if pa.types.is_date32(kind) else _UNITS_OF_A_DAY[kind.unit]
        ends = pc.min_max(column.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())).as_py()
        if ends["min"] is not None and not _FIRST_DAY * days <= ends["min"] <= ends["max"] < (_LAST_DAY + 1) * days:
            what = f"column {foreign(name)} ({kind}) has a time outside the years 1 to 9999, such as infinity"
            raise InvalidRequest(what, "Filter it with isfinite(), or cast the column to VARCHAR")


def _durations(name: str, column: pa.Array) -> pa.Array:
    values = column.to_pylist()
    try:
        return pa.array([None if value is None else _duration(value) for value in values], pa.duration("us"))
    except (OverflowError, pa.ArrowInvalid) as error:
        what = f"column {foreign(name)} has an interval that is too long"
        raise InvalidRequest(what, "Cast the column to VARCHAR") from error


def _duration(value: pa.MonthDayNano) -> timedelta:
    return timedelta(days=value.months * _DAYS_OF_A_MONTH + value.days, microseconds=value.nanoseconds // 1000)
