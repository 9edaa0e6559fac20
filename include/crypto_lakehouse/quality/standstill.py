"""Values that stand still: hours in which a value that always moves has a single value."""

from dataclasses import dataclass, field

import polars as pl

from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import Partition

_ENOUGH_SAMPLES = 10
"""With fewer samples in an hour, one single value is no fault."""


@dataclass(slots=True)
class Standstill:
    """Collects the hourly extremes of a value per band while the rows of a partition pass by.

    Its size grows with the hours and bands of the partition, not with the rows.
    """

    partition: Partition
    _extremes: list[pl.DataFrame] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the next rows of the partition; does nothing where the table does not expect moving values."""
        for expectation in self.partition.table.expectations:
            if expectation.check is Check.NOT_STALE:
                band, value = expectation.columns
                hour = pl.col(self.partition.table.event_time).dt.truncate("1h")
                grouped = rows.group_by(hour.alias("hour"), pl.col(band).alias("band"))
                self._extremes.append(grouped.agg(low=pl.col(value).min(), high=pl.col(value).max(), samples=pl.len()))

    def hours(self) -> pl.DataFrame:
        """Returns the hours and bands that stand still, in order; columns `hour` and `band`."""
        if not self._extremes:
            return pl.DataFrame(schema={"hour": pl.Datetime("us", "UTC"), "band": pl.Float64})
        merged = pl.concat(self._extremes).group_by("hour", "band")
        hours = merged.agg(pl.col("low").min(), pl.col("high").max(), pl.col("samples").sum())
        is_still = (pl.col("low") == pl.col("high")) & (pl.col("samples") >= _ENOUGH_SAMPLES)
        return hours.filter(is_still).select("hour", "band").sort("hour", "band")
