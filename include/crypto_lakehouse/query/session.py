"""SQL over published partitions in a DuckDB that can read those files and do nothing else.

DuckDB takes SQL for code: it reads and writes files, loads extensions and opens sockets. So a session is built for
one query. It gets a view per dataset that the query names, may open exactly the files behind these views, and its
configuration is locked before the query is seen. Only one statement that reads is let in.
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
from crypto_lakehouse.spec import Dataset

BATCH_ROWS = 50_000
MAX_TEXT = 100_000
"""Characters of a query, at most."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use.

    Args:
        max_rows: Rows of its result.
        memory_mib: Memory of the engine; nothing is spilled to disk.
        threads: Threads of the engine.
        timeout_seconds: Wall time until it is interrupted.
    """

    max_rows: int = 1_000_000
    memory_mib: int = 2048
    threads: int = 2
    timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a query, and whether there were more than the limit let through."""

    frame: pl.DataFrame
    truncated: bool


@dataclass(frozen=True, slots=True)
class FileView:
    """A dataset as local files, which DuckDB reads itself."""

    dataset: Dataset
    files: tuple[str, ...]


View = FileView | pl.LazyFrame
"""What stands behind a view: local files, or a frame that fetches from elsewhere."""


def run_query(text: str, views: Mapping[str, View], limits: QueryLimits) -> QueryResult:
    """Returns the rows of one reading statement over the views.

    Args:
        text: The statement.
        views: What it can see, by name.
        limits: What it may use.

    Raises:
        InvalidRequest: It is not one reading statement, is wrong, or needs more than the limits allow.
        SourceUnavailable: A file could not be read.
    """
    statement = reading_statement(text)
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


def reading_statement(text: str) -> duckdb.Statement:
    """Returns the statement if it is a single one that reads.

    Raises:
        InvalidRequest: It is none, several, or one that does something else.
    """
    if len(text) > MAX_TEXT:
        raise InvalidRequest(f"the query has {len(text)} characters, allowed are {MAX_TEXT}", "Shorten it")
    try:
        statements = duckdb.extract_statements(text)
        kinds = [statement.type.name for statement in statements]
    # ValueError: DuckDB's Python client does not know every kind of statement its parser does (UPDATE EXTENSIONS).
    except (duckdb.Error, ValueError) as error:
        raise InvalidRequest(f"the query cannot be read: {_first_line(error)}", "See docs/query.md") from error
    # EXPLAIN is not let in either: EXPLAIN ANALYZE carries out what it explains.
    if kinds != ["SELECT"]:
        said = ", ".join(kinds) or "no statement"
        raise InvalidRequest(f"the query holds {said}; allowed is one SELECT", "Queries only read; send one at a time")
    return statements[0]


def named_in(text: str, names: Sequence[str]) -> list[str]:
    """Returns those of `names` that occur in a query as words, in the order given; a view costs, so few are made."""
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
            # Otherwise SQL reads the variables of the Python program around it.
            "python_enable_replacements": False,
        },
    )


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, view: View) -> None:
    if isinstance(view, pl.LazyFrame):
        connection.register(name, view)
        return
    keys = ", ".join(f"{_quoted(key)}: 'VARCHAR'" for key in view.dataset.partition_keys)
    # The name and the keys are the dataset table's, the files the catalog's; all are quoted.
    connection.execute(
        f'CREATE VIEW "{name}" AS SELECT * EXCLUDE ({VERSION}) FROM read_parquet('  # noqa: S608
        f"{_list(view.files)}, hive_partitioning = true, hive_types = {{{keys}}}, hive_types_autocast = false)"
    )


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Takes from the session all it could do besides reading these files; there is no way back."""
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
        return InvalidRequest(what, "Ask for fewer symbols or a shorter time, or raise the limit")
    if isinstance(error, duckdb.OutOfMemoryException):
        what = f"the query needs more than {limits.memory_mib} MiB"
        return InvalidRequest(what, "Ask for less at once, raise the limit, or read with Lake.scan, which streams")
    if isinstance(error, duckdb.IOException):
        return SourceUnavailable(f"a published file cannot be read: {_first_line(error)}", "Try again; else rebuild it")
    return InvalidRequest(f"the query is not acceptable: {_first_line(error)}", "Names and types: docs/datasets.md")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
