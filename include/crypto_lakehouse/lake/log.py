"""An append-only log of small files: one write is one commit, all files together are the state.

`commits` defines what a commit is. Rows are read in the order of their commits, so the last row of a key is its newest.

Compaction writes one file with the rows of all commits up to a number. Readers start with the newest sound compacted
file, and add the commits after it. The compacted file before it and the commits between both are kept until the next
compaction. So a reader that has listed the log still finds its files, and a damaged compacted file costs no row.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from crypto_lakehouse import telemetry
from crypto_lakehouse.errors import ArchiveFileMissing, SourceUnavailable
from crypto_lakehouse.lake.commits import (
    READ_THREADS,
    CompactedFile,
    LogFault,
    LogListing,
    append,
    body_of,
    foreign_faults,
    is_parquet,
    list_log,
    missing_faults,
)
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.telemetry import Level

SEQUENCE = "sequence"
"""The column with the number of a row's commit."""

_ATTEMPTS = 20
_LOOKS = 3
"""A listing may lack a file while a compaction runs. A number that so many listings lack is lost."""


class LogState(NamedTuple):
    """What a log holds at an instant.

    Args:
        rows: All valid rows, in the order of their commits, with the column SEQUENCE.
        faults: What is damaged or missing.
        head: The number of the newest commit.
        base: The compacted file that the rows start with.
        listing: The files.
    """

    rows: pl.DataFrame
    faults: list[LogFault]
    head: int
    base: CompactedFile | None
    listing: LogListing


class AppendLog:
    """A log of rows of one schema under a prefix.

    Args:
        storage: The lake.
        prefix: Folder of the log, ending in a slash.
        schema: Column names and types of its rows.
    """

    def __init__(self, storage: Storage, prefix: str, schema: pl.Schema) -> None:
        self._storage, self._prefix, self._schema = storage, prefix, schema

    def head(self) -> int:
        """Returns the number of the newest commit; 0 for an empty log."""
        return list_log(self._storage, self._prefix).head

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commits rows, all or none."""
        self.append_frame(pl.DataFrame(rows, schema=self._schema))

    def append_frame(self, rows: pl.DataFrame) -> None:
        """Commits the rows of a frame with the columns of the log, all or none."""
        body = self._body(rows)
        append(self._storage, self._prefix, lambda _: body)

    def append_unless_overtaken(self, rows: pl.DataFrame, key: str, since: int) -> set[str]:
        """Commits the rows whose key has got no other row after the commit `since`. Returns the keys that have.

        Args:
            rows: The rows, with the columns of the log.
            key: The column that names what a row is about.
            since: The number of the newest commit when the writer looked at what it worked from.
        """
        overtaken: set[str] = set()

        def body_after(head: int) -> bytes | None:
            overtaken.update(self._since(since, head)[key])
            return self._body(rows.filter(~pl.col(key).is_in(sorted(overtaken))))

        append(self._storage, self._prefix, body_after)
        return overtaken & set(rows[key])

    def read(self, *, skip_damage: bool = False) -> pl.DataFrame:
        """Returns every committed row in the order of commits: the columns of the log, and SEQUENCE.

        Args:
            skip_damage: Whether to leave out what is damaged, with a warning in the log of the process. Only for
                readers that can do without these rows, and never answer with less in silence.

        Raises:
            CorruptObject: A file is damaged or missing; the message names it and what to do.
            SourceUnavailable: Files disappeared during each attempt to read them.
        """
        state = self.state()
        if not skip_damage and any(fault.rows_lost for fault in state.faults):
            raise state.faults[0].error
        for fault in state.faults:
            telemetry.event("log_damaged", Level.WARNING, file=fault.key, fault=fault.what, rows_lost=fault.rows_lost)
        return state.rows

    def state(self) -> LogState:
        """Returns what the log holds, with all its faults.

        Raises:
            SourceUnavailable: Files disappeared during each attempt to read them.
        """
        looks = 0
        for _ in range(_ATTEMPTS):
            try:
                state = self._state(list_log(self._storage, self._prefix))
            except ArchiveFileMissing:
                # A compaction removed a file between the listing and the read. Its rows are in the compacted file.
                continue
            looks += 1
            if looks == _LOOKS or not state.listing.missing(state.base.number if state.base else 0):
                return state
        raise SourceUnavailable(f"the log {self._prefix} changed {_ATTEMPTS} times while it was read", "Try again")

    def compact(self, at_least: int = 100, keep: Callable[[pl.DataFrame], pl.DataFrame] | None = None) -> int:
        """Writes a compacted file if there are many commits since the last one. Returns their number.

        A damaged log is left as it is: damage must not be forgotten before it is repaired.

        Args:
            at_least: Smallest number of commits; with fewer commits nothing is done.
            keep: Returns the rows that are still needed. By default all rows.
        """
        listing = list_log(self._storage, self._prefix)
        if listing.head - listing.covered < at_least:
            return 0
        state = self.state()
        if state.faults:
            return 0
        self._write_compacted(state.rows if keep is None else keep(state.rows), state.head)
        self._remove_older_than(state)
        return state.head - (state.base.number if state.base else 0)

    def rewrite(self, repaired: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Replaces the rows of the log, damaged files included, by other rows.

        Args:
            repaired: Returns the rows, with the column SEQUENCE, which places each among the others. It gets all valid
                rows.
        """
        number = append(self._storage, self._prefix, lambda _: self._bytes(pl.DataFrame(schema=self._schema)))
        state = self.state()
        rows = repaired(state.rows.filter(pl.col(SEQUENCE) <= number))
        self._write_compacted(rows.sort(SEQUENCE, maintain_order=True), number or 0)

    def _write_compacted(self, rows: pl.DataFrame, number: int) -> None:
        data = self._bytes(rows)
        name = f"compacted-{number:012}-{hashlib.sha256(data).hexdigest()}.parquet"
        self._storage.write(f"{self._prefix}{name}", data, if_absent=True)

    def _remove_older_than(self, state: LogState) -> None:
        """Removes what the compacted file that a new one was made from covers, if its own bytes are still sound."""
        if state.base is None:
            return
        for file in state.listing.compacted:
            if file.number < state.base.number:
                self._storage.delete(file.key)
        for number in sorted(state.listing.commits):
            if number <= state.base.number:
                self._storage.delete(state.listing.commits[number])

    def _body(self, rows: pl.DataFrame) -> bytes | None:
        return self._bytes(rows.select(self._schema.names()).cast(self._schema)) if rows.height else None

    def _bytes(self, rows: pl.DataFrame) -> bytes:
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        return buffer.getvalue()

    def _since(self, since: int, head: int) -> pl.DataFrame:
        """Returns the rows of the commits after a number."""
        if head <= since:
            return self._empty()
        listing = list_log(self._storage, self._prefix)
        numbers = range(since + 1, head + 1)
        if not all(number in listing.commits for number in numbers):
            # Compactions have removed some of them.
            return self.read(skip_damage=True).filter(pl.col(SEQUENCE) > since)
        rows, _ = self._commits({number: listing.commits[number] for number in numbers})
        return rows

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={**self._schema, SEQUENCE: pl.Int64()})

    def _state(self, listing: LogListing) -> LogState:
        faults, compacted, base = list[LogFault](), self._empty(), None
        for file in listing.compacted:
            data = self._storage.read(file.key)
            if hashlib.sha256(data).hexdigest() == file.sha256:
                compacted, base = self._whole(pl.read_parquet(io.BytesIO(data))), file
                break
            faults.append(LogFault(file.key, "is damaged"))
        after = base.number if base else 0
        wanted = {number: listing.commits[number] for number in sorted(listing.commits) if number > after}
        rows, damaged = self._commits(wanted)
        faults += [*damaged, *missing_faults(listing, self._prefix, after), *foreign_faults(listing)]
        return LogState(pl.concat([compacted, rows]), faults, listing.head, base, listing)

    def _commits(self, keys: dict[int, str]) -> tuple[pl.DataFrame, list[LogFault]]:
        """Returns the rows of commits, in the order given, and what is damaged."""
        with ThreadPoolExecutor(READ_THREADS) as pool:
            bodies = dict(zip(keys, pool.map(self._read_body, keys.values()), strict=True))
        faults = [LogFault(keys[number], "is damaged", number) for number, body in bodies.items() if body is None]
        sound = [(number, body) for number, body in bodies.items() if body is not None]
        groups = groupby(sound, key=lambda commit: is_parquet(commit[1]))
        frames = [self._parquet(list(group)) if parquet else self._json(list(group)) for parquet, group in groups]
        return pl.concat([self._empty(), *frames]), faults

    def _read_body(self, key: str) -> bytes | None:
        return body_of(key, self._storage.read(key))

    def _parquet(self, commits: list[tuple[int, bytes]]) -> pl.DataFrame:
        return pl.concat(
            self._whole(pl.read_parquet(io.BytesIO(body)).with_columns(pl.lit(number, pl.Int64()).alias(SEQUENCE)))
            for number, body in commits
        )

    def _whole(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows of a file with all columns: the log may have gained some since the file was written."""
        gained = [pl.lit(None, kind).alias(name) for name, kind in self._schema.items() if name not in rows.columns]
        return rows.with_columns(gained).select(*self._schema.names(), SEQUENCE)

    def _json(self, commits: list[tuple[int, bytes]]) -> pl.DataFrame:
        times = [name for name, kind in self._schema.items() if kind.is_temporal()]
        texts = pl.Schema({**self._schema, **dict.fromkeys(times, pl.String())})
        rows = pl.read_ndjson(b"".join(body for _, body in commits), schema=texts)
        numbers = pl.Series(SEQUENCE, [number for number, _ in commits], pl.Int64())
        counts = pl.Series([body.count(b"\n") for _, body in commits])
        repeated = numbers.to_frame().select(pl.col(SEQUENCE).repeat_by(counts).explode())
        parsed = rows.with_columns(pl.col(times).str.to_datetime("%+", time_unit="us", time_zone="UTC"))
        return parsed.hstack(repeated)
