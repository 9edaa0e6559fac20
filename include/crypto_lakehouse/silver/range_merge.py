"""Merges runs that do not fit in memory: window by window over the values of one column."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from crypto_lakehouse.lake.partition_file import PartitionWriter
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.buffers import Piece, Run, stored_rows
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.merge import MergeCounts, merge_rows
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.spec import Dataset

ROWS_PER_RANGE = 500_000
"""Rows merged at once, about."""

_SAMPLE_EVERY = 256


def merge_runs(
    runs: Sequence[Run], inputs: Sequence[InputObject], writers: Iterator[PartitionWriter], background: Background
) -> tuple[PartitionWriter, MergeCounts, int]:
    """Returns a writer that is given all merged rows and still open, the counts of dropped rows, and of those written.

    Args:
        runs: The rows of one partition.
        inputs: The files, by place.
        writers: Gives new files of this partition.
        background: Does the writing.
    """
    dataset = runs[0].partition.dataset
    counts, rows, is_ascending, last = MergeCounts(), 0, True, None
    writer = next(writers)
    pieces = [piece for run in runs for piece in run.pieces()]
    for window in _windows(pieces, _merge_column(dataset)):
        merged, dropped = merge_rows(window, dataset, inputs)
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
    """Returns a writer given the same rows in order of time: identifiers and times did not ascend together."""
    background.drain()
    unsorted.close()
    for window in _windows([load for _, load in stored_rows(unsorted.path)], dataset.event_time):
        _append(background, writer, window.sort(sort_columns(dataset)))
    unsorted.path.unlink()
    return writer


def _merge_column(dataset: Dataset) -> str:
    key = own_key(dataset)
    return dataset.event_time if dataset.event_time in key else key[0]


def _windows(pieces: Sequence[Piece], column: str) -> Iterator[pl.DataFrame]:
    """Yields all rows in windows of ascending, disjoint ranges of `column`, each about `ROWS_PER_RANGE` long."""
    ranges, cuts = _cuts(pieces, column)
    bounds = [None, *cuts, None]
    for low, high in pairwise(bounds):
        found = [
            _within(load(), column, low, high)
            for load, (least, most) in zip(pieces, ranges, strict=True)
            if (high is None or least < high) and (low is None or most >= low)
        ]
        window = pl.concat(found) if found else None
        if window is not None and window.height:
            yield window


def _cuts(pieces: Sequence[Piece], column: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Returns the least and greatest value of each piece, and where windows of about equal length part."""
    ranges: list[tuple[int, int]] = []
    samples, total = [], 0
    for load in pieces:
        values = load()[column].cast(pl.Int64)
        ranges.append((values.min(), values.max()))  # type: ignore[arg-type]
        samples.append(values.gather_every(_SAMPLE_EVERY))
        total += len(values)
    ordered = pl.concat(samples).sort()
    count = -(-total // ROWS_PER_RANGE)
    return ranges, sorted({int(ordered[len(ordered) * number // count]) for number in range(1, count)})


def _within(piece: pl.DataFrame, column: str, low: int | None, high: int | None) -> pl.DataFrame:
    value = pl.col(column).cast(pl.Int64)
    tests = [value >= low] if low is not None else []
    tests += [value < high] if high is not None else []
    return piece.filter(*tests) if tests else piece
