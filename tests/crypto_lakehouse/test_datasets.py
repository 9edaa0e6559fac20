"""The table is whole, and its rows agree with themselves."""

import re
import subprocess
import sys

import pytest

from crypto_lakehouse.columns import SYMBOL
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.endpoints.spec import RestShape
from crypto_lakehouse.errors import InvalidRequest, SpecificationError
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.schedule import DAILY_CRON, FREQUENT_CRON, cron
from crypto_lakehouse.spec import Column, Dataset, Derivation
from crypto_lakehouse.vocabulary import DataType, Exchange, Frequency, Interval, LogicalType, Market

EVERY = pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)


def test_there_are_31_datasets_with_31_names() -> None:
    assert len({row.name for row in DATASETS}) == len(DATASETS) == 31


def test_each_market_has_the_types_that_its_archive_has() -> None:
    count = {market: sum(row.market is market for row in DATASETS if row.frequencies) for market in Market}
    assert count == {Market.SPOT: 3, Market.UM: 11, Market.CM: 11, Market.OPTION: 2}
    assert {row.data_type for row in DATASETS} == set(DataType)


def test_a_dataset_without_archive_can_be_asked_for_and_has_a_schedule_its_reach_allows() -> None:
    asked = [row for row in DATASETS if not row.frequencies]
    assert [row.name for row in asked] == [
        *("coinbase_spot_klines", "coinbase_spot_trades"),
        *("kraken_spot_klines", "kraken_spot_trades"),
    ]
    assert all(row.rest for row in asked)
    assert {row.name: cron(row) for row in asked if cron(row) != DAILY_CRON} == {"kraken_spot_klines": FREQUENT_CRON}


def test_each_exchange_is_in_the_table_and_can_be_asked() -> None:
    from crypto_lakehouse.exchange.venues import VENUES

    assert {row.exchange for row in DATASETS} == set(Exchange) == set(VENUES)


@EVERY
def test_what_is_asked_for_names_fields_of_the_layout(row: Dataset) -> None:
    if row.rest is None or row.rest.shape is not RestShape.OBJECTS:
        return
    width = len(row.layouts[0].columns)
    assert len(row.rest.fields) == width
    assert row.rest.endpoints[0].time in row.rest.fields
    assert row.rest.flag is None or row.rest.flag.member in row.rest.fields


@EVERY
def test_a_name_is_derived_and_finds_its_row(row: Dataset) -> None:
    assert re.fullmatch(r"(binance_(spot|um|cm|option)|coinbase_spot|kraken_spot)_[a-z_]+", row.name)
    assert dataset(row.name) is row


@EVERY
def test_the_event_time_is_an_instant_and_key_columns_are_never_empty(row: Dataset) -> None:
    assert row.column(row.event_time).type is LogicalType.TIMESTAMP
    assert not [name for name in row.key if row.column(name).nullable]


@EVERY
def test_the_symbol_comes_first_and_from_the_archive_key(row: Dataset) -> None:
    assert row.columns[0].name == SYMBOL.name
    assert row.columns[0].derivation is Derivation.OBJECT_SYMBOL


@EVERY
def test_no_column_shadows_a_partition_key_or_a_hive_name(row: Dataset) -> None:
    assert not {column.name for column in row.columns} & {*row.partition_keys, "kline_interval", "version"}


@EVERY
def test_every_column_has_a_meaning_and_every_figure_a_unit(row: Dataset) -> None:
    unitless = {LogicalType.STRING, LogicalType.BOOLEAN, LogicalType.DATE}
    for column in row.columns:
        assert column.meaning and not column.meaning.endswith("."), column.name
        assert bool(column.unit) is (column.type not in unitless), column.name


@EVERY
def test_instants_are_called_time_and_flags_start_with_is(row: Dataset) -> None:
    for column in row.columns:
        instant_name = column.name.endswith("_time") or column.name in {"period_start", "period_end"}
        assert instant_name is (column.type is LogicalType.TIMESTAMP), column.name
        assert column.name.startswith("is_") is (column.type is LogicalType.BOOLEAN), column.name


@EVERY
def test_expectations_name_columns_that_exist_and_every_gate_has_the_three_basics(row: Dataset) -> None:
    names = {column.name for column in row.columns}
    assert not {name for one in row.expectations for name in one.columns} - names
    assert {Check.KEY_UNIQUE, Check.TIME_ORDERED, Check.WITHIN_PARTITION} <= {one.check for one in row.expectations}


@EVERY
def test_layouts_differ_in_width_or_columns_and_cover_what_silver_reads(row: Dataset) -> None:
    assert len({(len(layout.columns), layout.columns) for layout in row.layouts}) == len(row.layouts)
    for layout in row.layouts:
        assert len(set(layout.columns)) == len(layout.columns)


@EVERY
def test_monthly_only_intervals_are_intervals_of_a_dataset_with_monthly_files(row: Dataset) -> None:
    assert set(row.monthly_only_intervals) <= set(row.intervals)
    assert not row.monthly_only_intervals or Frequency.MONTHLY in row.frequencies


@pytest.mark.parametrize("row", [row for row in DATASETS if row.market is Market.CM], ids=lambda row: row.name)
def test_inverse_contracts_never_call_contracts_a_base_quantity(row: Dataset) -> None:
    for column in row.columns:
        if column.unit == "contracts":
            assert "contract" in column.name or column.name in {"depth", "open_interest"}, column.name
        if "base" in column.name:
            assert column.unit == "base", column.name


def test_seconds_are_a_spot_interval_only() -> None:
    with_seconds = [row.name for row in DATASETS if Interval.S1 in row.intervals]
    assert with_seconds == ["binance_spot_klines"]


def test_an_unknown_dataset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match="binance_spot_klines"):
        dataset("binance_um_candles")


@pytest.mark.parametrize(("source", "derivation"), [("", None), ("a", Derivation.OBJECT_SYMBOL)])
def test_a_column_with_no_origin_or_two_is_a_fault_of_the_table(source: str, derivation: Derivation | None) -> None:
    with pytest.raises(SpecificationError):
        Column("a", LogicalType.STRING, "", "A", source=source, derivation=derivation)


def test_the_table_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import crypto_lakehouse.datasets, crypto_lakehouse.docs; "
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['crypto_lakehouse']"
