"""Sends checked rows to the partitions they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.silver.building import Building, Rows
from crypto_lakehouse.silver.inputs import InputObject, Segment
from crypto_lakehouse.silver.order import order_facts
from crypto_lakehouse.silver.sniff import Sniffed
from crypto_lakehouse.spec import Dataset


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Silver rows of files of one symbol and interval, with the unit found in each file."""

    frame: pl.DataFrame
    segments: tuple[Segment, ...]
    units: tuple[str, ...]
    sniffed: Sniffed


def split_by_series(rows: CheckedRows) -> list[CheckedRows]:
    """Returns the rows of many files by symbol and interval, for files given in that order."""
    found, start, position = [], 0, 0
    for _, group in groupby(rows.segments, lambda one: (one.input.object.symbol, one.input.object.interval)):
        segments = tuple(group)
        count = sum(one.rows for one in segments)
        units = rows.units[position : position + len(segments)]
        found.append(CheckedRows(rows.frame.slice(start, count), segments, units, rows.sniffed))
        start, position = start + count, position + len(segments)
    return found


def route_whole(rows: CheckedRows, dataset: Dataset, buildings: Sequence[Building]) -> None:
    """Gives rows of files that were checked whole to the partitions of their symbol and interval."""
    facts = order_facts(rows.frame, dataset)
    if facts.is_ordered:
        _route_ordered(rows, dataset, buildings)
        return
    start = 0
    for segment, unit in zip(rows.segments, rows.units, strict=True):
        own = rows.frame.slice(start, segment.rows)
        start += segment.rows
        one = CheckedRows(own, (segment,), (unit,), rows.sniffed)
        if order_facts(own, dataset).is_ordered:
            _route_ordered(one, dataset, buildings)
            continue
        for building, mine in _by_partition(own, dataset, buildings):
            building.append(_noted(building, mine, one, segment.input))


def route_streamed(rows: CheckedRows, dataset: Dataset, buildings: Sequence[Building]) -> None:
    """Gives a block of one file that is still being read to its partitions, in runs of its own."""
    one = rows.segments[0].input
    touched = []
    for building, mine in _by_partition(rows.frame, dataset, buildings):
        building.append_streamed(_noted(building, mine, rows, one), one)
        touched.append(building)
    for building in buildings:
        if all(building is not other for other in touched):
            building.rest(one)


def _noted(building: Building, mine: pl.DataFrame, rows: CheckedRows, one: InputObject) -> Rows:
    """Returns the rows of one file for one partition, noting in its manifest what the file gave."""
    facts = order_facts(mine, building.partition.dataset)
    gave = building.contribution(one)
    gave.rows += mine.height
    gave.inversions += facts.inversions
    gave.unit, gave.has_header = rows.units[0] or gave.unit, rows.sniffed.has_header
    return Rows(mine, [(building.place(one), mine.height)], facts.is_ordered)


def _by_partition(
    frame: pl.DataFrame, dataset: Dataset, buildings: Sequence[Building]
) -> list[tuple[Building, pl.DataFrame]]:
    times = frame[dataset.event_time]
    if not frame.height:
        return []
    low, high = times.min(), times.max()
    found = []
    for building in buildings:
        start, end = building.partition.start, building.partition.end
        if high < start or low >= end:  # type: ignore[operator]
            continue
        whole = start <= low and high < end  # type: ignore[operator]
        mine = frame if whole else frame.filter((times >= start) & (times < end))
        if mine.height:
            found.append((building, mine))
    return found


def _route_ordered(rows: CheckedRows, dataset: Dataset, buildings: Sequence[Building]) -> None:
    """Cuts ordered rows at the partitions' bounds: a slice each, whatever the number of files in it."""
    times = rows.frame[dataset.event_time].to_physical().to_numpy()
    ends = np.cumsum([one.rows for one in rows.segments])
    for building in buildings:
        span = (microseconds(building.partition.start), microseconds(building.partition.end))
        start, end = (int(at) for at in np.searchsorted(times, span))
        places = _places_between(rows, ends, building, (start, end))
        if start < end:
            building.append(Rows(rows.frame.slice(start, end - start), places, is_ordered=True))


def _places_between(
    rows: CheckedRows, ends: "np.ndarray[tuple[int], np.dtype[np.int64]]", building: Building, span: tuple[int, int]
) -> list[tuple[int, int]]:
    """Returns each file's place and its rows within the span, and notes them in the building's manifest."""
    places = []
    first, last = np.searchsorted(ends, span[0], side="right"), np.searchsorted(ends, span[1], side="left")
    for number in range(int(first), min(int(last) + 1, len(rows.segments))):
        segment = rows.segments[number]
        count = min(int(ends[number]), span[1]) - max(int(ends[number]) - segment.rows, span[0])
        if count > 0:
            gave = building.contribution(segment.input)
            gave.rows += count
            gave.unit, gave.has_header = rows.units[number], rows.sniffed.has_header
            places.append((building.place(segment.input), count))
    return places
