"""An append-only log of small files: one write is one commit, all files together are the state.

A file contains Parquet, or lines of JSON from `commits`. File names contain the time and a random part, so that two
writers never use the same name, and names sort by time.

Compaction writes one file with the rows of many files. Its name starts with `compacted-`, and its metadata lists the
files that it replaces. Only then the replaced files are removed. Readers skip replaced files, so that they never miss a
row. Two compactions at the same time may leave rows twice. This has no effect, because readers use the newest row of a
key.
"""

import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from crypto_lakehouse.errors import ArchiveFileMissing, SourceUnavailable
from crypto_lakehouse.lake.commits import COMMIT_SUFFIX, commit_name, commit_rows
from crypto_lakehouse.lake.storage import Storage

_REPLACES = "crypto_lakehouse.replaces"
_READ_THREADS = 16
_ATTEMPTS = 20


class AppendLog:
    """A log of rows of one schema under a prefix.

    Args:
        storage: The lake.
        prefix: Folder of the log, ending in a slash.
        schema: Column names and types of its rows.
    """

    def __init__(self, storage: Storage, prefix: str, schema: pl.Schema) -> None:
        self._storage, self._prefix, self._schema = storage, prefix, schema

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commits rows, all or none."""
        if rows:
            self._write(pl.DataFrame(rows, schema=self._schema), f"{commit_name()}.parquet", ())

    def append_frame(self, rows: pl.DataFrame) -> None:
        """Commits the rows of a frame with the columns of the log, all or none."""
        if rows.height:
            self._write(rows.select(self._schema.names()).cast(self._schema), f"{commit_name()}.parquet", ())

    def read(self) -> pl.DataFrame:
        """Returns every committed row, in no order.

        Raises:
            SourceUnavailable: Files disappeared during each attempt to read them.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._read_listed([file.key for file in self._storage.list(self._prefix)])
            except ArchiveFileMissing:
                # A compaction removed a file between the listing and the read. Its rows are in the compacted file.
                continue
        raise SourceUnavailable(f"the log {self._prefix} changed {_ATTEMPTS} times while it was read", "Try again")

    def compact(self, at_least: int = 100, keep: Callable[[pl.DataFrame], pl.DataFrame] | None = None) -> int:
        """Merges the files of the log into one. Returns the number of replaced files.

        Args:
            at_least: Smallest number of files; with fewer files nothing is done.
            keep: Returns the rows that are still needed. By default all rows.
        """
        keys = [file.key for file in self._storage.list(self._prefix)]
        if len(keys) < at_least:
            return 0
        rows = self._read_listed(keys)
        self._write(rows if keep is None else keep(rows), f"compacted-{commit_name()}.parquet", keys)
        for key in keys:
            self._storage.delete(key)
        return len(keys)

    def _write(self, frame: pl.DataFrame, name: str, replaces: Sequence[str]) -> None:
        buffer = io.BytesIO()
        frame.write_parquet(buffer, metadata={_REPLACES: json.dumps(list(replaces))})
        self._storage.write(f"{self._prefix}{name}", buffer.getvalue(), if_absent=True)

    def _read_listed(self, keys: list[str]) -> pl.DataFrame:
        with ThreadPoolExecutor(_READ_THREADS) as pool:
            contents = dict(zip(keys, pool.map(self._storage.read, keys), strict=True))
        replaced = {name for key, data in contents.items() if "/compacted-" in key for name in _replaced(data)}
        frames = [self._frame(key, data) for key, data in contents.items() if key not in replaced]
        return pl.concat(frames) if frames else pl.DataFrame(schema=self._schema)

    def _frame(self, key: str, data: bytes) -> pl.DataFrame:
        if not key.endswith(COMMIT_SUFFIX):
            return pl.read_parquet(io.BytesIO(data))
        times = [name for name, kind in self._schema.items() if kind.is_temporal()]
        texts = pl.Schema({**self._schema, **dict.fromkeys(times, pl.String())})
        rows = pl.DataFrame(commit_rows(data), schema=texts)
        return rows.with_columns(pl.col(times).str.to_datetime("%+", time_unit="us", time_zone="UTC"))


def _replaced(data: bytes) -> list[str]:
    metadata = pq.read_metadata(io.BytesIO(data)).metadata or {}
    names: list[str] = json.loads(metadata.get(_REPLACES.encode(), b"[]"))
    return names
