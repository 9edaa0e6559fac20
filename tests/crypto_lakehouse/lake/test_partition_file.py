"""A partition's file: its columns have the field ids of the table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.field_ids import field_ids
from crypto_lakehouse.lake.partition_file import PartitionWriter
from crypto_lakehouse.lake.table_schema import FIELD_ID_KEY
from crypto_lakehouse.spec import Dataset


def ids_in_file(path: Path) -> dict[str, int]:
    fields = list(pq.read_schema(path))
    return {field.name: int(field.metadata[FIELD_ID_KEY.encode()]) for field in fields}


@pytest.mark.parametrize("table", DATASETS, ids=lambda table: table.name)
def test_the_columns_of_a_file_have_the_ids_of_the_table(table: Dataset, tmp_path: Path) -> None:
    PartitionWriter(tmp_path / "file.parquet", table, table.sample_symbol).close()
    assert ids_in_file(tmp_path / "file.parquet") == {
        name: number for name, number in field_ids(table).items() if name != "kline_interval"
    }


def test_the_ids_are_read_from_the_file_itself(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("a", pa.int64(), metadata={FIELD_ID_KEY: "7"}), pa.field("b", pa.int64())])
    pq.write_table(schema.empty_table(), tmp_path / "file.parquet", store_schema=False)
    fields = list(pq.read_schema(tmp_path / "file.parquet"))
    assert [field.metadata for field in fields] == [{FIELD_ID_KEY.encode(): b"7"}, None]
