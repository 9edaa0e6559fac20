"""Rows of one partition in the order they were read: in memory while they are few, then in a Parquet file.

A run whose rows turn out to be ordered is the partition's finished file; one that is not gives its rows to a merge.
Small files that were checked whole share a run; a streamed file, which may still be refused, has runs of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.partition_file import ROW_GROUP_ROWS, PartitionWriter
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.merge import ROW
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.silver.reconcile import PLACE

Piece = Callable[[], pl.DataFrame]
"""Reads a stretch of rows."""

MEMORY_ROWS = ROW_GROUP_ROWS
"""Rows a run keeps in memory before it becomes a file."""


@dataclass(slots=True)
class Run:
    """See the module.

    Args:
        partition: Whose rows it holds.
        path: Where it becomes a file.
        background: Does its writing.
    """

    partition: Partition
    path: Path
    background: Background
    rows: int = 0
    is_ordered: bool = True
    first_time: datetime | None = None
    last_time: datetime | None = None
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)
    _writer: PartitionWriter | None = None
    _last: dict[str, Any] = field(default_factory=dict)
    _rested: bool = False

    def append(self, frame: pl.DataFrame, places: Sequence[tuple[int, int]], *, is_ordered: bool) -> None:
        """Adds rows; `places` are the precedence and row count of each file in them, `is_ordered` is of them alone."""
        if not frame.height:
            return
        first, last = frame.row(0, named=True), frame.row(-1, named=True)
        follows = not self._last or self._follows(first)
        self.is_ordered = self.is_ordered and is_ordered and follows and not self._rested
        self._note_times(frame, first, last)
        self._last = last
        self.rows += frame.height
        for place, rows in places:
            if self._places and self._places[-1][0] == place:
                self._places[-1] = (place, self._places[-1][1] + rows)
            else:
                self._places.append((place, rows))
        if self._writer is not None:
            self._write(frame)
            return
        self._frames.append(frame)
        if self.rows > MEMORY_ROWS:
            self._spill()

    def rest(self) -> None:
        """Moves what waits to the file: the rows being read have left this partition behind."""
        if self.rows and not self._rested:
            self._spill()
            self._rested = True
            self.background.submit(self.writer().flush)

    def writer(self) -> PartitionWriter:
        """Returns the file, with all rows given to it or about to be."""
        self._spill()
        if self._writer is None:
            raise ValueError("a spilled run has a writer")
        return self._writer

    def discard(self) -> None:
        """Forgets all rows."""
        self._frames = []
        if self._writer is not None:
            self.background.drain()
            self._writer.discard()

    def pieces(self) -> list[Piece]:
        """Returns the rows with their file's place and their own number, a row group at a time, to be read later."""
        loads = (
            stored_rows(self.path) if self._writer is not None else [(one.height, _given(one)) for one in self._frames]
        )
        starts = np.cumsum([0, *(rows for rows, _ in loads)])
        return [self._piece(int(start), rows, load) for start, (rows, load) in zip(starts, loads, strict=False)]

    def _piece(self, start: int, rows: int, load: Piece) -> Piece:
        ends = np.cumsum([count for _, count in self._places])

        def numbered() -> pl.DataFrame:
            numbers = np.arange(start, start + rows)
            files = np.searchsorted(ends, numbers, side="right")
            places = np.array([place for place, _ in self._places])[files]
            return load().with_columns(pl.Series(PLACE, places), pl.Series(ROW, numbers))

        return numbered

    def close(self) -> None:
        """Ends a file that is only read again by a merge."""
        if self._writer is not None:
            self.background.drain()
            self._writer.close()

    def _follows(self, first: dict[str, Any]) -> bool:
        dataset, last = self.partition.dataset, self._last
        orders = [sort_columns(dataset)]
        if dataset.event_time not in own_key(dataset):
            orders.append(own_key(dataset))
        return all([first[name] for name in order] > [last[name] for name in order] for order in orders)

    def _note_times(self, frame: pl.DataFrame, first: dict[str, Any], last: dict[str, Any]) -> None:
        name = self.partition.dataset.event_time
        low: Any
        high: Any
        low, high = (first[name], last[name]) if self.is_ordered else (frame[name].min(), frame[name].max())
        self.first_time = low if self.first_time is None else min(self.first_time, low)
        self.last_time = high if self.last_time is None else max(self.last_time, high)

    def _spill(self) -> None:
        if self._writer is None:
            self._writer = PartitionWriter(self.path, self.partition.dataset, self.partition.symbol)
        frames, self._frames = self._frames, []
        for frame in frames:
            self._write(frame)

    def _write(self, frame: pl.DataFrame) -> None:
        if self._writer is None:
            raise ValueError("this run was not spilled")
        append = self._writer.append
        self.background.submit(lambda: append(frame))


def _given(frame: pl.DataFrame) -> Piece:
    return lambda: frame


def stored_rows(path: Path) -> list[tuple[int, Piece]]:
    """Returns the row groups of a Silver file, without the symbol of the key: how many rows, and how to read them."""
    metadata = pq.read_metadata(path)
    numbers = range(metadata.num_row_groups)
    return [(metadata.row_group(number).num_rows, _row_group(path, number)) for number in numbers]


def _row_group(path: Path, number: int) -> Piece:
    def read() -> pl.DataFrame:
        with pq.ParquetFile(path) as file:
            rows = pl.from_arrow(file.read_row_group(number))
        if not isinstance(rows, pl.DataFrame):
            raise TypeError("a table gives a frame")
        return rows.drop("symbol")

    return read
