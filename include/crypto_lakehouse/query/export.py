"""Query results as CSV, JSON and Parquet."""

import json
import math
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from crypto_lakehouse.query.limits import QueryResult

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet reads a text cell that starts with one of these characters as a formula. It may run a program."""


def csv_text(result: QueryResult) -> str:
    """Returns the rows as CSV. Text that a spreadsheet would read as a formula gets a leading apostrophe."""
    frame = result.frame
    unwritable = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Duration]
    binary = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    plain = frame.with_columns(
        *(pl.Series(name, [_nested_text(value) for value in frame[name].to_list()], pl.String) for name in unwritable),
        *(pl.col(name).bin.encode("hex") for name in binary),
    )
    texts = [pl.col(name) for name, kind in plain.schema.items() if kind == pl.String]
    escaped = plain.with_columns(
        pl.when(text.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + text).otherwise(text).name.keep()
        for text in texts
    )
    return escaped.rename({name: _escaped(name) for name in escaped.columns}).write_csv()


def _nested_text(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else str(value)


def _escaped(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_LEADS) else text


def json_text(result: QueryResult) -> str:
    """Returns one JSON document: columns, rows as objects, and whether rows were cut off.

    Decimals are strings, so that no digit is lost. Times are ISO text with their time zone. JSON has no infinity and no
    NaN: both are null.
    """
    frame = result.frame
    document = {
        "columns": [{"name": name, "type": str(kind)} for name, kind in frame.schema.items()],
        "rows": [_finite(row) for row in frame.iter_rows(named=True)],
        "row_count": frame.height,
        "truncated": result.truncated,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, default=_json_value) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.hex() if isinstance(value, bytes) else str(value)


def write_parquet(result: QueryResult, path: Path) -> None:
    """Writes the rows to a Parquet file."""
    result.frame.write_parquet(path)
