"""Facts about what should be there: grid points, hours, and values that stand still."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.coverage.holes import DAY_US, HOUR_US, IdGaps, Points, bounds, grid_points
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.spec import Check, Expectation
from crypto_lakehouse.vocabulary import Interval

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
    rows_by_day: dict[int, int] = field(default_factory=dict)
    """Rows by day since the epoch."""
    id_gaps: IdGaps | None = None
    _grid: list["np.ndarray[Any, Any]"] = field(default_factory=list)
    _hours: set[int] = field(default_factory=set)
    _extremes: list[pl.DataFrame] = field(default_factory=list)
    _rows: int = 0

    def __post_init__(self) -> None:
        contiguous = self._expectation(Check.IDS_CONTIGUOUS)
        if contiguous is not None:
            self.id_gaps = IdGaps(contiguous.columns[0], self.partition.dataset.event_time)

    def add(self, rows: pl.DataFrame) -> None:
        """Takes note of a stretch of rows."""
        times = rows[self.partition.dataset.event_time].dt.epoch("us")
        self._rows += rows.height
        self._hours.update((times // HOUR_US).unique().to_list())
        for day, count in (times // DAY_US).value_counts().iter_rows():
            self.rows_by_day[day] = self.rows_by_day.get(day, 0) + count
        if self.id_gaps is not None:
            self.id_gaps.add(rows)
        if self.step:
            on_grid = times.filter(times % self.step == 0)
            self._grid.append(_ascending((on_grid // self.step).to_numpy()))
        stale = self._expectation(Check.NOT_STALE)
        if stale is not None:
            self._extremes.append(_hourly_extremes(rows, self.partition.dataset.event_time, stale))

    def facts(self) -> dict[str, Any]:
        """Returns the facts, and words about the first and longest hole."""
        return {**self._grid_facts(), **self._hour_facts(), **self._stale_facts()}

    def _expectation(self, check: Check) -> Expectation | None:
        return next((one for one in self.partition.dataset.expectations if one.check is check), None)

    @property
    def step(self) -> int:
        """The distance of the partition's rows in microseconds, 0 where none is called for."""
        expectation = self._expectation(Check.GRID_COMPLETE)
        return grid_step(self.partition, expectation.limit) if expectation else 0

    @property
    def has_busy_hours(self) -> bool:
        """Whether hours without rows are something to be said of the dataset: it has no grid that says more."""
        return self._expectation(Check.HOURS_COVERED) is not None and not self.step

    def present(self) -> Points:
        """Returns the numbers of the grid points that have a row, ascending."""
        return _ascending(np.concatenate([np.empty(0, np.int64), *self._grid]))

    def missing_points(self) -> Points:
        """Returns the numbers of the grid points that objects cover and that have no row, ascending."""
        return np.setdiff1d(grid_points(bounds(self.covered), self.step), self.present(), assume_unique=True)

    def missing_hours(self) -> list[int]:
        """Returns the covered hours without a row, as hours since the epoch, where the stream is a busy one."""
        if self._rows < _BUSY_ROWS_PER_HOUR * max(1, len(self._hours)):
            return []
        whole = (range(-(-start // HOUR_US), end // HOUR_US) for start, end in bounds(self.covered))
        return sorted({hour for hours in whole for hour in hours} - self._hours)

    def _grid_facts(self) -> dict[str, Any]:
        if not self.step:
            return {"grid_missing": 0, "grid_expected": 0, "grid_longest_hole": 0, "grid_first_missing": ""}
        missing = self.missing_points()
        return {
            "grid_missing": len(missing),
            "grid_expected": len(grid_points(bounds(self.covered), self.step)),
            "grid_longest_hole": _longest_run(missing),
            "grid_first_missing": _instant(int(missing[0]) * self.step) if len(missing) else "",
        }

    def _hour_facts(self) -> dict[str, Any]:
        missing = self.missing_hours()
        first = _instant(missing[0] * HOUR_US) if missing else ""
        return {"hours_missing": len(missing), "hours_first_missing": first}

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


def grid_step(partition: Partition, limit_seconds: float = 0.0) -> int:
    """Returns the distance of a partition's rows in microseconds, 0 where it has no fixed grid.

    Klines of more than a day start on days that depend on the interval, not on the epoch; they have no grid here.
    """
    if limit_seconds:
        return int(limit_seconds * 1_000_000)
    step = partition.interval.microseconds if partition.interval else None
    longest = Interval.D1.microseconds or 0
    return step if step is not None and step <= longest else 0


def _ascending(points: Points) -> Points:
    """Returns the points in order and each once; looking is cheap where rows come in order, as they do."""
    return points if bool((np.diff(points) > 0).all()) else np.unique(points)


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
