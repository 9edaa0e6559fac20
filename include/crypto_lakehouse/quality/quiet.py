"""Rows without a trade in a series that nearly always trades: a halt of the exchange, or trades that are lost."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import Partition

BUSY_SHARE = 0.01
"""A series is busy if at most this share of its rows has no trade."""

_MINUTE_US = 60_000_000
_SHORTEST = 3


@dataclass(slots=True)
class QuietRows:
    """Collects the rows of a partition that have no trade.

    Args:
        partition: The partition. Nothing is collected if its table has no such rule.
    """

    partition: Partition
    _rows: int = 0
    _quiet: "list[np.ndarray[Any, Any]]" = field(default_factory=list)

    def add(self, block: pl.DataFrame) -> None:
        """Adds the next rows of the partition."""
        rule = self._rule()
        if rule is None:
            return
        self._quiet.append(np.flatnonzero((block[rule.columns[0]] == 0).to_numpy()) + self._rows)
        self._rows += block.height

    def count(self) -> int:
        """Returns how many rows lie in long pauses, or 0 if the series is not busy."""
        rule, interval = self._rule(), self.partition.interval
        step = interval.microseconds if interval else None
        quiet = np.concatenate(self._quiet) if self._quiet else np.empty(0, np.int64)
        if rule is None or not step or not len(quiet) or len(quiet) > BUSY_SHARE * self._rows:
            return 0
        pauses = np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1)
        shortest = max(_SHORTEST, int(rule.limit * _MINUTE_US) // step)
        return sum(len(pause) for pause in pauses if len(pause) >= shortest)

    def _rule(self) -> Any:
        expectations = self.partition.table.expectations
        return next((rule for rule in expectations if rule.check is Check.BUSY_SERIES_TRADES), None)
