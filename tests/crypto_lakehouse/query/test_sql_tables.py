"""A statement gets the tables that it names, and all of them if it names none."""

from pathlib import Path

import pytest

from crypto_lakehouse.coverage.answers import TABLES
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.sql_tables import addresses
from crypto_lakehouse.query.views import CoverageView, FileView, ScanView
from tests.published_lake import build_published_lake


def test_only_the_tables_that_are_named_are_opened(lake: Lake) -> None:
    views = lake._sql_tables.views("SELECT * FROM binance_um_klines", lake._publications(None))
    assert set(views) == {"binance_um_klines"}
    view = views["binance_um_klines"]
    assert isinstance(view, FileView)
    assert all(file.startswith(lake._sql_tables.root) for file in view.files)


def test_a_statement_without_a_name_gets_all_tables(lake: Lake) -> None:
    views = lake._sql_tables.views("SHOW TABLES", lake._publications(None))
    assert set(views) == {*lake.tables(), *TABLES}
    assert isinstance(views["gaps"], CoverageView)


def test_a_table_of_which_nothing_is_published_is_missing_only_if_it_is_read(lake: Lake) -> None:
    for text in ("FROM binance_cm_trades", "FROM instruments"):
        with pytest.raises(ArchiveFileMissing):
            lake._sql_tables.views(text, lake._publications(None))
    views = lake._sql_tables.views("FROM gaps WHERE dataset = 'binance_cm_trades'", lake._publications(None))
    assert set(views) == {"gaps"}


def test_a_path_that_duckdb_would_read_as_a_glob_is_read_by_polars(tmp_path: Path) -> None:
    lake = build_published_lake(tmp_path / "[a]" / "lake")
    views = lake._sql_tables.views("FROM binance_um_klines", lake._publications(None))
    assert isinstance(views["binance_um_klines"], ScanView)
    assert addresses("s3://bucket", []) == ()
