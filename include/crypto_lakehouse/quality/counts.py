"""The expressions that count what is wrong in a block of rows, for the table of checks.

The module loads no engine when it is imported.
"""

from typing import TYPE_CHECKING

from crypto_lakehouse.expectations import Expectation
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.silver.row_rules import ROW_RULES, columns_of

if TYPE_CHECKING:
    import polars as pl

IS_NEW = "__is_new"
"""The column that is true for the rows of a block, and false for the row before the block."""

FUNDING_HOURS = (1, 2, 4, 8)
"""Hours between two payments that the exchange uses."""


def null_count(partition: Partition) -> "pl.Expr":
    """Returns the number of rows that have a null in a column that must not be null."""
    import polars as pl

    required = [column.name for column in partition.table.columns if not column.nullable]
    return _count(pl.any_horizontal(pl.col(required).is_null()))


def _count(condition: "pl.Expr") -> "pl.Expr":
    import polars as pl

    return (condition & pl.col(IS_NEW)).sum()


def repeated_keys(partition: Partition, _: Expectation) -> "pl.Expr":
    """Returns how many rows repeat the key of the row before."""
    import polars as pl

    return _count(pl.all_horizontal([key.eq_missing(key.shift()) for key in columns_of(partition.table.key)]))


def times_out_of_order(partition: Partition, _: Expectation) -> "pl.Expr":
    """Returns how many rows are older than the row before."""
    import polars as pl

    return _count(pl.col(partition.table.event_time).diff() < pl.duration())


def outside_partition(partition: Partition, _: Expectation) -> "pl.Expr":
    """Returns how many rows lie outside the days of the partition."""
    [time] = columns_of([partition.table.event_time])
    return _count((time < partition.start) | (time >= partition.end))


def wrong_close_times(partition: Partition, _: Expectation) -> "pl.Expr":
    """Returns how many close times are not the next open time minus one unit."""
    open_time, close_time = columns_of(["open_time", "close_time"])
    step = partition.interval.microseconds if partition.interval else None
    next_open = open_time.dt.offset_by("1mo" if step is None else f"{step}us")
    # A close time is inclusive: one unit, a millisecond or a microsecond, before the next open time.
    return _count(~(next_open - close_time).dt.total_microseconds().is_in([1, 1000]))


def breaking_rows(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many rows break a rule of a single row."""
    return _count(ROW_RULES[expectation.check].is_wrong(expectation).fill_null(value=False))


def not_increasing(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many identifiers are not above the one before."""
    return _count(columns_of(expectation.columns)[0].diff() <= 0)


def price_spikes(partition: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many prices moved by more than the factor of the limit."""
    import polars as pl

    price = pl.col(expectation.columns[0]).cast(pl.Float64)
    ratio = price / price.shift()
    spikes = (ratio > expectation.limit) | (ratio < 1 / expectation.limit)
    if {"high", "low"} <= {column.name for column in partition.table.columns}:
        high, low = pl.col("high").cast(pl.Float64), pl.col("low").cast(pl.Float64)
        spikes = spikes | (high > low * expectation.limit)
    return _count(spikes.fill_null(value=False))


def off_boundary(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many times are farther from their boundary than the limit."""
    time, boundary = columns_of(expectation.columns)
    return _count((time - boundary).dt.total_microseconds().abs() > expectation.limit * 1_000_000)


def unknown_funding_interval(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many intervals are none of the usual ones."""
    return _count(~columns_of(expectation.columns)[0].is_in(list(FUNDING_HOURS)))


def overlapping_ranges(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many rows begin with a trade that the row before has."""
    first, last = columns_of(expectation.columns)
    return _count(first <= last.shift())


def skipped_trades(_: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many trades lie between aggregates with consecutive identifiers."""
    import polars as pl

    identifier, first, last = columns_of(expectation.columns)
    skipped = first - last.shift() - 1
    return pl.when(pl.col(IS_NEW) & (identifier.diff() == 1) & (skipped > 0)).then(skipped).otherwise(0).sum()


def missing_bands(partition: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many bands of whole percents are missing in the snapshots of the block."""
    import polars as pl

    [time] = columns_of([partition.table.event_time])
    bands = _count(pl.col(expectation.columns[0]).abs().is_between(1, expectation.limit))
    snapshots = _count(time.ne_missing(time.shift()))
    # A block may begin within a snapshot: what one block has too much, the block before has too little.
    return 2 * int(expectation.limit) * snapshots.cast(pl.Int64) - bands.cast(pl.Int64)


def depth_decreases(partition: Partition, expectation: Expectation) -> "pl.Expr":
    """Returns how many bands have less than a narrower band of their side."""
    import polars as pl

    distance, *amounts = columns_of(expectation.columns)
    [time] = columns_of([partition.table.event_time])
    is_side = (time == time.shift()) & (distance.sign() == distance.shift().sign())
    # Bids ascend to the mid price, asks ascend from it.
    falls = [pl.when(distance < 0).then(one > one.shift()).otherwise(one < one.shift()) for one in amounts]
    return _count(is_side & pl.any_horizontal(falls))
