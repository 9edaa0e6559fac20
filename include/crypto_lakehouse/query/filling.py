"""Which gaps are worth a run: what upstream is not known to lack, and the exchange was not asked for in vain."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.query.lake import Lake
from crypto_lakehouse.vocabulary import Source


@dataclass(frozen=True, slots=True)
class Fill:
    """A run that may fill gaps of a dataset: the series and days to look at, both days inclusive."""

    dataset: str
    symbols: tuple[str, ...]
    intervals: tuple[str, ...]
    first_day: date
    last_day: date


def fills(lake: Lake) -> list[Fill]:
    """Returns a run for each dataset that has gaps which may be filled, by dataset.

    Raises:
        LakehouseError: The lake did not answer.
    """
    found = [fill_of(name, worth_asking(lake.gaps(name))) for name in lake.datasets() if not dataset_row(name).ended]
    return [one for one in found if one is not None]


def worth_asking(gaps: pl.DataFrame) -> pl.DataFrame:
    """Returns the gaps that upstream is not known to have and that no answer of the exchange covers."""
    return gaps.filter((pl.col("known") == "") & ~pl.col("sources").str.contains(Source.REST.value, literal=True))


def fill_of(dataset: str, gaps: pl.DataFrame) -> Fill | None:
    """Returns the run over all of a dataset's gaps, None where there are none."""
    if gaps.is_empty():
        return None
    # An end is the first instant past its gap.
    last = gaps.select((pl.col("end") - timedelta(microseconds=1)).max()).item()
    first = gaps.select(pl.col("start").min()).item()
    intervals = gaps["kline_interval"].drop_nulls().unique().sort().to_list()
    return Fill(dataset, tuple(gaps["symbol"].unique().sort()), tuple(intervals), first.date(), last.date())
