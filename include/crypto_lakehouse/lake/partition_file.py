"""Writes a partition's Parquet file: row groups of a fixed number of rows, so that equal rows give equal bytes."""

import hashlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.lake.manifest import MANIFEST_KEY
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.lake.table_schema import arrow_schema
from crypto_lakehouse.spec import Derivation, Table
from crypto_lakehouse.vocabulary import LogicalType

ROW_GROUP_ROWS = 250_000
"""Rows in a row group, except in the last one and before a pause."""

_DELTA_TYPES = frozenset({LogicalType.TIMESTAMP, LogicalType.INTEGER, LogicalType.DATE})


class PartitionWriter:
    """A Parquet file that is being written; one thread at a time calls its methods.

    Args:
        path: Where the file is written.
        table: The table, whose columns the file gets.
        symbol: The raw symbol of all rows.
    """

    def __init__(self, path: Path, table: Table, symbol: str) -> None:
        self.path, self._table, self._symbol = path, table, symbol
        self._schema = arrow_schema(table)
        self._writer = pq.ParquetWriter(path, self._schema, **_options(table))
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0

    def append(self, frame: pl.DataFrame) -> None:
        """Adds rows. Whole row groups are written at once; other rows wait for more."""
        self._waiting.append(frame)
        self._rows += frame.height
        while self._rows >= ROW_GROUP_ROWS:
            rows = pl.concat(self._waiting)
            self._write(rows.head(ROW_GROUP_ROWS))
            self._waiting = [rows.slice(ROW_GROUP_ROWS)]
            self._rows -= ROW_GROUP_ROWS

    def flush(self) -> None:
        """Writes the waiting rows as a row group of their own."""
        if self._rows:
            self._write(pl.concat(self._waiting))
        self._waiting, self._rows = [], 0

    def close(self, manifest: Manifest | None = None) -> str:
        """Closes the file, with the manifest in its metadata if there is one, and returns its sha256."""
        self.flush()
        if manifest is not None:
            self._writer.add_key_value_metadata({MANIFEST_KEY: manifest.to_json()})
        self._writer.close()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def discard(self) -> None:
        """Removes the file."""
        self._waiting = []
        self._writer.close()
        self.path.unlink(missing_ok=True)

    def _write(self, frame: pl.DataFrame) -> None:
        rows = frame.rechunk().to_arrow()
        columns = [
            pa.repeat(pa.scalar(self._symbol, pa.large_string()), frame.height)
            if column.derivation is Derivation.OBJECT_SYMBOL
            else rows.column(column.name)
            for column in self._table.columns
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP_ROWS)


def _options(table: Table) -> dict[str, object]:
    texts = [column.name for column in table.columns if column.type is LogicalType.STRING]
    deltas = [column.name for column in table.columns if column.type in _DELTA_TYPES]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": texts,
        "column_encoding": dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
        "store_decimal_as_integer": True,
        "write_page_checksum": True,
        "write_statistics": True,
        "store_schema": False,
        "version": "2.6",
    }
