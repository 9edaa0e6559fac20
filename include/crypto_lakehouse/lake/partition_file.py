"""Writes Silver rows as Parquet: row groups of a fixed number of rows, so that bytes follow from rows alone."""

import hashlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.lake.manifest import MANIFEST_KEY
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.lake.table_schema import arrow_schema
from crypto_lakehouse.spec import Dataset, Derivation
from crypto_lakehouse.vocabulary import LogicalType

ROW_GROUP_ROWS = 250_000
_DELTA_TYPES = frozenset({LogicalType.TIMESTAMP, LogicalType.INTEGER, LogicalType.DATE})


class PartitionWriter:
    """One Parquet file in the making; `append` and `close` are called by one thread at a time.

    Args:
        path: Where the file is written.
        dataset: Its dataset, whose columns it gets.
        symbol: The raw symbol of its rows.
    """

    def __init__(self, path: Path, dataset: Dataset, symbol: str) -> None:
        self.path, self._dataset, self._symbol = path, dataset, symbol
        self._schema = arrow_schema(dataset)
        self._writer = pq.ParquetWriter(path, self._schema, **_options(dataset))
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0

    def append(self, frame: pl.DataFrame) -> None:
        """Adds rows; whole row groups are written at once, the rest waits for more."""
        self._waiting.append(frame)
        self._rows += frame.height
        while self._rows >= ROW_GROUP_ROWS:
            rows = pl.concat(self._waiting)
            self._write(rows.head(ROW_GROUP_ROWS))
            self._waiting = [rows.slice(ROW_GROUP_ROWS)]
            self._rows -= ROW_GROUP_ROWS

    def flush(self) -> None:
        """Writes what waits as a row group of its own."""
        if self._rows:
            self._write(pl.concat(self._waiting))
        self._waiting, self._rows = [], 0

    def close(self, manifest: Manifest | None = None) -> str:
        """Finishes the file, with the manifest inside if there is one, and returns its sha256."""
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
        table = frame.rechunk().to_arrow()
        columns = [
            pa.repeat(pa.scalar(self._symbol, pa.large_string()), frame.height)
            if one.derivation is Derivation.OBJECT_SYMBOL
            else table.column(one.name)
            for one in self._dataset.columns
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP_ROWS)


def _options(dataset: Dataset) -> dict[str, object]:
    texts = [one.name for one in dataset.columns if one.type is LogicalType.STRING]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": texts,
        "column_encoding": {one.name: "DELTA_BINARY_PACKED" for one in dataset.columns if one.type in _DELTA_TYPES},
        "store_decimal_as_integer": True,
        "write_page_checksum": True,
        "write_statistics": True,
        "store_schema": False,
        "version": "2.6",
    }
