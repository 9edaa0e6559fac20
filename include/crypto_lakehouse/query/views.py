"""The tables of a query, as they are sent to the process that runs it.

A view contains where the rows are. The process of the query opens it, so that the limits hold for the reading as well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from crypto_lakehouse.settings import Settings, StorageSettings

VERSION = "version"
"""The hive key of the version folder of a partition. It is removed from the columns."""


@dataclass(frozen=True, slots=True)
class FileView:
    """A table as local files, which DuckDB reads itself."""

    partition_keys: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanView:
    """A table as files that Polars reads: in S3, or with a path that DuckDB would read as a glob."""

    partition_keys: tuple[str, ...]
    files: tuple[str, ...]
    storage: "StorageSettings"

    def frame(self) -> "pl.LazyFrame":
        """Returns the rows."""
        from crypto_lakehouse.query.scans import scan_files

        return scan_files(self.partition_keys, self.files, self.storage)


@dataclass(frozen=True, slots=True)
class CoverageView:
    """A table of the coverage, over all datasets and marts. It is computed only if the query reads it.

    Args:
        name: The name of the table.
        settings: Where the lake is.
        table_names: The datasets and marts that the catalog has.
    """

    name: str
    settings: "Settings"
    table_names: tuple[str, ...]

    def frame(self) -> "pl.LazyFrame":
        """Returns the rows."""
        from crypto_lakehouse.coverage.answers import Coverage
        from crypto_lakehouse.coverage.log import CoverageLog
        from crypto_lakehouse.lake.opening import open_storage

        return Coverage(CoverageLog(open_storage(self.settings)), lambda: self.table_names).lazy_table(self.name)


@dataclass(frozen=True, slots=True)
class FrameView:
    """A small table, as an Arrow stream."""

    stream: bytes

    @classmethod
    def of(cls, frame: "pl.DataFrame") -> "FrameView":
        """Returns a frame as a view."""
        stream = BytesIO()
        frame.write_ipc_stream(stream)
        return cls(stream.getvalue())

    def frame(self) -> "pl.LazyFrame":
        """Returns the rows."""
        import polars as pl

        return pl.read_ipc_stream(BytesIO(self.stream)).lazy()


View = FileView | ScanView | CoverageView | FrameView
"""The rows of a table of a query."""


def our_part(partition_keys: Sequence[str], file: str) -> str:
    """Returns the end of a file's path that we named: partition values, version and file.

    >>> our_part(("symbol_key", "date"), "/env=prod/silver/t/symbol_key=A/date=2025-01-01/version=1/data.parquet")
    'symbol_key=A/date=2025-01-01/version=1/data.parquet'
    """
    return "/".join(file.split("/")[-len(partition_keys) - 2 :])


def named_in(text: str, names: Sequence[str]) -> list[str]:
    """Returns the names that occur in a query as words. Views are made for these only, because each view takes time."""
    words = set(re.findall(r"[a-z0-9_]+", text.lower()))
    return [name for name in names if name in words]
