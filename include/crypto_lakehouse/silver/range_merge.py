"""Merges rows that do not fit in memory: one range of a key column after the other."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from crypto_lakehouse.lake.partition_file import PartitionWriter
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.buffers import LoadRows, RowBuffer, stored_rows
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.merge import MergeCounts, merge_rows
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.spec import Dataset

ROWS_PER_RANGE = 500_000
"""About how many rows are merged at once."""

_SAMPLE_EVERY = 256


def merge_buffers(
    buffers: Sequence[RowBuffer],
    inputs: Sequence[InputObject],
    writers: Iterator[PartitionWriter],
    background: Background,
) -> tuple[PartitionWriter, MergeCounts, int]:
    """Returns an open writer with all merged rows, the counts of dropped rows, and the number of rows written.

    Args:
        buffers: The rows of one partition.
        inputs: The inputs, by precedence.
        writers: Yields new files of this partition.
        background: The thread that writes.
    """
    dataset = buffers[0].partition.dataset
    counts, rows, is_ascending, last = MergeCounts(), 0, True, None
    writer = next(writers)
    loads = [load for buffer in buffers for load in buffer.loads()]
    for frame in _ranges(loads, _merge_column(dataset)):
        merged, dropped = merge_rows(frame, dataset, inputs)
        counts.add(dropped)
        _append(background, writer, merged)
        rows += merged.height
        order = merged.select(sort_columns(dataset))
        is_ascending = is_ascending and (last is None or list(order.row(0)) > list(last))
        last = order.row(-1)
    if is_ascending:
        return writer, counts, rows
    return _resorted(writer, next(writers), dataset, background), counts, rows


def _append(background: Background, writer: PartitionWriter, frame: pl.DataFrame) -> None:
    background.submit(lambda: writer.append(frame))


def _resorted(
    unsorted: PartitionWriter, writer: PartitionWriter, dataset: Dataset, background: Background
) -> PartitionWriter:
    """Returns a writer with the same rows in order of time, for identifiers and times that do not ascend together."""
    background.drain()
    unsorted.close()
    for frame in _ranges([load for _, load in stored_rows(unsorted.path)], dataset.event_time):
        _append(background, writer, frame.sort(sort_columns(dataset)))
    unsorted.path.unlink()
    return writer


def _merge_column(dataset: Dataset) -> str:
    key = own_key(dataset)
    return dataset.event_time if dataset.event_time in key else key[0]


def _ranges(loads: Sequence[LoadRows], column: str) -> Iterator[pl.DataFrame]:
    """Yields all rows by ascending, disjoint ranges of `column`, with about `ROWS_PER_RANGE` rows in each."""
    extremes, cuts = _cuts(loads, column)
    for low, high in pairwise([None, *cuts, None]):
        parts = [
            _between(load(), column, low, high)
            for load, (least, greatest) in zip(loads, extremes, strict=True)
            if (high is None or least < high) and (low is None or greatest >= low)
        ]
        frame = pl.concat(parts) if parts else None
        if frame is not None and frame.height:
            yield frame


def _cuts(loads: Sequence[LoadRows], column: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Returns the least and greatest value of each load, and the values that part ranges of about equal length."""
    extremes: list[tuple[int, int]] = []
    samples, total = [], 0
    for load in loads:
        values = load()[column].cast(pl.Int64)
        extremes.append((values.min(), values.max()))  # type: ignore[arg-type]
        samples.append(values.gather_every(_SAMPLE_EVERY))
        total += len(values)
    ordered = pl.concat(samples).sort()
    count = -(-total // ROWS_PER_RANGE)
    return extremes, sorted({int(ordered[len(ordered) * number // count]) for number in range(1, count)})


def _between(frame: pl.DataFrame, column: str, low: int | None, high: int | None) -> pl.DataFrame:
    value = pl.col(column).cast(pl.Int64)
    tests = [value >= low] if low is not None else []
    tests += [value < high] if high is not None else []
    return frame.filter(*tests) if tests else frame
