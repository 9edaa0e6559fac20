"""Rows of one partition in the order they were read: in memory while they are few, then in a Parquet file.

If the rows of a buffer are in order, its file is the partition's finished file; if not, its rows go to a merge. Small
objects that were checked whole share a buffer. A streamed object, which may still be refused, has a buffer of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.partition_file import ROW_GROUP_ROWS, PartitionWriter
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.merge import ROW_NUMBER
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.silver.reconcile import PRECEDENCE

LoadRows = Callable[[], pl.DataFrame]
"""Reads some rows of a partition."""

MEMORY_ROWS = ROW_GROUP_ROWS
"""Rows that a buffer keeps in memory before it becomes a file."""


class InputRows(NamedTuple):
    """Consecutive rows from one input: the input's precedence within the partition, and how many rows."""

    precedence: int
    rows: int


@dataclass(slots=True)
class RowBuffer:
    """Rows of one partition, to be written or merged.

    Args:
        partition: The partition of the rows.
        path: The file that the rows go to when they are too many for memory.
        background: The thread that writes the file.
    """

    partition: Partition
    path: Path
    background: Background
    rows: int = 0
    is_ordered: bool = True
    first_time: datetime | None = None
    last_time: datetime | None = None
    _frames: list[pl.DataFrame] = field(default_factory=list)
    _inputs: list[InputRows] = field(default_factory=list)
    _writer: PartitionWriter | None = None
    _last: dict[str, Any] = field(default_factory=dict)
    _is_paused: bool = False

    def append(self, frame: pl.DataFrame, inputs: Sequence[InputRows], *, is_ordered: bool) -> None:
        """Adds rows.

        Args:
            frame: The rows.
            inputs: Which inputs they come from, in order.
            is_ordered: Whether these rows alone are in order.
        """
        if not frame.height:
            return
        first, last = frame.row(0, named=True), frame.row(-1, named=True)
        follows = not self._last or self._follows(first)
        self.is_ordered = self.is_ordered and is_ordered and follows and not self._is_paused
        self._note_times(frame, first, last)
        self._last = last
        self.rows += frame.height
        for added in inputs:
            last_input = self._inputs[-1] if self._inputs else None
            if last_input is not None and last_input.precedence == added.precedence:
                self._inputs[-1] = InputRows(added.precedence, last_input.rows + added.rows)
            else:
                self._inputs.append(added)
        if self._writer is not None:
            self._write(frame)
            return
        self._frames.append(frame)
        if self.rows > MEMORY_ROWS:
            self._spill()

    def pause(self) -> None:
        """Writes all waiting rows to the file: the rows being read now belong to other partitions."""
        if self.rows and not self._is_paused:
            self._spill()
            self._is_paused = True
            self.background.submit(self.writer().flush)

    def writer(self) -> PartitionWriter:
        """Returns the writer of the file; all rows are written or are waiting to be written."""
        self._spill()
        if self._writer is None:
            raise ValueError("a spilled buffer has a writer")
        return self._writer

    def discard(self) -> None:
        """Removes all rows."""
        self._frames = []
        if self._writer is not None:
            self.background.drain()
            self._writer.discard()

    def loads(self) -> list[LoadRows]:
        """Returns functions that read a row group each, with its rows' numbers and the precedence of their inputs."""
        if self._writer is not None:
            stored = stored_rows(self.path)
        else:
            stored = [(frame.height, _given(frame)) for frame in self._frames]
        starts = np.cumsum([0, *(rows for rows, _ in stored)])
        return [self._numbered(int(start), rows, load) for start, (rows, load) in zip(starts, stored, strict=False)]

    def _numbered(self, start: int, rows: int, load: LoadRows) -> LoadRows:
        ends = np.cumsum([given.rows for given in self._inputs])

        def numbered() -> pl.DataFrame:
            numbers = np.arange(start, start + rows)
            inputs = np.searchsorted(ends, numbers, side="right")
            precedences = np.array([given.precedence for given in self._inputs])[inputs]
            return load().with_columns(pl.Series(PRECEDENCE, precedences), pl.Series(ROW_NUMBER, numbers))

        return numbered

    def close(self) -> None:
        """Closes a file that only a merge reads again."""
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
            raise ValueError("this buffer was not spilled")
        append = self._writer.append
        self.background.submit(lambda: append(frame))


def _given(frame: pl.DataFrame) -> LoadRows:
    return lambda: frame


def stored_rows(path: Path) -> list[tuple[int, LoadRows]]:
    """Returns the row groups of a Silver file: number of rows, and a function that reads them without the symbol."""
    metadata = pq.read_metadata(path)
    numbers = range(metadata.num_row_groups)
    return [(metadata.row_group(number).num_rows, _row_group(path, number)) for number in numbers]


def _row_group(path: Path, number: int) -> LoadRows:
    def read() -> pl.DataFrame:
        with pq.ParquetFile(path) as file:
            rows = pl.from_arrow(file.read_row_group(number))
        if not isinstance(rows, pl.DataFrame):
            raise TypeError("a table gives a frame")
        return rows.drop("symbol")

    return read
