"""The order of Silver rows, and what counts as an inversion."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.integers(0, 6), max_size=6))
def test_rows_with_the_time_as_key_are_ordered_if_times_ascend(minutes: list[int]) -> None:
    facts = order_facts(candles(*minutes), CANDLES)
    steps = list(pairwise(minutes))
    assert facts.is_ordered == all(earlier < later for earlier, later in steps)
    assert facts.inversions == sum(earlier > later for earlier, later in steps)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=6))
def test_rows_with_an_identifier_are_ordered_if_times_and_identifiers_ascend(rows: list[tuple[int, int]]) -> None:
    facts = order_facts(trades(*rows), TRADES)
    steps = list(pairwise(rows))
    assert facts.is_ordered == all(earlier < later and earlier[1] < later[1] for earlier, later in steps)
    expected = sum(later[0] < earlier[0] or later[1] < earlier[1] for earlier, later in steps)
    assert facts.inversions == (0 if facts.is_ordered else expected)
