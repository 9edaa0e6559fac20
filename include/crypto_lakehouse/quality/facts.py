"""How each check of the table becomes facts: sums and extremes over the rows of a partition, exact and mergeable.

A fact is an expression over a stretch of sorted rows, with the last row of the stretch before put in front, so that
neighbours are compared across stretches too; `_IS_NEW` tells the rows that count. Facts of all stretches are merged by
addition or maximum: memory is bounded by a stretch, and the result is that of the whole partition.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from crypto_lakehouse.coverage.cover import grid_step
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.spec import Check, Dataset, Expectation

IS_NEW = "__is_new"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its column in the profile, how it is computed, and whether stretches add up or the largest counts."""

    name: str
    expression: pl.Expr
    is_maximum: bool = False


FactMaker = Callable[[Partition, Expectation], Fact]


def row_facts(partition: Partition) -> list[Fact]:
    """Returns the facts of a partition that rows and their neighbours decide, those of every check once."""
    facts = [_nulls(partition.dataset)]
    for expectation in partition.dataset.expectations:
        maker = _MAKERS.get(expectation.check)
        if maker is not None:
            facts.append(maker(partition, expectation))
    return facts


def _count(condition: pl.Expr) -> pl.Expr:
    return (condition & pl.col(IS_NEW)).sum()


def _nulls(dataset: Dataset) -> Fact:
    required = [column.name for column in dataset.columns if not column.nullable]
    return Fact("nulls", _count(pl.any_horizontal(pl.col(required).is_null())))


def _key_duplicates(partition: Partition, _: Expectation) -> Fact:
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in partition.dataset.key)
    return Fact("key_duplicates", _count(same))


def _order_violations(partition: Partition, _: Expectation) -> Fact:
    return Fact("order_violations", _count(pl.col(partition.dataset.event_time).diff() < pl.duration()))


def _outside_partition(partition: Partition, _: Expectation) -> Fact:
    time = pl.col(partition.dataset.event_time)
    return Fact("rows_outside_partition", _count((time < partition.start) | (time >= partition.end)))


def _off_grid(partition: Partition, _: Expectation) -> Fact:
    step = grid_step(partition)
    time = pl.col(partition.dataset.event_time).dt.epoch("us")
    return Fact("rows_off_grid", _count(time % step != 0 if step else pl.lit(False)))


def _close_time(partition: Partition, _: Expectation) -> Fact:
    step = partition.interval.microseconds if partition.interval else None
    if step is None:
        return Fact("close_times_wrong", _count(pl.lit(False)))
    # A close time is inclusive: one unit, a millisecond or a microsecond, before the next open.
    length = (pl.col("close_time") - pl.col("open_time")).dt.total_microseconds()
    return Fact("close_times_wrong", _count(~length.is_in([step - 1, step - 1000])))


def _ohlc_violations(_: Partition, __: Expectation) -> Fact:
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    wrong = (pl.col("high") < top) | (pl.col("low") > bottom)
    return Fact("ohlc_violations", _count(wrong))


def _not_positive(_: Partition, expectation: Expectation) -> Fact:
    return Fact("prices_not_positive", _count(pl.any_horizontal(pl.col(list(expectation.columns)) <= 0)))


def _negative(_: Partition, expectation: Expectation) -> Fact:
    return Fact("quantities_negative", _count(pl.any_horizontal(pl.col(list(expectation.columns)) < 0)))


def _taker_above_total(_: Partition, expectation: Expectation) -> Fact:
    taker, total = expectation.columns
    return Fact("taker_above_total", _count(pl.col(taker) > pl.col(total)))


def _ids_missing(_: Partition, expectation: Expectation) -> Fact:
    step = pl.col(expectation.columns[0]).diff()
    missing = pl.when(pl.col(IS_NEW) & (step > 1)).then(step - 1).otherwise(0).sum()
    return Fact("ids_missing", missing)


def _ids_descending(_: Partition, expectation: Expectation) -> Fact:
    return Fact("ids_not_increasing", _count(pl.col(expectation.columns[0]).diff() <= 0))


def _price_spikes(partition: Partition, expectation: Expectation) -> Fact:
    price = pl.col(expectation.columns[0]).cast(pl.Float64)
    ratio = price / price.shift()
    jumps = (ratio > expectation.limit) | (ratio < 1 / expectation.limit)
    if {"high", "low"} <= {column.name for column in partition.dataset.columns}:
        high, low = pl.col("high").cast(pl.Float64), pl.col("low").cast(pl.Float64)
        jumps = jumps | (high > low * expectation.limit)
    return Fact("price_spikes", _count(jumps.fill_null(value=False)))


def _crossed(_: Partition, expectation: Expectation) -> Fact:
    bid, ask = expectation.columns
    return Fact("spreads_crossed", _count(pl.col(bid) > pl.col(ask)))


def _off_boundary(_: Partition, expectation: Expectation) -> Fact:
    stamp, boundary = expectation.columns
    distance = (pl.col(stamp) - pl.col(boundary)).dt.total_microseconds().abs()
    return Fact("fundings_off_boundary", _count(distance > expectation.limit * 1_000_000))


def _unknown_interval(_: Partition, expectation: Expectation) -> Fact:
    return Fact("funding_intervals_unknown", _count(~pl.col(expectation.columns[0]).is_in([1, 2, 4, 8])))


_MAKERS: dict[Check, FactMaker] = {
    Check.KEY_UNIQUE: _key_duplicates,
    Check.TIME_ORDERED: _order_violations,
    Check.WITHIN_PARTITION: _outside_partition,
    Check.ON_GRID: _off_grid,
    Check.CLOSE_TIME: _close_time,
    Check.OHLC_ORDERED: _ohlc_violations,
    Check.PRICES_POSITIVE: _not_positive,
    Check.QUANTITIES_NOT_NEGATIVE: _negative,
    Check.TAKER_WITHIN_TOTAL: _taker_above_total,
    Check.IDS_CONTIGUOUS: _ids_missing,
    Check.IDS_INCREASING: _ids_descending,
    Check.NO_PRICE_SPIKE: _price_spikes,
    Check.SPREAD_NOT_NEGATIVE: _crossed,
    Check.FUNDING_ON_BOUNDARY: _off_boundary,
    Check.FUNDING_INTERVAL_KNOWN: _unknown_interval,
}

FACT_OF_CHECK: dict[Check, str] = {
    Check.KEY_UNIQUE: "key_duplicates",
    Check.TIME_ORDERED: "order_violations",
    Check.WITHIN_PARTITION: "rows_outside_partition",
    Check.GRID_COMPLETE: "grid_missing",
    Check.ON_GRID: "rows_off_grid",
    Check.CLOSE_TIME: "close_times_wrong",
    Check.OHLC_ORDERED: "ohlc_violations",
    Check.PRICES_POSITIVE: "prices_not_positive",
    Check.QUANTITIES_NOT_NEGATIVE: "quantities_negative",
    Check.TAKER_WITHIN_TOTAL: "taker_above_total",
    Check.IDS_CONTIGUOUS: "ids_missing",
    Check.IDS_INCREASING: "ids_not_increasing",
    Check.NO_PRICE_SPIKE: "price_spikes",
    Check.NOT_STALE: "hours_stale",
    Check.HOURS_COVERED: "hours_missing",
    Check.SPREAD_NOT_NEGATIVE: "spreads_crossed",
    Check.FUNDING_ON_BOUNDARY: "fundings_off_boundary",
    Check.FUNDING_INTERVAL_KNOWN: "funding_intervals_unknown",
}
"""The profile column that each check is judged by; each counts what is wrong, so 0 is good."""
