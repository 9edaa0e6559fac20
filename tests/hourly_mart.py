"""A tiny mart of the tests' own: hourly closes beside the open interest of their hour, with a return over three rows.

It reads two inputs, one of them with lookback, and has monthly partitions: what a real mart needs of the machinery.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.marts import MARTS
from crypto_lakehouse.spec import Column, Derivation, Mart, MartInput
from crypto_lakehouse.vocabulary import Interval, LogicalType, PartitionSpan

KLINES, METRICS = "binance_um_klines", "binance_um_metrics"
LOOKBACK_ROWS = 3

HOURLY_MART = Mart(
    name="test_hourly_interest",
    columns=(
        Column("symbol", LogicalType.STRING, "text", "The raw symbol.", derivation=Derivation.OBJECT_SYMBOL),
        Column("open_time", LogicalType.TIMESTAMP, "us since epoch", "Start of the hour.", formula="the kline's"),
        Column("available_time", LogicalType.TIMESTAMP, "us since epoch", "End of the hour.", formula="start + 1 h"),
        Column("close", LogicalType.PRICE, "quote per base", "Close of the hour.", formula="the kline's"),
        Column("open_interest", LogicalType.VALUE, "base", "Last one of the hour.", formula="max stamp", nullable=True),
        Column(
            "return_3", LogicalType.FLOAT, "1", "Return over three rows.", formula="close / close 3 - 1", nullable=True
        ),
    ),
    key=("open_time",),
    event_time="open_time",
    available_time="available_time",
    span=PartitionSpan.MONTH,
    expectations=(
        Expectation(Check.KEY_UNIQUE),
        Expectation(Check.TIME_ORDERED),
        Expectation(Check.WITHIN_PARTITION),
        Expectation(Check.PRICES_POSITIVE, ("close",)),
    ),
    description="Hourly closes with open interest, for the tests",
    inputs=(
        MartInput(KLINES, ("close",), Interval.H1, lookback_rows=LOOKBACK_ROWS, lookback_days=2),
        MartInput(METRICS, ("period_start", "open_interest")),
    ),
    function="tests.hourly_mart:hourly_interest",
)


def hourly_interest(frames: Mapping[str, pl.DataFrame], _: Partition) -> pl.DataFrame:
    """Returns the mart's rows, those of the lookback among them."""
    interest = (
        frames[METRICS]
        .group_by(pl.col("period_start").dt.truncate("1h").alias("open_time"))
        .agg(pl.col("open_interest").sort_by("period_start").last())
    )
    close = pl.col("close").cast(pl.Float64)
    rows = frames[KLINES].join(interest, on="open_time", how="left", maintain_order="left")
    return rows.select(
        "open_time",
        (pl.col("open_time") + pl.duration(hours=1)).alias("available_time"),
        "close",
        "open_interest",
        (close / close.shift(LOOKBACK_ROWS) - 1).alias("return_3"),
    )


@contextmanager
def registered(mart: Mart = HOURLY_MART) -> Iterator[Mart]:
    """Puts the mart into the table of marts for a while."""
    before = dict(MARTS)
    MARTS[mart.name] = mart
    try:
        yield mart
    finally:
        MARTS.clear()
        MARTS.update(before)
