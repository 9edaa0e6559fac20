"""Field ids only ever grow: a column that files have keeps its id for good."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SpecificationError
from crypto_lakehouse.field_ids import extended_record, field_ids, parse_record, render_record
from crypto_lakehouse.marts import tables
from crypto_lakehouse.spec import Column, Table

KLINES = dataset("binance_um_klines")
EXTRA = replace(KLINES.column("quote_volume"), name="extra")
Columns = tuple[Column, ...]


def test_the_record_has_the_ids_of_every_table() -> None:
    record = parse_record((require_checkout() / "docs" / "field_ids.json").read_text(encoding="utf-8"))
    for table in tables():
        retired = {name: number for name, number in record[table.name].items() if number in table.retired_ids}
        assert record[table.name] == retired | field_ids(table)
        assert len(retired) == len(table.retired_ids)


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_ids_count_from_one_and_the_interval_that_files_do_not_have_comes_first(table: Table) -> None:
    ids = field_ids(table)
    assert sorted([*ids.values(), *table.retired_ids]) == list(range(1, len(ids) + len(table.retired_ids) + 1))
    assert ("kline_interval" in ids) == table.has_interval
    assert [name for name in ids if name != "kline_interval"] == [column.name for column in table.columns]


@pytest.mark.parametrize(
    ("change", "column", "now"),
    [
        (lambda columns: columns[:-1], "taker_buy_quote_volume", "none"),
        (lambda columns: columns[:8] + columns[9:], "quote_volume", "none"),
        (lambda columns: (*columns[:7], columns[8], columns[7], *columns[9:]), "close_time", "10"),
        (lambda columns: (*columns[:-1], EXTRA), "taker_buy_quote_volume", "none"),
        (lambda columns: (*columns[:-1], EXTRA, columns[-1]), "taker_buy_quote_volume", "14"),
    ],
    ids=["last removed", "middle removed", "two swapped", "renamed", "inserted"],
)
def test_a_change_of_an_id_in_use_is_refused(change: Callable[[Columns], Columns], column: str, now: str) -> None:
    changed = replace(KLINES, columns=change(KLINES.columns))
    assert changed.columns != KLINES.columns
    with pytest.raises(SpecificationError, match=rf"^binance_um_klines: column {column} has field id .* and {now} now"):
        extended_record({KLINES.name: field_ids(KLINES)}, [changed])


def test_a_column_at_the_end_gets_the_next_id_and_a_new_table_ids_of_its_own() -> None:
    longer = replace(KLINES, columns=(*KLINES.columns, EXTRA))
    trades = dataset("binance_um_agg_trades")
    record = extended_record({KLINES.name: field_ids(KLINES)}, [longer, trades])
    assert record == {KLINES.name: {**field_ids(KLINES), "extra": 14}, trades.name: field_ids(trades)}


def test_a_column_of_another_meaning_gets_a_new_id_and_the_old_one_is_never_used_again() -> None:
    renamed = replace(KLINES, columns=(*KLINES.columns[:-1], EXTRA), retired_ids=(13,))
    record = extended_record({KLINES.name: field_ids(KLINES)}, [renamed])[KLINES.name]
    assert (record["taker_buy_quote_volume"], record["extra"]) == (13, 14)
    assert extended_record({KLINES.name: record}, [renamed])[KLINES.name] == record
    assert list(record.values()) == sorted(record.values())


def test_a_table_that_is_gone_keeps_its_ids() -> None:
    assert extended_record({"gone": {"symbol": 1}}, [KLINES])["gone"] == {"symbol": 1}


def test_a_record_survives_its_file() -> None:
    record = {KLINES.name: field_ids(KLINES)}
    assert parse_record(render_record(record)) == record
