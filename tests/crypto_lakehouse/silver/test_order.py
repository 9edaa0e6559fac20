"""The order of Silver rows, and what counts as an inversion."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.order import OrderFacts, order_facts, own_key, sort_columns
from crypto_lakehouse.spec import Dataset

START = datetime(2025, 1, 1, tzinfo=UTC)
CANDLES, TRADES = dataset("binance_um_klines"), dataset("binance_um_agg_trades")


def candles(*minutes: int) -> pl.DataFrame:
    return pl.DataFrame({CANDLES.event_time: [START + timedelta(minutes=minute) for minute in minutes]})


def trades(*pairs: tuple[int, int]) -> pl.DataFrame:
    """Rows of (second, identifier)."""
    times = [START + timedelta(seconds=second) for second, _ in pairs]
    return pl.DataFrame({TRADES.event_time: times, "agg_trade_id": [identifier for _, identifier in pairs]})


def test_the_key_within_a_partition_leaves_the_symbol_out() -> None:
    assert own_key(TRADES) == ("agg_trade_id",)
    assert sort_columns(TRADES) == (TRADES.event_time, "agg_trade_id")


@pytest.mark.parametrize(
    ("table", "rows", "expected"),
    [
        (CANDLES, candles(), OrderFacts(True, 0)),
        (CANDLES, candles(5), OrderFacts(True, 0)),
        (CANDLES, candles(0, 1, 2), OrderFacts(True, 0)),
        (CANDLES, candles(0, 1, 1), OrderFacts(False, 0)),
        (CANDLES, candles(0, 2, 1, 3), OrderFacts(False, 1)),
        (TRADES, trades((0, 1), (0, 2), (1, 3)), OrderFacts(True, 0)),
        (TRADES, trades((0, 2), (0, 1)), OrderFacts(False, 1)),
        (TRADES, trades((0, 1), (1, 1)), OrderFacts(False, 0)),
        (TRADES, trades((1, 1), (0, 2)), OrderFacts(False, 1)),
    ],
    ids=[
        "empty",
        "one row",
        "ascending",
        "a duplicate",
        "one back",
        "one time",
        "ids back",
        "an id twice",
        "time back",
    ],
)
def test_order_and_inversions(table: Dataset, rows: pl.DataFrame, expected: OrderFacts) -> None:
    assert order_facts(rows, table) == expected
