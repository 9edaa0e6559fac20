"""The first bad line of a refused block is found value by value."""

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.explain import first_bad_line

TRADES = dataset("binance_um_agg_trades")
LAYOUT = TRADES.layouts[0]
COLUMNS = {column.name: column for column in TRADES.columns}
GOOD = {"transact_time": b"1704067200000", "is_buyer_maker": b"true"}


def line(**values: bytes) -> bytes:
    return b",".join({**GOOD, **values}.get(name, b"1") for name in LAYOUT.columns) + b"\n"


@pytest.mark.parametrize("bad", [line(price=b"1.2.3"), line(price=b""), line(agg_trade_id=b"1.5"), b"1,2\n"])
@pytest.mark.parametrize("before", [0, 2])
def test_the_first_bad_line_is_named(bad: bytes, before: int) -> None:
    block = line() * before + bad + line() + bad
    assert first_bad_line(block, LAYOUT, COLUMNS, TRADES.time_encoding) == before + 1


def test_a_block_without_a_bad_line_names_none() -> None:
    assert first_bad_line(line() + line(price=b"1E-7"), LAYOUT, COLUMNS, TRADES.time_encoding) is None
