"""Silver once more, written for clarity and not for speed: with the standard library, and with DuckDB.

Shares nothing with the engine but the dataset table. Values come as plain Python: exact decimals, microseconds.
"""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.spec import Column, Dataset, Derivation, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType

Row = tuple[Any, ...]
NUMBERS = {
    LogicalType.PRICE: (18, 8),
    LogicalType.QUANTITY: (38, 8),
    LogicalType.VALUE: (38, 18),
    LogicalType.RATIO: (38, 18),
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIVE_MINUTES, HOUR = 300 * 10**6, 3600 * 10**6


def source_columns(dataset: Dataset, content: bytes) -> tuple[tuple[str, ...], bool]:
    """Returns the names of the file's columns and whether its first line holds them."""
    first = content.split(b"\n", 1)[0].decode().split(",")
    has_header = not first[0].lstrip("-").isdigit()
    for layout in dataset.layouts:
        if (has_header and tuple(first) == layout.columns) or (not has_header and len(first) == len(layout.columns)):
            return layout.columns, has_header
    raise AssertionError(f"no layout for {first}")


def in_order(dataset: Dataset, rows: list[Row]) -> list[Row]:
    """Returns the rows sorted by event time and key, the first of each key."""
    names = [one.name for one in dataset.columns]
    key = [names.index(name) for name in dataset.key]
    order = [names.index(dataset.event_time), *key]
    kept: dict[Row, Row] = {}
    for row in rows:
        kept.setdefault(tuple(row[at] for at in key), row)
    return sorted(kept.values(), key=lambda row: [row[at] for at in order])


def stdlib_rows(key: ArchiveKey, content: bytes) -> list[Row]:
    """Returns the Silver rows of a file by `csv` and `Decimal`."""
    return in_order(key.dataset, stdlib_records(key, content))


def stdlib_records(key: ArchiveKey, content: bytes) -> list[Row]:
    """Returns a row per line of a file, in its order."""
    names, has_header = source_columns(key.dataset, content)
    lines = list(csv.reader(io.StringIO(content.decode())))[has_header:]
    records = [dict(zip(names, line, strict=True)) for line in lines]
    return [tuple(_value(column, record, key) for column in key.dataset.columns) for record in records]


def _value(column: Column, record: dict[str, str], key: ArchiveKey) -> Any:
    if column.derivation is not None:
        return _DERIVED[column.derivation](record, key)
    text = record[column.source]
    if not text and column.nullable:
        return None
    plain: dict[LogicalType, Callable[[str], Any]] = {
        LogicalType.INTEGER: int,
        LogicalType.STRING: str,
        LogicalType.BOOLEAN: lambda word: word.lower() == "true",
        LogicalType.TIMESTAMP: _stamp,
    }
    return plain.get(column.type, Decimal)(text)


def _stamp(text: str) -> int:
    if text.isdigit():
        return int(text) * (1 if int(text) >= 10**15 else 1000)
    return (datetime.strptime(text + "+0000", "%Y-%m-%d %H:%M:%S%z") - EPOCH) // timedelta(microseconds=1)


def _nearest(stamp: int, step: int) -> int:
    return (stamp + step // 2) // step * step


def _period_start(record: dict[str, str], key: ArchiveKey) -> int:
    start_meant = key.first_day >= date(2026, 6, 25)
    return _nearest(_stamp(record["create_time"]), FIVE_MINUTES) - (0 if start_meant else FIVE_MINUTES)


_DERIVED: dict[Derivation, Callable[[dict[str, str], ArchiveKey], Any]] = {
    Derivation.OBJECT_SYMBOL: lambda _, key: key.symbol,
    Derivation.PERIOD_START: _period_start,
    Derivation.PERIOD_END: lambda record, key: _period_start(record, key) + FIVE_MINUTES,
    Derivation.FUNDING_TIME: lambda record, _: _nearest(_stamp(record["calc_time"]), HOUR),
    Derivation.DATE_AND_HOUR: lambda record, _: _stamp(f"{record['date']} {int(record['hour']):02}:00:00"),
    Derivation.STRIKE_EXPIRY: lambda record, _: date.fromisoformat(f"20{record['strike'][:6]}"),
    Derivation.STRIKE_PRICE: lambda record, _: Decimal(record["strike"][7:]),
}


def duckdb_rows(key: ArchiveKey, content: bytes, folder: Path) -> list[Row]:
    """Returns the Silver rows of a file by DuckDB's own CSV reader and casts."""
    names, has_header = source_columns(key.dataset, content)
    path = folder / "content.csv"
    path.write_bytes(content)
    expressions = [f"{_sql(one, key)} AS {one.name}" for one in key.dataset.columns]
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    reader = f"read_csv('{path}', header={has_header}, columns={{{columns}}}, delim=',', nullstr='', parallel=false)"
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = connection.execute(f"SELECT {', '.join(expressions)} FROM {reader}").fetchall()
    return in_order(key.dataset, rows)


def _sql(column: Column, key: ArchiveKey) -> str:
    if column.derivation is not None:
        return _sql_derived(column.derivation, key)
    if column.type is LogicalType.TIMESTAMP:
        return _sql_stamp(f'"{column.source}"', key.dataset.time_encoding)
    plain = {LogicalType.INTEGER: "BIGINT", LogicalType.STRING: "VARCHAR", LogicalType.BOOLEAN: "BOOLEAN"}
    kind = plain.get(column.type) or "DECIMAL({},{})".format(*NUMBERS[column.type])
    return f'CAST("{column.source}" AS {kind})'


def _sql_stamp(source: str, encoding: TimeEncoding) -> str:
    if encoding is TimeEncoding.EPOCH:
        return f"CAST({source} AS BIGINT) * CASE WHEN CAST({source} AS BIGINT) < 1e15 THEN 1000 ELSE 1 END"
    return f"epoch_us(CAST({source} AS TIMESTAMP))"


def _sql_nearest(stamp: str, step: int) -> str:
    return f"((({stamp}) + {step // 2}) // {step} * {step})"


def _sql_derived(derivation: Derivation, key: ArchiveKey) -> str:
    shift = 0 if key.first_day >= date(2026, 6, 25) else FIVE_MINUTES
    period = _sql_nearest("epoch_us(CAST(create_time AS TIMESTAMP))", FIVE_MINUTES)
    calculated = _sql_stamp("calc_time", TimeEncoding.EPOCH)
    return {
        Derivation.OBJECT_SYMBOL: f"'{key.symbol}'",
        Derivation.PERIOD_START: f"{period} - {shift}",
        Derivation.PERIOD_END: f"{period} - {shift} + {FIVE_MINUTES}",
        Derivation.FUNDING_TIME: _sql_nearest(calculated, HOUR),
        Derivation.DATE_AND_HOUR: f'epoch_us(CAST("date" AS TIMESTAMP)) + CAST("hour" AS BIGINT) * {HOUR}',
        Derivation.STRIKE_EXPIRY: "CAST(strptime(split_part(strike, '-', 1), '%y%m%d') AS DATE)",
        Derivation.STRIKE_PRICE: "CAST(split_part(strike, '-', 2) AS DECIMAL(18,8))",
    }[derivation]
