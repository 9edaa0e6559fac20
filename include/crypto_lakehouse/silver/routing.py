"""Gives checked rows to the partitions that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.silver.buffers import InputRows
from crypto_lakehouse.silver.building import PartitionBuild, PartitionRows
from crypto_lakehouse.silver.inputs import Segment
from crypto_lakehouse.silver.order import order_facts
from crypto_lakehouse.silver.sniff import Sniffed
from crypto_lakehouse.spec import Dataset


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Silver rows that passed all checks.

    Args:
        frame: The rows, without the symbol.
        segments: Which inputs they come from, in order.
        units: The epoch unit of each segment.
        sniffed: The layout that all segments share.
    """

    frame: pl.DataFrame
    segments: tuple[Segment, ...]
    units: tuple[str, ...]
    sniffed: Sniffed


def split_by_series(rows: CheckedRows) -> list[CheckedRows]:
    """Returns the rows of many inputs by symbol and interval; the inputs are in that order already."""
    series, start, position = [], 0, 0
    for _, group in groupby(
        rows.segments, lambda segment: (segment.input.object.symbol, segment.input.object.interval)
    ):
        segments = tuple(group)
        count = sum(segment.rows for segment in segments)
        units = rows.units[position : position + len(segments)]
        series.append(CheckedRows(rows.frame.slice(start, count), segments, units, rows.sniffed))
        start, position = start + count, position + len(segments)
    return series


def route_whole(rows: CheckedRows, dataset: Dataset, builds: Sequence[PartitionBuild]) -> None:
    """Gives rows of inputs that were checked whole to the partitions of their symbol and interval."""
    if order_facts(rows.frame, dataset).is_ordered:
        _route_ordered(rows, dataset, builds)
        return
    start = 0
    for segment, unit in zip(rows.segments, rows.units, strict=True):
        frame = rows.frame.slice(start, segment.rows)
        start += segment.rows
        segment_rows = CheckedRows(frame, (segment,), (unit,), rows.sniffed)
        if order_facts(frame, dataset).is_ordered:
            _route_ordered(segment_rows, dataset, builds)
            continue
        for build, selected in _by_partition(frame, dataset, builds):
            build.append(_noted(build, selected, segment_rows))


def route_streamed(rows: CheckedRows, dataset: Dataset, builds: Sequence[PartitionBuild]) -> None:
    """Gives a block of one input that is still being read to its partitions, in buffers of its own."""
    input_object = rows.segments[0].input
    touched = []
    for build, selected in _by_partition(rows.frame, dataset, builds):
        build.append_streamed(_noted(build, selected, rows), input_object)
        touched.append(build)
    for build in builds:
        if all(build is not other for other in touched):
            build.pause(input_object)


def _noted(build: PartitionBuild, selected: pl.DataFrame, rows: CheckedRows) -> PartitionRows:
    """Returns the selected rows of one input for one partition, and notes in its manifest what the input gave."""
    input_object = rows.segments[0].input
    facts = order_facts(selected, build.partition.dataset)
    contribution = build.contribution(input_object)
    contribution.rows += selected.height
    contribution.inversions += facts.inversions
    contribution.unit, contribution.has_header = rows.units[0] or contribution.unit, rows.sniffed.has_header
    inputs = [InputRows(build.precedence(input_object), selected.height)]
    return PartitionRows(selected, inputs, facts.is_ordered)


def _by_partition(
    frame: pl.DataFrame, dataset: Dataset, builds: Sequence[PartitionBuild]
) -> list[tuple[PartitionBuild, pl.DataFrame]]:
    times = frame[dataset.event_time]
    if not frame.height:
        return []
    low, high = times.min(), times.max()
    selections = []
    for build in builds:
        start, end = build.partition.start, build.partition.end
        if high < start or low >= end:  # type: ignore[operator]
            continue
        is_whole = start <= low and high < end  # type: ignore[operator]
        selected = frame if is_whole else frame.filter((times >= start) & (times < end))
        if selected.height:
            selections.append((build, selected))
    return selections


def _route_ordered(rows: CheckedRows, dataset: Dataset, builds: Sequence[PartitionBuild]) -> None:
    """Cuts ordered rows at the partitions' bounds: one slice for each partition, from any number of inputs."""
    times = rows.frame[dataset.event_time].to_physical().to_numpy()
    ends = np.cumsum([segment.rows for segment in rows.segments])
    for build in builds:
        bounds = (microseconds(build.partition.start), microseconds(build.partition.end))
        start, end = (int(at) for at in np.searchsorted(times, bounds))
        inputs = _inputs_between(rows, ends, build, (start, end))
        if start < end:
            build.append(PartitionRows(rows.frame.slice(start, end - start), inputs, is_ordered=True))


def _inputs_between(
    rows: CheckedRows,
    ends: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    build: PartitionBuild,
    limits: tuple[int, int],
) -> list[InputRows]:
    """Returns which inputs the rows with numbers within the limits come from, and notes them in the manifest."""
    inputs = []
    first, last = np.searchsorted(ends, limits[0], side="right"), np.searchsorted(ends, limits[1], side="left")
    for number in range(int(first), min(int(last) + 1, len(rows.segments))):
        segment = rows.segments[number]
        count = min(int(ends[number]), limits[1]) - max(int(ends[number]) - segment.rows, limits[0])
        if count > 0:
            contribution = build.contribution(segment.input)
            contribution.rows += count
            contribution.unit, contribution.has_header = rows.units[number], rows.sniffed.has_header
            inputs.append(InputRows(build.precedence(segment.input), count))
    return inputs
