"""What the rows of a partition tell about time: which grid points, hours, days and identifiers have rows."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from crypto_lakehouse.coverage.distances import Pauses, Payments
from crypto_lakehouse.coverage.grid import FixedGrid, Grid, Points, grid_of, learned_anchor
from crypto_lakehouse.coverage.holes import IdGaps, MissingSpan, covered_bounds, grid_points
from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME, Bounds, Lifetime, clipped
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.instants import DAY_US, HOUR_US
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.vocabulary import Interval

HOURS = FixedGrid(HOUR_US)
_IDENTIFIED = (Check.IDS_CONTIGUOUS, Check.IDS_INCREASING)


@dataclass(frozen=True, slots=True)
class SeriesEvidence:
    """What is known of a series beyond the rows of one partition.

    Args:
        lifetime: When it began and ended.
        anchor: An instant, in microseconds since the epoch, at which a candle of three days starts; None if unknown.
    """

    lifetime: Lifetime = UNKNOWN_LIFETIME
    anchor: int | None = None


NO_EVIDENCE = SeriesEvidence()


@dataclass(slots=True)
class RowTimes:
    """Collects times and identifiers while the rows of a partition pass by in order of time.

    Its size grows with the grid points and hours of the partition, not with the rows.

    Args:
        partition: The partition.
        covered: The covered spans of its manifest.
        evidence: What is known of its series.
    """

    partition: Partition
    covered: tuple[tuple[str, str], ...]
    evidence: SeriesEvidence = NO_EVIDENCE
    rows: int = 0
    """All rows so far."""
    rows_by_day: dict[int, int] = field(default_factory=dict)
    """Rows by day since the epoch."""
    id_gaps: IdGaps | None = None
    """Which identifiers there are, where the table has any that ascend."""
    _pauses: Pauses | None = None
    _payments: Payments | None = None
    _ends: Bounds | None = None
    _grid_times: list[Points] = field(default_factory=list)
    _hours: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        table = self.partition.table
        for check in _IDENTIFIED:
            rule = self._expectation(check)
            if rule is not None:
                self.id_gaps = IdGaps(rule.columns[0], table.event_time, check is Check.IDS_INCREASING)
        pause, payments = self._expectation(Check.NO_PAUSE), self._expectation(Check.PAYMENTS_COMPLETE)
        self._pauses = Pauses(int(pause.limit * 1_000_000)) if pause else None
        self._payments = Payments(payments.columns[0], table.event_time) if payments else None

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the next rows of the partition."""
        times = rows[self.partition.table.event_time].dt.epoch("us")
        if not rows.height:
            return
        self.rows += rows.height
        first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
        self._ends = (min(self._ends[0], first), max(self._ends[1], last)) if self._ends else (first, last)
        self._hours.update((times // HOUR_US).unique().to_list())
        for day, count in (times // DAY_US).value_counts().iter_rows():
            self.rows_by_day[day] = self.rows_by_day.get(day, 0) + count
        for collector in (self.id_gaps, self._payments):
            if collector is not None:
                collector.add(rows)
        if self._pauses is not None:
            self._pauses.add(times.to_numpy())
        if self.expects_grid or self._expectation(Check.ON_GRID) is not None:
            self._grid_times.append(_ascending(times.to_numpy()))

    @property
    def bounds(self) -> Bounds:
        """The lifetime of the series, as far as these rows and the evidence tell it."""
        return self.evidence.lifetime.bounds(*(self._ends or (None, None)))

    @property
    def spans(self) -> list[Bounds]:
        """The covered spans within the lifetime."""
        return clipped(covered_bounds(self.covered), self.bounds)

    @property
    def expects_grid(self) -> bool:
        """Whether the table expects a row at every point of a grid."""
        return self._expectation(Check.GRID_COMPLETE) is not None

    @property
    def grid(self) -> Grid | None:
        """The grid of the rows; None where the table has none."""
        rule = self._expectation(Check.GRID_COMPLETE)
        anchor = self.evidence.anchor
        if self.partition.interval is Interval.D3 and anchor is None:
            anchor = learned_anchor([int(time) for times in self._grid_times for time in times])
        return grid_of(self.partition, rule.limit if rule else 0.0, anchor)

    @property
    def expected_grid(self) -> Grid | None:
        """The grid, where the table expects a row at every point of it."""
        return self.grid if self.expects_grid else None

    @property
    def expects_every_hour(self) -> bool:
        """Whether the table expects rows in every hour of a busy stream."""
        return self._expectation(Check.HOURS_COVERED) is not None

    @property
    def longest_pause(self) -> int:
        """The longest time between two rows that the table allows in microseconds; 0 where it has no bound."""
        return self._pauses.limit if self._pauses else 0

    def expected_points(self) -> Points:
        """Returns the grid points that objects cover, ascending; none where no grid is expected."""
        grid = self.expected_grid
        return grid_points(self.spans, grid) if grid else np.empty(0, np.int64)

    def present_points(self) -> Points:
        """Returns the grid points that have a row, ascending."""
        grid, times = self.grid, _ascending(np.concatenate([np.empty(0, np.int64), *self._grid_times]))
        return times[grid.has(times)] if grid else np.empty(0, np.int64)

    def missing_points(self) -> Points:
        """Returns the grid points that objects cover and that have no row, ascending."""
        return np.setdiff1d(self.expected_points(), self.present_points(), assume_unique=True)

    def count_off_grid(self) -> int:
        """Returns how many distinct times are not on the grid."""
        grid, times = self.grid, np.concatenate([np.empty(0, np.int64), *self._grid_times])
        return int((~grid.has(times)).sum()) if grid else 0

    def missing_hours(self) -> Points:
        """Returns the starts of covered hours without a row, ascending; none where the stream is not busy."""
        rule = self._expectation(Check.HOURS_COVERED)
        if rule is None or self.rows < rule.limit * max(1, len(self._hours)):
            return np.empty(0, np.int64)
        whole = [HOURS.points(start, end - HOUR_US + 1) for start, end in self.spans]
        present = np.array(sorted(self._hours), np.int64) * HOUR_US
        return np.setdiff1d(np.concatenate([np.empty(0, np.int64), *whole]), present)

    def distance_holes(self) -> list[MissingSpan]:
        """Returns the holes that the distance of rows proves: pauses and payments."""
        collectors = [collector for collector in (self._pauses, self._payments) if collector is not None]
        return [hole for collector in collectors for hole in collector.holes(self.spans)]

    def _expectation(self, check: Check) -> Expectation | None:
        expectations = self.partition.table.expectations
        return next((expectation for expectation in expectations if expectation.check is check), None)


def _ascending(points: Points) -> Points:
    """Returns the points in order and each once. Rows come in order, so that this test is cheaper than a sort."""
    return points if bool((np.diff(points) > 0).all()) else np.unique(points)
