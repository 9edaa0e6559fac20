"""The embedded catalog: one SQLite file, safe among processes of one machine."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from itertools import count
from pathlib import Path

from crypto_lakehouse.errors import CorruptObject, LakehouseError, SourceUnavailable
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.marts import table as table_row
from crypto_lakehouse.marts import tables
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Condition, Interval

_BUSY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
    dataset TEXT NOT NULL, partition TEXT NOT NULL, symbol TEXT NOT NULL, kline_interval TEXT NOT NULL,
    first_day TEXT NOT NULL, last_day TEXT NOT NULL, location TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL, inputs_digest TEXT NOT NULL,
    first_time TEXT, last_time TEXT, condition TEXT NOT NULL, reasons TEXT NOT NULL, run_id TEXT NOT NULL,
    published_at TEXT NOT NULL, schema_version TEXT NOT NULL,
    PRIMARY KEY (dataset, partition)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_symbol ON partitions (dataset, symbol, kline_interval, first_day);
"""
_COLUMNS = (
    *("dataset", "partition", "location", "file", "sha256", "bytes", "rows", "inputs_digest"),
    *("first_time", "last_time", "condition", "reasons", "run_id", "published_at", "schema_version"),
)
_KEYS = ("symbol", "kline_interval", "first_day", "last_day")
# The names are this module's own constants; every value is bound.
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM partitions WHERE dataset = ?"  # noqa: S608
_SELECT_ALL = f"SELECT {', '.join(_COLUMNS + _KEYS)} FROM partitions"  # noqa: S608
_DAMAGED = frozenset(
    {"SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_IOERR_SHORT_READ"}
)
"""How SQLite calls a file that is not what it wrote. A plain error is one here: our statements are right."""
_UPSERT = (
    f"INSERT OR REPLACE INTO partitions ({', '.join(_COLUMNS + _KEYS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_COLUMNS + _KEYS))})"
)


class EmbeddedCatalog:
    """A catalog in an SQLite file, created at first use.

    Args:
        path: The file; its folder is created as well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # autocommit off by hand: a transaction is begun where it is written, and nowhere else.
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'by_symbol'").fetchone():
                    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
                yield connection
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname in _DAMAGED:
                raise self._damage(error) from error
            raise SourceUnavailable(f"the catalog {self._path} did not answer: {error}", "Try again") from error

    def _damage(self, error: Exception) -> CorruptObject:
        return CorruptObject(
            f"the catalog {self._path} is damaged: {error}", "Run `crypto-lakehouse catalog rebuild`: nothing is lost"
        )

    def ensure_table(self, table: Table) -> None:
        """Records the table without its columns: readers use the columns of the files."""
        with self._connection() as connection:
            connection.execute("INSERT OR IGNORE INTO tables VALUES (?)", (table.name,))

    def publish(self, records: Sequence[PublishedPartition]) -> None:
        """Points partitions at new versions, all of the call in one transaction.

        Raises:
            SourceUnavailable: The file is locked for too long or cannot be written; nothing was published.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_UPSERT, [_row(record) for record in records])
            connection.execute("COMMIT")

    def partition(self, partition: Partition) -> PublishedPartition | None:
        """Returns what readers see of a partition, or None."""
        with self._connection() as connection:
            row = connection.execute(f"{_SELECT} AND partition = ?", (partition.table.name, partition.name)).fetchone()
        return self._record(row) if row else None

    def partitions(
        self,
        table: Table,
        *,
        symbols: Collection[str] | None = None,
        interval: Interval | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> list[PublishedPartition]:
        """Returns the published partitions that touch the days given, both inclusive, sorted by name."""
        clauses, values = [_SELECT], [table.name]
        if symbols is not None:
            # One bound value, however many symbols: SQLite bounds the number of placeholders.
            clauses.append("AND symbol IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(sorted(symbols)))
        for clause, value in (
            ("AND kline_interval = ?", interval),
            ("AND last_day >= ?", first_day),
            ("AND first_day <= ?", last_day),
        ):
            if value is not None:
                clauses.append(clause)
                values.append(str(value))
        with self._connection() as connection:
            rows = connection.execute(" ".join([*clauses, "ORDER BY partition"]), values).fetchall()
        return [self._record(row) for row in rows]

    def remove(self, partition: Partition) -> None:
        """Takes a partition away from readers; it is no error if it is not there."""
        with self._connection() as connection:
            connection.execute(
                "DELETE FROM partitions WHERE dataset = ? AND partition = ?", (partition.table.name, partition.name)
            )

    def tables(self) -> list[str]:
        """Returns the names of the tables that were created, sorted."""
        with self._connection() as connection:
            return [name for (name,) in connection.execute("SELECT name FROM tables ORDER BY name")]

    def faults(self) -> list[str]:
        """Returns what is wrong with the file: pages that SQLite cannot read, and rows that contradict themselves."""
        try:
            with self._connection() as connection:
                said = [line for (line,) in connection.execute("PRAGMA integrity_check")]
                names = [name for (name,) in connection.execute("SELECT name FROM tables")]
                rows = connection.execute(_SELECT_ALL).fetchall() if said == ["ok"] else []
            faults = [] if said == ["ok"] else said
            faults += [f"it has a table {name!r}" for name in names if not _is_table(name)]
            return faults + [f"the entry of {row[0]} {row[1]} contradicts itself" for row in rows if not _agrees(row)]
        except CorruptObject as error:
            return [error.what]

    def set_aside(self) -> str:
        """Renames the file, with its journal, and returns the new name; empty where there is no file."""
        if not self._path.is_file():
            return ""
        number = next(number for number in count(1) if not self._aside(number).exists())
        for ending in ("-wal", "-shm", ""):
            part = self._path.with_name(self._path.name + ending)
            if part.exists():
                part.rename(f"{self._aside(number)}{ending}")
        return str(self._aside(number))

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.damaged-{number}")

    def _record(self, row: tuple[object, ...]) -> PublishedPartition:
        try:
            return _record(row)
        except (ValueError, TypeError) as error:
            raise self._damage(error) from error


def _is_table(name: object) -> bool:
    return name in {table.name for table in tables()}


def _agrees(row: tuple[object, ...]) -> bool:
    """Returns whether an entry is as it would be written again."""
    try:
        return _row(_record(row[: len(_COLUMNS)])) == row
    except (LakehouseError, ValueError, TypeError):
        return False


def _row(record: PublishedPartition) -> tuple[object, ...]:
    partition = Partition.parse(table_row(record.dataset), record.partition)
    texts = {
        "first_time": record.first_time and record.first_time.isoformat(),
        "last_time": record.last_time and record.last_time.isoformat(),
        "published_at": record.published_at.isoformat(),
        "condition": record.condition.value,
        "reasons": json.dumps(record.reasons, ensure_ascii=False),
    }
    stored = [texts[name] if name in texts else getattr(record, name) for name in _COLUMNS]
    days = (partition.first_day.isoformat(), partition.last_day.isoformat())
    return (*stored, partition.symbol, partition.interval or "", *days)


def _record(row: tuple[object, ...]) -> PublishedPartition:
    fields = dict(zip(_COLUMNS, row, strict=True))
    times = {
        name: datetime.fromisoformat(str(fields[name])) if fields[name] else None
        for name in ("first_time", "last_time", "published_at")
    }
    condition, reasons = Condition(str(fields["condition"])), tuple(json.loads(str(fields["reasons"])))
    return PublishedPartition(**{**fields, **times, "condition": condition, "reasons": reasons})  # type: ignore[arg-type]
