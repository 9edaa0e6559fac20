"""What the identifiers of neighbouring days prove: that nothing is missing between them, or how much is."""

from datetime import timedelta
from typing import Literal

import polars as pl

from crypto_lakehouse.coverage.queries import SERIES
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import DayCondition, Witness

IDENTIFIED = (Witness.IDS, Witness.IDS_WITH_HOLES)
"""The witnesses of rows whose identifiers ascend."""
FIRST_ID = 1
"""Identifiers of a symbol begin with 0 or 1."""
_MOMENT = "%Y-%m-%d %H:%M:%S"


def neighbours_by_id(days: pl.DataFrame) -> pl.DataFrame:
    """Returns the days that have identifiers, each with the columns of such a day before it in its series.

    The columns of the day before begin with an underscore. `skipped` is how many identifiers lie between the two days,
    and `between` how many days lie between them that objects cover.
    """
    ordered = days.sort(*SERIES, "day").with_columns(pl.int_range(pl.len()).over(SERIES).alias("place"))
    identified = ordered.filter(pl.col("first_id").is_not_null())
    before = [pl.col(name).shift(1).over(SERIES).alias(f"_{name}") for name in identified.columns if name not in SERIES]
    pairs = identified.with_columns(before).filter(pl.col("_day").is_not_null())
    return pairs.with_columns(
        (pl.col("first_id") - pl.col("_last_id") - 1).alias("skipped"),
        (pl.col("place") - pl.col("_place") - 1).alias("between"),
    )


def judged_by_ids(days: pl.DataFrame, logged: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Returns days as the identifiers before and after them prove them.

    Where identifiers go on without a gap, days between them are empty and nothing is missing. Where some are missing
    between two days, each of the two may lack them, and nothing proves that a day between them is empty.

    Args:
        days: The days, with the columns of the table `coverage`.
        logged: The days of the same series that the log has.
        table: Their table.
    """
    if table.witness not in IDENTIFIED:
        return days
    pairs = neighbours_by_id(logged)
    may_lack = pl.lit(value=table.witness is Witness.IDS) & (pl.col("_partition") != pl.col("partition"))
    times = (pl.col(name).dt.strftime(_MOMENT) for name in ("_last_at", "first_at"))
    gap = pl.format("{} ids are missing between {} and {}", "skipped", *times)
    proof = pl.format("no trades: the ids go on from {} to {}", "_last_id", "first_id")
    lacking = _spread(pairs.filter(may_lack & (pl.col("skipped") > 0)), gap.alias("_gap"), "both")
    is_apart = (pl.col("day") - pl.col("_day")) > timedelta(days=1)
    proven = _spread(pairs.filter(is_apart & (pl.col("skipped") == 0)), proof.alias("_proof"), "none")
    judged = days.join(lacking, on=[*SERIES, "day"], how="left").join(proven, on=[*SERIES, "day"], how="left")
    return judged.with_columns(_columns())


def _spread(pairs: pl.DataFrame, words: pl.Expr, closed: Literal["both", "none"]) -> pl.DataFrame:
    """Returns a row for each day of pairs, with or without the two days themselves, and the words about it."""
    spans = pairs.select(*SERIES, pl.date_ranges("_day", "day", closed=closed).alias("day"), words)
    rows = spans.explode("day", empty_as_null=False)
    return rows.group_by(*SERIES, "day").agg(pl.col(words.meta.output_name()).str.join("; "))


def _columns() -> list[pl.Expr]:
    is_empty, is_proven = pl.col("rows") == 0, pl.col("_proof").is_not_null() & (pl.col("rows") == 0)
    is_lacking = pl.col("_gap").is_not_null() & (pl.col("condition") == DayCondition.AVAILABLE.value)
    worse = pl.when(is_empty).then(pl.lit(DayCondition.MISSING.value)).otherwise(pl.lit(DayCondition.DEGRADED.value))
    condition = pl.when(is_proven).then(pl.lit(DayCondition.AVAILABLE.value)).when(is_lacking).then(worse)
    reasons = pl.concat_str(pl.col("reason").replace("", None), "_gap", separator="; ", ignore_nulls=True)
    return [
        condition.otherwise("condition").alias("condition"),
        pl.when(is_proven).then("_proof").otherwise(reasons).fill_null("").alias("reason"),
        pl.when(is_proven).then(0).otherwise("missing").alias("missing"),
    ]
