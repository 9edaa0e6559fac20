"""Query results as CSV, JSON and Parquet."""

from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from crypto_lakehouse.json_text import json_text
from crypto_lakehouse.query.limits import QueryResult

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet reads a text cell that starts with one of these characters as a formula. It may run a program."""


def csv_text(result: QueryResult) -> str:
    """Returns the rows as CSV. Text that a spreadsheet would read as a formula gets a leading apostrophe."""
    frame = result.frame
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    # As in JSON: bytes are hexadecimal, durations are seconds.
    plain = frame.with_columns(
        *(pl.Series(name, [_nested_text(value) for value in frame[name].to_list()], pl.String) for name in nested),
        selectors.binary().bin.encode("hex"),
        selectors.duration().dt.total_microseconds() / 1_000_000,
    )
    texts = [pl.col(name) for name, kind in plain.schema.items() if kind == pl.String]
    escaped = plain.with_columns(
        pl.when(text.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + text).otherwise(text).name.keep()
        for text in texts
    )
    return escaped.rename({name: _escaped(name) for name in escaped.columns}).write_csv()


def _nested_text(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _escaped(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_LEADS) else text


def json_document(result: QueryResult) -> str:
    """Returns one JSON document: columns, rows as objects, and whether rows were cut off."""
    frame = result.frame
    document = {
        "columns": [{"name": name, "type": str(kind)} for name, kind in frame.schema.items()],
        "rows": frame.to_dicts(),
        "row_count": frame.height,
        "truncated": result.truncated,
    }
    return json_text(document) + "\n"


def write_parquet(result: QueryResult, path: Path) -> None:
    """Writes the rows to a Parquet file."""
    result.frame.write_parquet(path)
