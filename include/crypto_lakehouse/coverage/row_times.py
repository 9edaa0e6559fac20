"""What the rows of a partition tell about time: which grid points, hours, days and identifiers have rows."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from crypto_lakehouse.coverage.grid import DAY_US, HOUR_US, grid_step
from crypto_lakehouse.coverage.holes import IdGaps, Points, covered_bounds, grid_points
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.spec import Check, Expectation

_BUSY_ROWS_PER_HOUR = 60
"""In a stream with this many rows an hour, an hour without rows is a fault."""


@dataclass(slots=True)
class RowTimes:
    """Collects times and identifiers while the rows of a partition pass by.

    Its size grows with the grid points and hours of the partition, not with the rows.

    Args:
        partition: The partition.
        covered: The covered spans of its manifest.
    """

    partition: Partition
    covered: tuple[tuple[str, str], ...]
    rows: int = 0
    """All rows so far."""
    rows_by_day: dict[int, int] = field(default_factory=dict)
    """Rows by day since the epoch."""
    id_gaps: IdGaps | None = None
    """The gaps between identifiers, where the table expects none."""
    _grid: list[Points] = field(default_factory=list)
    _hours: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        contiguous = self._expectation(Check.IDS_CONTIGUOUS)
        if contiguous is not None:
            self.id_gaps = IdGaps(contiguous.columns[0], self.partition.table.event_time)

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the next rows of the partition."""
        times = rows[self.partition.table.event_time].dt.epoch("us")
        self.rows += rows.height
        self._hours.update((times // HOUR_US).unique().to_list())
        for day, count in (times // DAY_US).value_counts().iter_rows():
            self.rows_by_day[day] = self.rows_by_day.get(day, 0) + count
        if self.id_gaps is not None:
            self.id_gaps.add(rows)
        if self.step:
            on_grid = times.filter(times % self.step == 0)
            self._grid.append(_ascending((on_grid // self.step).to_numpy()))

    @property
    def step(self) -> int:
        """The distance of the expected rows in microseconds, 0 where the table expects no grid."""
        expectation = self._expectation(Check.GRID_COMPLETE)
        return grid_step(self.partition, expectation.limit) if expectation else 0

    @property
    def expects_every_hour(self) -> bool:
        """Whether the table expects rows in every hour, and has no grid that is more precise."""
        return self._expectation(Check.HOURS_COVERED) is not None and not self.step

    def expected_points(self) -> Points:
        """Returns the numbers of the grid points that objects cover, ascending; there is a grid."""
        return grid_points(covered_bounds(self.covered), self.step)

    def present_points(self) -> Points:
        """Returns the numbers of the grid points that have a row, ascending."""
        return _ascending(np.concatenate([np.empty(0, np.int64), *self._grid]))

    def missing_points(self) -> Points:
        """Returns the numbers of the grid points that objects cover and that have no row, ascending."""
        return np.setdiff1d(self.expected_points(), self.present_points(), assume_unique=True)

    def missing_hours(self) -> list[int]:
        """Returns the covered hours without a row, as hours since the epoch; none where the stream is not busy."""
        if self.rows < _BUSY_ROWS_PER_HOUR * max(1, len(self._hours)):
            return []
        whole = (range(-(-start // HOUR_US), end // HOUR_US) for start, end in covered_bounds(self.covered))
        return sorted({hour for hours in whole for hour in hours} - self._hours)

    def _expectation(self, check: Check) -> Expectation | None:
        expectations = self.partition.table.expectations
        return next((expectation for expectation in expectations if expectation.check is check), None)


def _ascending(points: Points) -> Points:
    """Returns the points in order and each once. Rows come in order, so that this test is cheaper than a sort."""
    return points if bool((np.diff(points) > 0).all()) else np.unique(points)
