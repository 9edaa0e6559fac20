"""Which gaps are worth a run: gaps that upstream may have, and that no answer of the exchange covers yet."""

from datetime import timedelta

import polars as pl

from crypto_lakehouse.coverage.answers import Coverage
from crypto_lakehouse.coverage.day_table import coverage as coverage_days
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.vocabulary import DayCondition, Layer, ObjectForm, Source

_ANSWERS = [source.value for source in Source if source.form is ObjectForm.ANSWERS]


def fills(coverage: Coverage) -> list[Fill]:
    """Returns one run per dataset that has gaps which may be filled, in the order of the lake's datasets.

    Raises:
        LakehouseError: The lake did not answer.
    """
    # A mart has no source of its own: it is whole when its inputs are.
    live = [table.name for table in coverage.tables() if table.layer is Layer.SILVER and not table.ended]
    runs = (fill_of(name, fillable(coverage.table("gaps", name))) for name in live)
    return [run for run in runs if run is not None]


def fillable(gaps: pl.DataFrame) -> pl.DataFrame:
    """Returns the gaps that upstream is not known to lack and that no answer of the exchange covers."""
    return gaps.filter((pl.col("known") == "") & ~pl.col("sources").str.contains_any(_ANSWERS))


def doubtful_days(log: CoverageLog, selection: Selection) -> pl.DataFrame:
    """Returns the days of a selection of which something is missing and that no daily file covers yet.

    They have the columns `symbol`, `interval` and `first_day`. A monthly file is known to lack days that daily files
    have.
    """
    days = CoverageQuery(utc_now(), first_day=selection.first_day, last_day=selection.last_day)
    states = [DayCondition.MISSING.value, DayCondition.DEGRADED.value]
    lacking = coverage_days(log, selection.table, days).filter(
        pl.col("condition").is_in(states) & ~pl.col("sources").str.contains(Source.ARCHIVE_DAILY.value, literal=True)
    )
    return lacking.select("symbol", pl.col("kline_interval").fill_null("").alias("interval"), first_day="day")


def fill_of(dataset_name: str, gaps: pl.DataFrame) -> Fill | None:
    """Returns the run over all of a dataset's gaps, None where there are none."""
    if gaps.is_empty():
        return None
    # The end of a gap is the first instant after it.
    last = gaps.select((pl.col("end") - timedelta(microseconds=1)).max()).item()
    first = gaps.select(pl.col("start").min()).item()
    intervals = gaps["kline_interval"].drop_nulls().unique().sort().to_list()
    return Fill(dataset_name, tuple(gaps["symbol"].unique().sort()), tuple(intervals), first.date(), last.date())
