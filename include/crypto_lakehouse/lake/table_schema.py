"""The physical types of a table's files in Polars and in Arrow, derived from its columns. Silver has no floats."""

from functools import lru_cache

import polars as pl
import pyarrow as pa

from crypto_lakehouse.field_ids import field_ids
from crypto_lakehouse.spec import Column, Table
from crypto_lakehouse.vocabulary import LogicalType

FIELD_ID_KEY = "PARQUET:field_id"
"""The key of a field's metadata from which Arrow takes the field id of a Parquet column."""

_POLARS: dict[LogicalType, pl.DataType] = {
    LogicalType.TIMESTAMP: pl.Datetime("us", "UTC"),
    LogicalType.FLOAT: pl.Float64(),
    LogicalType.INTEGER: pl.Int64(),
    LogicalType.BOOLEAN: pl.Boolean(),
    LogicalType.STRING: pl.String(),
    LogicalType.DATE: pl.Date(),
}
_ARROW: dict[LogicalType, pa.DataType] = {
    LogicalType.TIMESTAMP: pa.timestamp("us", "UTC"),
    LogicalType.FLOAT: pa.float64(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.STRING: pa.large_string(),
    LogicalType.DATE: pa.date32(),
}


def polars_type(column: Column) -> pl.DataType:
    """Returns the Polars type of a column."""
    return pl.Decimal(*column.decimal) if column.decimal else _POLARS[column.type]


def _arrow_type(column: Column) -> pa.DataType:
    return pa.decimal128(*column.decimal) if column.decimal else _ARROW[column.type]


@lru_cache
def arrow_schema(table: Table) -> pa.Schema:
    """Returns the Arrow schema of a table's files, with field ids; nullable only where sources leave fields empty."""
    ids = field_ids(table)
    return pa.schema(
        pa.field(column.name, _arrow_type(column), column.nullable, {FIELD_ID_KEY: str(ids[column.name])})
        for column in table.columns
    )
