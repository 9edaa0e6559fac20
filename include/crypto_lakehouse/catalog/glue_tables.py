"""The Glue table of a row: its columns with Glue's types, and how its files are read."""

import hashlib
import json
from typing import Any

from crypto_lakehouse.spec import Column, Table
from crypto_lakehouse.vocabulary import LogicalType

_TYPES = {
    LogicalType.TIMESTAMP: "timestamp",
    LogicalType.FLOAT: "double",
    LogicalType.INTEGER: "bigint",
    LogicalType.BOOLEAN: "boolean",
    LogicalType.STRING: "string",
    LogicalType.DATE: "date",
}
_INPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
_OUTPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


def _glue_type(column: Column) -> str:
    return "decimal({},{})".format(*column.decimal) if column.decimal else _TYPES[column.type]


def glue_columns(table: Table) -> list[dict[str, str]]:
    """Returns a table's columns as Glue spells them."""
    return [
        {"Name": column.name, "Type": _glue_type(column), "Comment": f"{column.meaning} [{column.unit}]"[:255]}
        for column in table.columns
    ]


def table_input(table: Table, location: str) -> dict[str, Any]:
    """Returns the Glue table of a row whose partitions lie below `location`."""
    fingerprint = hashlib.sha256(json.dumps(glue_columns(table)).encode()).hexdigest()[:16]
    return {
        "Name": table.name,
        "Description": table.description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE", "schema_fingerprint": fingerprint},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in table.partition_keys],
        "StorageDescriptor": storage_descriptor(table, location),
    }


def storage_descriptor(table: Table, location: str) -> dict[str, Any]:
    """Returns how the files of a table, or of a partition of it, are read: both have the same columns."""
    return {
        "Columns": glue_columns(table),
        "Location": location,
        "InputFormat": _INPUT_FORMAT,
        "OutputFormat": _OUTPUT_FORMAT,
        "SerdeInfo": {"SerializationLibrary": _SERDE, "Parameters": {"serialization.format": "1"}},
    }
