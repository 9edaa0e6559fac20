"""The order of rows, compared with plain Python."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.order import order_facts, own_key, sort_columns

KLINES = dataset("binance_um_klines")
TRADES = dataset("binance_um_agg_trades")
START = datetime(2024, 1, 1, tzinfo=UTC)


def times(seconds: list[int]) -> pl.Series:
    return pl.Series([START + timedelta(seconds=number) for number in seconds], dtype=pl.Datetime("us", "UTC"))


def test_the_symbol_is_no_part_of_the_key_within_a_partition() -> None:
    assert (own_key(KLINES), sort_columns(KLINES)) == (("open_time",), ("open_time",))
    assert (own_key(TRADES), sort_columns(TRADES)) == (("agg_trade_id",), ("transact_time", "agg_trade_id"))


@given(st.lists(st.integers(0, 6), max_size=6))
def test_rows_with_the_time_as_key_are_ordered_if_times_ascend(seconds: list[int]) -> None:
    facts = order_facts(pl.DataFrame({"open_time": times(seconds)}), KLINES)
    steps = list(pairwise(seconds))
    assert facts.is_ordered == all(earlier < later for earlier, later in steps)
    assert facts.inversions == sum(earlier > later for earlier, later in steps)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=6))
def test_rows_with_an_identifier_are_ordered_if_times_and_identifiers_ascend(rows: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(
        {"transact_time": times([row[0] for row in rows]), "agg_trade_id": [row[1] for row in rows]},
        schema_overrides={"agg_trade_id": pl.Int64},
    )
    facts = order_facts(frame, TRADES)
    steps = list(pairwise(rows))
    assert facts.is_ordered == all(earlier < later and earlier[1] < later[1] for earlier, later in steps)
    expected = sum(later[0] < earlier[0] or later[1] < earlier[1] for earlier, later in steps)
    assert facts.inversions == (0 if facts.is_ordered else expected)
