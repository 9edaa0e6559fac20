"""Facts about what should be there: grid points, hours, and values that stand still."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.quality.facts import grid_step
from crypto_lakehouse.spec import Check, Expectation

_HOUR_US = 3_600_000_000
_BUSY_ROWS_PER_HOUR = 60
"""A stream with this many rows an hour has an hour without any only if something is wrong."""

_STALE_SAMPLES = 10
"""Samples an hour must have before standing still means anything."""


@dataclass(slots=True)
class Cover:
    """Collects times, hours and hourly extremes while a partition's rows pass by; then says what is missing.

    What it holds grows with the partition's grid and hours, not with its rows.
    """

    partition: Partition
    covered: tuple[tuple[str, str], ...]
    _grid: list["np.ndarray[Any, Any]"] = field(default_factory=list)
    _hours: set[int] = field(default_factory=set)
    _extremes: list[pl.DataFrame] = field(default_factory=list)
    _rows: int = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Takes note of a stretch of rows."""
        times = rows[self.partition.dataset.event_time].dt.epoch("us")
        self._rows += rows.height
        self._hours.update((times // _HOUR_US).unique().to_list())
        step = self._step()
        if step:
            on_grid = times.filter(times % step == 0)
            self._grid.append(np.unique((on_grid // step).to_numpy()))
        stale = self._expectation(Check.NOT_STALE)
        if stale is not None:
            self._extremes.append(_hourly_extremes(rows, self.partition.dataset.event_time, stale))

    def facts(self) -> dict[str, Any]:
        """Returns the facts, and words about the first and longest hole."""
        return {**self._grid_facts(), **self._hour_facts(), **self._stale_facts()}

    def _expectation(self, check: Check) -> Expectation | None:
        return next((one for one in self.partition.dataset.expectations if one.check is check), None)

    def _step(self) -> int:
        expectation = self._expectation(Check.GRID_COMPLETE)
        return grid_step(self.partition, expectation.limit) if expectation else 0

    def _grid_facts(self) -> dict[str, Any]:
        step = self._step()
        if not step:
            return {"grid_missing": 0, "grid_expected": 0, "grid_longest_hole": 0, "grid_first_missing": ""}
        expected = _points(self.covered, step)
        present = np.concatenate(self._grid) if self._grid else np.empty(0, int)
        missing = np.setdiff1d(expected, present)
        return {
            "grid_missing": len(missing),
            "grid_expected": len(expected),
            "grid_longest_hole": _longest_run(missing),
            "grid_first_missing": _instant(int(missing[0]) * step) if len(missing) else "",
        }

    def _hour_facts(self) -> dict[str, Any]:
        missing = sorted(set(_whole_hours(self.covered)) - self._hours)
        busy = self._rows >= _BUSY_ROWS_PER_HOUR * max(1, len(self._hours))
        first = _instant(missing[0] * _HOUR_US) if missing and busy else ""
        return {"hours_missing": len(missing) if busy else 0, "hours_first_missing": first}

    def _stale_facts(self) -> dict[str, Any]:
        if not self._extremes:
            return {"hours_stale": 0, "hours_first_stale": ""}
        merged = pl.concat(self._extremes).group_by("hour", "band")
        hours = merged.agg(pl.col("low").min(), pl.col("high").max(), pl.col("samples").sum())
        stale = hours.filter((pl.col("low") == pl.col("high")) & (pl.col("samples") >= _STALE_SAMPLES)).sort(
            "hour", "band"
        )
        first = f"{stale['hour'][0]:%Y-%m-%dT%H:00Z} in band {stale['band'][0]}" if stale.height else ""
        return {"hours_stale": stale.height, "hours_first_stale": first}


def _bounds(covered: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Returns the stretches in microseconds since the epoch."""
    return [
        (microseconds(datetime.fromisoformat(start)), microseconds(datetime.fromisoformat(end)))
        for start, end in covered
    ]


def _points(covered: Iterable[tuple[str, str]], step: int) -> "np.ndarray[Any, Any]":
    """Returns the numbers of the grid points within the stretches."""
    # -(-a // b) rounds up: a stretch may start between two points.
    stretches = [np.arange(-(-start // step), -(-end // step)) for start, end in _bounds(covered)]
    return np.concatenate([*stretches, np.empty(0, np.int64)])


def _whole_hours(covered: Iterable[tuple[str, str]]) -> list[int]:
    return [hour for start, end in _bounds(covered) for hour in range(-(-start // _HOUR_US), end // _HOUR_US)]


def _longest_run(points: "np.ndarray[Any, Any]") -> int:
    if not len(points):
        return 0
    breaks = np.flatnonzero(np.diff(points) != 1)
    edges = np.concatenate(([-1], breaks, [len(points) - 1]))
    return int(np.max(np.diff(edges)))


def _instant(microseconds: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds):%Y-%m-%dT%H:%M:%SZ}"


def _hourly_extremes(rows: pl.DataFrame, time: str, expectation: Expectation) -> pl.DataFrame:
    band, value = expectation.columns
    grouped = rows.group_by(pl.col(time).dt.truncate("1h").alias("hour"), pl.col(band).alias("band"))
    return grouped.agg(low=pl.col(value).min(), high=pl.col(value).max(), samples=pl.len())
