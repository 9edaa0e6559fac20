"""A lake reads the same wherever it lies: folders above it are never taken for partition values."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.views import has_foreign_keys, value_pattern
from crypto_lakehouse.settings import Settings
from tests.published_lake import build_published_lake

HOSTILE = (
    "env=prod", "symbol_key=x", "kline_interval=9x/period=1999", "version=0", "a=b=c", "symbol_key=x/lake/symbol_key=y",
    "[ab]", "a*b=c", "year=2024/[x]", "it's=odd",
)  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build_published_lake(tmp_path_factory.mktemp("plain") / "lake")


@pytest.mark.parametrize("above", HOSTILE)
def test_rows_and_columns_are_those_of_any_other_folder(above: str, plain: Lake, tmp_path: Path) -> None:
    hostile = build_published_lake(tmp_path / above / "lake")
    for name in plain.tables():
        statement = f"SELECT * FROM {name} ORDER BY ALL"
        assert_frame_equal(hostile.sql(statement), plain.sql(statement))
        wanted, rows = plain.scan(name).collect(), hostile.scan(name).collect()
        assert_frame_equal(rows, wanted, check_row_order=False, check_column_order=False)
        assert set(hostile.sql(f"SELECT DISTINCT symbol_key FROM {name}")["symbol_key"]) <= {"BTCUSDT", "ETHUSDT"}


def test_a_lake_without_such_folders_is_read_by_its_hive_keys() -> None:
    own = "silver/t/kline_interval=1m/symbol_key=A/period=2024-01/version=0/part.parquet"
    keys = ("kline_interval", "symbol_key", "period")
    assert not has_foreign_keys(keys, f"/data/lake/{own}")
    assert has_foreign_keys(keys, f"s3://bucket/env=prod/{own}")
    assert value_pattern("period") == "^.*/period=([^/]+)/"


def test_a_lake_is_named_by_a_path_or_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_published_lake(tmp_path / "lake")
    monkeypatch.setenv("HOME", str(tmp_path))
    for where in (tmp_path / "lake", str(tmp_path / "lake"), "~/lake", Path("~/lake")):
        assert Lake.open(where).tables()
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", "~/lake")
    assert Lake(Settings()).tables()


@pytest.mark.parametrize("wrong", [5, b"lake", ["lake"]])
def test_a_lake_is_nothing_else(wrong: object) -> None:
    with pytest.raises(InvalidRequest):
        Lake.open(wrong)  # type: ignore[arg-type]


def test_where_there_is_no_lake_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for where, words in (("none", "there is no lake"), ("empty", "there is no lake"), ("file", "is a file")):
        with pytest.raises(InvalidRequest, match=words):
            Lake.open(tmp_path / where)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]
