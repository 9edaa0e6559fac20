"""SQL over published partitions in a DuckDB session that can only read their files.

In DuckDB, SQL can read and write files, load extensions and open sockets. So each query gets a session of its own. The
session has one view per table that the query names, and it may only open the files of the views. Its configuration
is locked before the query runs. Only a single SELECT statement is accepted.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl
import pyarrow as pa

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.query.scans import VERSION
from crypto_lakehouse.spec import Table

BATCH_ROWS = 50_000
MAX_TEXT = 100_000
"""Maximum number of characters of a query."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of one query.

    Args:
        max_rows: Maximum number of rows of the result.
        memory_mib: Memory of the engine. Nothing is written to disk.
        threads: Threads of the engine.
        timeout_seconds: Wall time after which the query is interrupted.
    """

    max_rows: int = 1_000_000
    memory_mib: int = 2048
    threads: int = 2
    timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query, and whether rows beyond the limit were cut off."""

    frame: pl.DataFrame
    truncated: bool


@dataclass(frozen=True, slots=True)
class FileView:
    """A table as local files, which DuckDB reads itself."""

    table: Table
    files: tuple[str, ...]


View = FileView | pl.LazyFrame
"""The content of a view: local files, or a lazy frame that reads from elsewhere."""


def run_query(text: str, views: Mapping[str, View], limits: QueryLimits) -> QueryResult:
    """Returns the rows of one SELECT statement over the views.

    Args:
        text: The statement.
        views: The views that the statement can read, by name.
        limits: The limits of the query.

    Raises:
        InvalidRequest: The text is not one SELECT statement, has an error, or exceeds the limits.
        SourceUnavailable: A file could not be read.
    """
    statement = select_statement(text)
    try:
        with closing(_connect(limits)) as connection:
            for name, view in views.items():
                _create_view(connection, name, view)
            _lock(connection, [file for view in views.values() if isinstance(view, FileView) for file in view.files])
            with _interrupted_after(connection, limits.timeout_seconds):
                reader = connection.sql(statement).to_arrow_reader(BATCH_ROWS)
                return _bounded(reader, limits.max_rows)
    except duckdb.Error as error:
        raise _translated(error, limits) from error


def select_statement(text: str) -> duckdb.Statement:
    """Returns the statement if the text is a single SELECT.

    Raises:
        InvalidRequest: The text has no statement, several, or a statement of another kind.
    """
    if len(text) > MAX_TEXT:
        raise InvalidRequest(f"the query has {len(text)} characters, allowed are {MAX_TEXT}", "Shorten it")
    try:
        statements = duckdb.extract_statements(text)
        kinds = [statement.type.name for statement in statements]
    # ValueError: DuckDB's Python client does not know every kind of statement of its parser (UPDATE EXTENSIONS).
    except (duckdb.Error, ValueError) as error:
        raise InvalidRequest(f"the query cannot be parsed: {_first_line(error)}", "See docs/query.md") from error
    # EXPLAIN is not accepted either, because EXPLAIN ANALYZE runs the statement.
    if kinds != ["SELECT"]:
        kinds_text = ", ".join(kinds) or "no statement"
        what = f"the query contains {kinds_text}; allowed is one SELECT"
        raise InvalidRequest(what, "Queries can only read. Send one statement at a time")
    return statements[0]


def named_in(text: str, names: Sequence[str]) -> list[str]:
    """Returns the names that occur in a query as words. Views are made for these only, because each view takes time."""
    words = set(re.findall(r"[a-z0-9_]+", text.lower()))
    return [name for name in names if name in words]


def _connect(limits: QueryLimits) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_mib}MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            # Without this setting, SQL can read the variables of the Python program.
            "python_enable_replacements": False,
        },
    )


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, view: View) -> None:
    if isinstance(view, pl.LazyFrame):
        connection.register(name, view)
        return
    keys = ", ".join(f"{_quoted(key)}: 'VARCHAR'" for key in view.table.partition_keys)
    # The name and the keys come from the dataset table, the files from the catalog. All are quoted.
    connection.execute(
        f'CREATE VIEW "{name}" AS SELECT * EXCLUDE ({VERSION}) FROM read_parquet('  # noqa: S608
        f"{_list(view.files)}, hive_partitioning = true, hive_types = {{{keys}}}, hive_types_autocast = false)"
    )


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Limits the session to reading these files. Nothing in the session can undo this."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_paths = {_list(files)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_quoted(text) for text in texts) + "]"


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _bounded(reader: pa.RecordBatchReader, max_rows: int) -> QueryResult:
    batches, rows = [], 0
    with closing(reader):
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows > max_rows:
                break
    frame = pl.DataFrame(pa.Table.from_batches(batches, reader.schema))
    return QueryResult(frame.head(max_rows), rows > max_rows)


def _translated(error: duckdb.Error, limits: QueryLimits) -> LakehouseError:
    if isinstance(error, duckdb.InterruptException):
        what = f"the query took longer than {limits.timeout_seconds:g} s"
        return InvalidRequest(what, "Query fewer symbols or a shorter time, or raise the limit")
    if isinstance(error, duckdb.OutOfMemoryException):
        what = f"the query needs more than {limits.memory_mib} MiB"
        return InvalidRequest(what, "Query less data at once, raise the limit, or use Lake.scan, which streams")
    if isinstance(error, duckdb.IOException):
        return SourceUnavailable(
            f"a published file cannot be read: {_first_line(error)}",
            "Try again. If it fails again, build the partition again",
        )
    return InvalidRequest(f"the query failed: {_first_line(error)}", "Names and types: docs/datasets.md")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
