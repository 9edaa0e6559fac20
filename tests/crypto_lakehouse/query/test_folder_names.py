"""A lake reads the same below any folder: partition values come from our own part of the path only."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.process import QueryEngine
from crypto_lakehouse.settings import CatalogSettings, Settings, StorageSettings
from tests.published_lake import PARTITIONS, build_published_lake, in_bucket

NAMES = (
    "env=prod", "symbol_key=x", "symbol=ETHUSDT/close=1", "version=3/kline_interval=1m", "filename=a", "a=b=c",
    "period=2024-12/year=1999", "per%20cent=%3D", "spa ce='quo\"te", "symbol_key=[x]", "st*r=1",
)  # fmt: skip
TABLES = sorted({name for name, _ in PARTITIONS})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake without an equals sign in its name."""
    folder = tmp_path_factory.mktemp("plain") / "lake"
    build_published_lake(folder)
    return folder


@pytest.fixture(scope="module")
def engine() -> QueryEngine:
    """One process for the queries of all lakes."""
    return QueryEngine(reads_s3=False)


def _rows(lake: Lake, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    scanned, asked = lake.scan(table).collect(), lake.sql(f"SELECT * FROM {table}")
    return tuple(frame.sort(frame.columns) for frame in (scanned, asked))  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMES)
def test_a_lake_below_an_odd_folder_reads_as_any_other(
    name: str, plain: Path, engine: QueryEngine, tmp_path: Path
) -> None:
    odd = tmp_path / name / "lake"
    shutil.copytree(plain, odd)
    lake, other = Lake.open(str(odd)), Lake.open(str(plain))
    lake._engine = other._engine = engine
    for table in TABLES:
        for found, wanted in zip(_rows(lake, table), _rows(other, table), strict=True):
            assert_frame_equal(found, wanted)
    text = "SELECT DISTINCT symbol_key FROM binance_um_klines WHERE kline_interval = '1h' AND period = '2024-12'"
    assert lake.sql(text)["symbol_key"].to_list() == ["BTCUSDT"]


PREFIXES = ("env=prod", "symbol_key=x/close=1")


@pytest.fixture(scope="module")
def bucket(plain: Path) -> Iterator[StorageSettings]:
    """A bucket with the lake below each of two odd prefixes, on loopback."""
    with in_bucket(plain, *PREFIXES) as storage:
        yield storage


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_of_a_bucket_gives_no_values(prefix: str, plain: Path, bucket: StorageSettings) -> None:
    catalog = plain / "catalog" / "catalog.sqlite"
    settings = Settings(lake=f"s3://bucket/{prefix}", storage=bucket, catalog=CatalogSettings(path=catalog))
    lake, other = Lake(settings, EmbeddedCatalog(catalog)), Lake.open(str(plain))
    for found, wanted in zip(_rows(lake, TABLES[1]), _rows(other, TABLES[1]), strict=True):
        assert_frame_equal(found, wanted)
