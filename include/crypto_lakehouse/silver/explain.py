"""Finds the first line for which a block was refused, value by value. It is slow, and runs only after a refusal."""

import re
from collections.abc import Mapping

from crypto_lakehouse.lake.table_schema import DECIMALS
from crypto_lakehouse.spec import Column, SourceLayout, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType

_NUMBER = re.compile(rb"-?\d+(\.\d*)?([eE][+-]?\d{1,2})?")
_INTEGER = re.compile(rb"-?\d{1,19}")
_TEXT_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_BOOLEAN = re.compile(rb"true|false", re.IGNORECASE)


def first_bad_line(
    block: bytes, layout: SourceLayout, columns: Mapping[str, Column], encoding: TimeEncoding
) -> int | None:
    """Returns the number, from 1, of the first line with a wrong width or a wrong type of value; None if unknown."""
    checks = [_pattern(columns.get(name), encoding) for name in layout.columns]
    for number, line in enumerate(block.split(b"\n")[:-1], 1):
        fields = line.split(b",")
        if len(fields) != len(checks):
            return number
        if any(
            check and not _accepts(check, field, nullable)
            for (check, nullable), field in zip(checks, fields, strict=True)
        ):
            return number
    return None


def _pattern(column: Column | None, encoding: TimeEncoding) -> tuple[re.Pattern[bytes] | None, bool]:
    if column is None:
        return None, True
    if column.type is LogicalType.TIMESTAMP:
        return (_INTEGER if encoding is TimeEncoding.EPOCH else _TEXT_TIME), False
    patterns = {LogicalType.INTEGER: _INTEGER, LogicalType.BOOLEAN: _BOOLEAN, **dict.fromkeys(DECIMALS, _NUMBER)}
    return patterns.get(column.type), column.nullable


def _accepts(check: re.Pattern[bytes], field: bytes, nullable: bool) -> bool:
    if field in {b"", b'""'}:
        return nullable
    return check.fullmatch(field) is not None
