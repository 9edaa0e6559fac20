"""Every logical type has a physical type in both engines, and the two agree."""

import polars as pl
import pyarrow as pa
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.lake.table_schema import arrow_schema, polars_type
from crypto_lakehouse.spec import Column, Dataset
from crypto_lakehouse.vocabulary import LogicalType


@pytest.mark.parametrize("logical_type", LogicalType)
def test_every_logical_type_has_a_physical_type_and_only_one_is_a_float(logical_type: LogicalType) -> None:
    assert polars_type(Column("a", logical_type, "", "", "a")).is_float() == (logical_type is LogicalType.FLOAT)


@pytest.mark.parametrize("table", DATASETS, ids=lambda table: table.name)
def test_both_engines_agree_on_the_columns_of_a_table(table: Dataset) -> None:
    empty = pl.from_arrow(arrow_schema(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    assert dict(empty.schema) == {column.name: polars_type(column) for column in table.columns}
    nullable = {field.name for field in arrow_schema(table) if field.nullable}
    assert nullable == {column.name for column in table.columns if column.nullable}
    assert not any(pa.types.is_floating(field.type) for field in arrow_schema(table))
