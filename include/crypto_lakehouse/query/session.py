"""SQL over published partitions in a DuckDB session that can only read their files.

In DuckDB, SQL can read and write files, load extensions and open sockets. So each query gets a session of its own. The
session has one view per table that the query names, and it may only open the files of the views. Its configuration
is locked before the query runs. Only a single SELECT statement is accepted.

This module runs in the child process of `query/child.py`, which bounds the memory and the time of the engine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import duckdb
import pyarrow as pa

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.query.limits import QueryLimits, too_much_memory
from crypto_lakehouse.query.transfer import in_words, transferable
from crypto_lakehouse.query.views import FileView, View, our_part

BATCH_ROWS = 10_000
MAX_TEXT = 100_000
"""Maximum number of characters of a query."""


def answer(text: str, views: Mapping[str, View], limits: QueryLimits) -> Iterator[pa.RecordBatch]:
    """Yields the rows of one SELECT statement over the views: first a batch without rows, for the columns.

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
            # A batch in memory has no more rows than the result.
            reader = in_words(connection.sql(statement)).to_arrow_reader(min(BATCH_ROWS, limits.max_rows + 1))
            with closing(reader):
                yield from transferable(reader)
    except MemoryError as error:
        raise too_much_memory(limits) from error
    # The engine's errors come as Arrow's once rows are streamed.
    except (duckdb.Error, pa.ArrowException) as error:
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
        raise InvalidRequest(f"the query cannot be parsed: {_words(error)}", "See docs/query.md") from error
    if kinds == ["MULTI"]:
        what = "the query contains a PIVOT over values that it has to look up, which is several statements"
        raise InvalidRequest(what, "Name them (PIVOT ... ON side IN ('buy', 'sell')), or use SELECT with FILTER")
    # EXPLAIN is not accepted either, because EXPLAIN ANALYZE runs the statement.
    if kinds != ["SELECT"]:
        kinds_text = ", ".join(kinds) or "no statement"
        what = f"the query contains {kinds_text}; allowed is one SELECT"
        raise InvalidRequest(what, "Queries can only read. Send one statement at a time")
    return statements[0]


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
    if not isinstance(view, FileView):
        connection.register(name, view.frame())
        return
    # The engine would take each `name=value` of the path for a column: also one of a folder above the lake. So the
    # values come from the end of the path. The engine skips files by such expressions, too.
    depth = our_part(view.partition_keys, view.files[0]).count("/") + 1
    values = ", ".join(
        f"split_part(split_part(filename, '/', {number - depth}), '=', 2) AS \"{key}\""
        for number, key in enumerate(view.partition_keys)
    )
    # The name and the keys come from the dataset table, the files from the catalog. All are quoted.
    connection.execute(
        f'CREATE VIEW "{name}" AS SELECT * EXCLUDE (filename), {values} FROM read_parquet('  # noqa: S608
        f"{_list(view.files)}, hive_partitioning = false, filename = true)"
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


def _translated(error: Exception, limits: QueryLimits) -> LakehouseError:
    if isinstance(error, duckdb.OutOfMemoryException | pa.ArrowMemoryError) or "Out of Memory" in str(error):
        return too_much_memory(limits)
    if isinstance(error, duckdb.IOException):
        return SourceUnavailable(
            f"a published file cannot be read: {_words(error)}",
            "Try again. If it fails again, build the partition again",
        )
    # The engine proposes its own tables, too, which have nothing of the lake.
    words = re.sub(r' Did you mean "pg_\w+"\?', "", _words(error))
    tables = "`SHOW TABLES` lists the tables of the lake. " if isinstance(error, duckdb.CatalogException) else ""
    return InvalidRequest(f"the query failed: {words}", f"{tables}Names and types: docs/datasets.md")


def _words(error: Exception) -> str:
    """Returns the message of an error with its candidates, without the lines that quote the statement."""
    lines = [line.strip() for line in str(error).strip().split("\n")]
    return foreign(" ".join(line for line in lines if line and not line.startswith(("LINE ", "^"))), 500)
