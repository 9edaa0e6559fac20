"""SQL over published partitions in a DuckDB session that can only read their files.

In DuckDB, SQL can read and write files, load extensions and open sockets. So each query gets a session of its own. The
session has one view per table that the query names, and it may only open the files of the views. Its configuration
is locked before the query runs. Only a single SELECT statement is accepted.

This module runs in the child process of `query/child.py`, which bounds the memory and the time of the engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.query.limits import QueryLimits, too_much_memory
from crypto_lakehouse.query.transfer import transferable
from crypto_lakehouse.query.views import VERSION, FileView, View, has_foreign_keys, value_pattern

BATCH_ROWS = 10_000
_IN_WORDS = frozenset({"bit", "bignum", "union", "geometry"})
"""Types of DuckDB that have no like in Arrow or Polars: their values are returned as text."""
_NESTED = frozenset({"list", "array", "struct", "map"})
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
            relation = connection.sql(statement)
            names = relation.columns
            reader = _in_known_types(connection, statement, relation).to_arrow_reader(
                min(BATCH_ROWS, limits.max_rows + 1)
            )
            with closing(reader):
                yield from transferable(reader, names)
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
    # EXPLAIN is not accepted either, because EXPLAIN ANALYZE runs the statement.
    if kinds != ["SELECT"]:
        # PIVOT becomes several statements in the parser.
        kinds_text = ", ".join("PIVOT" if kind == "MULTI" else kind for kind in kinds) or "no statement"
        what = f"the query contains {kinds_text}; allowed is one SELECT"
        raise InvalidRequest(what, "Queries can only read. Send one statement at a time; see docs/query.md")
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
    keys = view.partition_keys
    # The name and the keys come from the dataset table, the files from the catalog. All are quoted.
    if has_foreign_keys(keys, view.files[0]):
        hidden = ["filename"]
        values = [f"regexp_extract(filename, {_quoted(value_pattern(key))}, 1) AS {key}" for key in keys]
        options = "hive_partitioning = false, filename = true"
    else:
        hidden, values = [VERSION, *keys], list(keys)
        types = ", ".join(f"{_quoted(key)}: 'VARCHAR'" for key in keys)
        options = f"hive_partitioning = true, hive_types = {{{types}}}, hive_types_autocast = false"
    # DuckDB sorts hive keys by their names; here they have the order of the table.
    connection.execute(
        f'CREATE VIEW "{name}" AS SELECT * EXCLUDE ({", ".join(hidden)}), {", ".join(values)} '  # noqa: S608
        f"FROM read_parquet({_list(view.files)}, {options})"
    )


def _in_known_types(
    connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, relation: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Returns a result with text for the columns whose type Arrow or Polars does not have."""
    kinds = list(map(_is_known, relation.types))
    if all(kinds):
        return relation
    columns = [f"c{number}" for number in range(len(kinds))]
    chosen = [name if is_known else f"{name}::VARCHAR AS {name}" for name, is_known in zip(columns, kinds, strict=True)]
    # The statement was parsed as one SELECT, so that it cannot end the brackets.
    text = statement.query.strip().rstrip(";")
    return connection.sql(f"SELECT {', '.join(chosen)} FROM (\n{text}\n) AS result({', '.join(columns)})")  # noqa: S608


def _is_known(kind: DuckDBPyType, *, is_nested: bool = False) -> bool:
    if kind.id in _IN_WORDS or (is_nested and kind.id == "interval"):
        return False
    if kind.id not in _NESTED:
        return True
    return all(_is_known(part, is_nested=True) for _, part in kind.children if isinstance(part, DuckDBPyType))


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
    return InvalidRequest(f"the query failed: {_words(error)}", "Names and types: docs/datasets.md")


def _words(error: Exception) -> str:
    """Returns the message of an error with its candidates, without the lines that quote the statement."""
    lines = [line.strip() for line in str(error).strip().split("\n")]
    return foreign(" ".join(line for line in lines if line and not line.startswith(("LINE ", "^"))), 500)
