"""Small inputs of klines and trades, and partitions made of them."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import ConformOutcome, InputObject, conform
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval
from tests.archive_builder import archive_file, build_input, csv

SPOT_KLINES = "binance_spot_klines"
TRADES = "binance_spot_agg_trades"
MARCH = date(2024, 3, 1)
METRICS_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
)


def kline_input(day: str, rows: list[list[object]], folder: Path, **others: object) -> InputObject:
    """Returns a file of one-minute spot klines."""
    return build_input(archive_file(SPOT_KLINES, day, interval=Interval.M1, **others), csv(rows), folder)


def trades_input(day: str, rows: list[list[object]], folder: Path, **others: object) -> InputObject:
    """Returns a file of aggregated spot trades."""
    return build_input(archive_file(TRADES, day, **others), csv(rows), folder)


def build(name: str | Dataset, days: Sequence[date], inputs: Sequence[InputObject], folder: Path) -> ConformOutcome:
    """Conforms partitions of BTCUSDT that start on the given days; klines are of one minute."""
    table = dataset(name) if isinstance(name, str) else name
    interval = Interval.M1 if table.has_interval else None
    folder.mkdir(parents=True, exist_ok=True)
    partitions = [Partition(table, "BTCUSDT", day, interval) for day in days]
    return conform(table, partitions, inputs, folder, ConformSettings())
