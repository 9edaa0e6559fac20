"""The embedded catalog: one SQLite file, safe among processes of one machine."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from itertools import count
from pathlib import Path

from crypto_lakehouse.errors import CorruptObject, LakehouseError
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.marts import table as table_row
from crypto_lakehouse.marts import tables
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Condition, Interval

_BUSY_SECONDS = 60.0
# Each file numbers its publications from a random start: a publisher that was stopped while the file was replaced must
# not find a number that it has seen in the former one.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
    dataset TEXT NOT NULL, partition TEXT NOT NULL, symbol TEXT NOT NULL, kline_interval TEXT NOT NULL,
    first_day TEXT NOT NULL, last_day TEXT NOT NULL, location TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL, inputs_digest TEXT NOT NULL,
    first_time TEXT, last_time TEXT, condition TEXT NOT NULL, reasons TEXT NOT NULL, run_id TEXT NOT NULL,
    published_at TEXT NOT NULL, schema_version TEXT NOT NULL, generation INTEGER NOT NULL,
    PRIMARY KEY (dataset, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS publications (generation INTEGER NOT NULL);
INSERT INTO publications SELECT random() & 0x3fffffffffffffff WHERE NOT EXISTS (SELECT 1 FROM publications);
CREATE INDEX IF NOT EXISTS by_symbol ON partitions (dataset, symbol, kline_interval, first_day);
"""
_COLUMNS = (
    *("dataset", "partition", "location", "file", "sha256", "bytes", "rows", "inputs_digest"),
    *("first_time", "last_time", "condition", "reasons", "run_id", "published_at", "schema_version"),
    "generation",
)
_KEYS = ("symbol", "kline_interval", "first_day", "last_day")
# The names are this module's own constants; every value is bound.
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM partitions WHERE dataset = ?"  # noqa: S608
_SELECT_ALL = f"SELECT {', '.join(_COLUMNS + _KEYS)} FROM partitions"  # noqa: S608
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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection that may write; the file and its tables are made where they are missing."""
        with _named_damage(str(self._path)), translated(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _connected(str(self._path)) as connection:
                # A rollback journal, because readers of a write-ahead log have to write, too.
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = FULL")
                if not _has_tables(connection):
                    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection that writes nothing: a read-only or full disk can be read. No file is an empty one."""
        with _named_damage(str(self._path)), translated(str(self._path)):
            if self._path.is_file():
                with _connected(f"{self._path.absolute().as_uri()}?mode={self._mode()}") as connection:
                    if _has_tables(connection):
                        yield connection
                        return
            with _connected(":memory:") as connection:
                connection.executescript(_SCHEMA)
                yield connection

    def _mode(self) -> str:
        """Returns how a reader opens the file: a commit whose writer was killed must be undone before anyone reads."""
        try:
            with _connected(f"{self._path.absolute().as_uri()}?mode=ro") as connection:
                _has_tables(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            return "rw"
        return "ro"

    def ensure_table(self, table: Table) -> None:
        """Records the table without its columns: readers use the columns of the files."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO tables VALUES (?)", (table.name,))

    @property
    def is_conditional(self) -> bool:
        """Always True: SQLite has transactions."""
        return True

    def publish(
        self, records: Sequence[PublishedPartition], seen: Mapping[str, int] | None = None
    ) -> list[PublishedPartition]:
        """Points partitions at new versions, all of the call in one transaction.

        Args:
            records: The new versions, all of one table.
            seen: The generation of each partition when the caller looked at the inputs, by name. No condition if None.

        Returns:
            The records that were not published, because the generation of their partition is another one by now.

        Raises:
            LakehouseError: The file is locked for too long or cannot be written; nothing was published.
        """
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            refused = [] if seen is None else _overtaken(connection, records, seen)
            # One number for all partitions and all time: no removed and republished partition gets an old one again.
            connection.execute("UPDATE publications SET generation = generation + 1")
            (generation,) = connection.execute("SELECT generation FROM publications").fetchone()
            accepted = [replace(record, generation=generation) for record in records if record not in refused]
            connection.executemany(_UPSERT, [_row(record) for record in accepted])
            connection.execute("COMMIT")
        return refused

    def partition(self, partition: Partition) -> PublishedPartition | None:
        """Returns what readers see of a partition, or None."""
        with self._reading() as connection:
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
        with self._reading() as connection:
            rows = connection.execute(" ".join([*clauses, "ORDER BY partition"]), values).fetchall()
        return [self._record(row) for row in rows]

    def remove(self, partition: Partition) -> None:
        """Takes a partition away from readers; it is no error if it is not there."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM partitions WHERE dataset = ? AND partition = ?", (partition.table.name, partition.name)
            )

    def tables(self) -> list[str]:
        """Returns the names of the tables that were created, sorted."""
        with self._reading() as connection:
            return [name for (name,) in connection.execute("SELECT name FROM tables ORDER BY name")]

    def faults(self) -> list[str]:
        """Returns what is wrong with the file: pages that SQLite cannot read, and rows that contradict themselves."""
        if not self._path.is_file():
            return []
        try:
            with translated(str(self._path)), _connected(f"{self._path.absolute().as_uri()}?mode=ro") as connection:
                return _faults(connection)
        except CorruptObject as error:
            return [error.what]
        except sqlite3.Error as error:
            # Our statements are right, so the description of the tables is not.
            return [f"{self._path} is damaged: {error}"]

    def set_aside(self) -> str:
        """Renames the file, with its journal, and returns the new name; empty where there is no file."""
        if not self._path.is_file():
            return ""
        number = next(number for number in count(1) if not self._aside(number).exists())
        for ending in ("-journal", ""):
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
            raise CorruptObject(
                f"the catalog {self._path} is damaged: the entry of {row[1]!r} is not one of ours",
                "Run `crypto-lakehouse catalog rebuild`",
                dataset=str(row[0]),
            ) from error


@contextmanager
def _named_damage(place: str) -> Iterator[None]:
    """Turns errors about statements and texts into an error of the lake: ours are right, so the file is not.

    Raises:
        CorruptObject: The block met a text that is not UTF-8, or a table or column that is not one of ours.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise CorruptObject(
            f"the catalog {place} is damaged: its tables are not as they were written",
            "Run `crypto-lakehouse catalog rebuild`",
        ) from error


def _faults(connection: sqlite3.Connection) -> list[str]:
    lines = [line for (line,) in connection.execute("PRAGMA integrity_check")]
    if lines != ["ok"]:
        return lines
    if not _has_tables(connection):
        return ["it has no tables"]
    known = {table.name for table in tables()}
    names = [name for (name,) in connection.execute("SELECT name FROM tables")]
    faults = [f"it has a table {name!r}" for name in names if name not in known]
    rows = connection.execute(_SELECT_ALL).fetchall()
    return faults + [f"the entry of {row[0]} {row[1]} contradicts itself" for row in rows if not _agrees(row)]


def _agrees(row: tuple[object, ...]) -> bool:
    """Returns whether an entry is as it would be written again."""
    try:
        return _row(_record(row[: len(_COLUMNS)])) == row
    except (LakehouseError, ValueError, TypeError):
        return False


def _overtaken(
    connection: sqlite3.Connection, records: Sequence[PublishedPartition], seen: Mapping[str, int]
) -> list[PublishedPartition]:
    """Returns the records whose partition has another generation than was seen."""
    query = "SELECT generation FROM partitions WHERE dataset = ? AND partition = ?"

    def generation(record: PublishedPartition) -> int:
        stored = connection.execute(query, (record.dataset, record.partition)).fetchone()
        return int(stored[0]) if stored else 0

    return [record for record in records if generation(record) != seen.get(record.partition, 0)]


@contextmanager
def _connected(address: str) -> Iterator[sqlite3.Connection]:
    """Yields a connection to a file or a URI. Transactions are begun where they are written, and nowhere else."""
    with closing(sqlite3.connect(address, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)) as connection:
        yield connection


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'by_symbol'").fetchone() is not None


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
