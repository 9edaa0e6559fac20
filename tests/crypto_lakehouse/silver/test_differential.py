"""Silver equals what the standard library and DuckDB make of the same bytes."""

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crypto_lakehouse.archive.keys import ArchiveKey, parse_key
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.lake.partition import partitions_between
from crypto_lakehouse.lake.table_schema import polars_type
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import shape
from crypto_lakehouse.silver.conform import InputObject, conform
from crypto_lakehouse.spec import Dataset
from tests.archive_builder import build_input, input_at
from tests.random_files import random_file
from tests.silver_oracle import duckdb_rows, stdlib_rows

FILES_PER_DATASET = 12


def silver_rows(input_object: InputObject, key: ArchiveKey, folder: Path) -> list[tuple[Any, ...]]:
    table = key.dataset
    partitions = partitions_between(table, key.symbol, key.first_day, key.last_day, key.interval)
    outcome = conform(table, partitions, [input_object], folder, ConformSettings())
    assert outcome.refused == []
    files = [made.file for made in outcome.partitions if made.file]
    frames = [pl.read_parquet(file) for file in files]
    for frame in frames:
        assert frame.schema == {column.name: polars_type(column) for column in table.columns}
    return [tuple(map(_plain, values)) for frame in frames for values in _integers(frame, table).rows()]


def _integers(frame: pl.DataFrame, table: Dataset) -> pl.DataFrame:
    times = [column.name for column in table.columns if column.type.value == "timestamp"]
    return frame.with_columns(pl.col(times).cast(pl.Int64))


def _plain(value: Any) -> Any:
    assert not isinstance(value, float | datetime)
    return value


REAL = (
    "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2020-01-01.zip",
    "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2020-01-02.zip",
    "spot/daily/klines/ETHUSDT/1m/ETHUSDT-1m-2022-08-14.zip",
    "spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2022-09-07.zip",
    "spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2026-05-08.zip",
    "futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2022-09-05.zip",
    "futures/um/daily/klines/ETHUSDT/1h/ETHUSDT-1h-2022-08-24.zip",
    "futures/cm/daily/klines/BTCUSD_PERP/1m/BTCUSD_PERP-1m-2022-10-24.zip",
    "futures/cm/daily/aggTrades/BTCUSD_PERP/BTCUSD_PERP-aggTrades-2026-05-08.zip",
    "futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2026-04.zip",
    "option/daily/BVOLIndex/BTCBVOLUSDT/BTCBVOLUSDT-BVOLIndex-2025-04-30.zip",
    "option/daily/EOHSummary/BTCUSDT/BTCUSDT-EOHSummary-2023-09-29.zip",
)


@pytest.mark.parametrize("name", REAL)
def test_every_real_file_gives_the_rows_that_two_other_readers_give(
    name: str, real_archive: Path, tmp_path: Path
) -> None:
    path = real_archive / "data" / name
    key = parse_key(f"data/{name}")
    assert key is not None
    with zipfile.ZipFile(path) as archive:
        content = archive.read(archive.namelist()[0])
    made = silver_rows(input_at(key, path), key, tmp_path)
    assert made == stdlib_rows(key, content)
    assert made == duckdb_rows(key, content, tmp_path)


def test_the_list_of_real_files_is_complete(real_archive: Path) -> None:
    assert {str(path.relative_to(real_archive / "data")) for path in real_archive.rglob("*.zip")} == set(REAL)


@pytest.mark.parametrize("table", [table for table in DATASETS if table.frequencies], ids=lambda table: table.name)
def test_random_files_give_the_rows_that_two_other_readers_give(
    table: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random values do not fit each other. Here only their reading is compared.
    monkeypatch.setattr(shape, "row_rules", lambda _: [])
    for seed in range(FILES_PER_DATASET):
        file, content = random_file(table, seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        made = silver_rows(build_input(file, content, folder), file.key, folder)
        assert made == stdlib_rows(file.key, content), (seed, file.key.key)
        assert made == duckdb_rows(file.key, content, folder), (seed, file.key.key)


def test_the_oracle_is_not_blind(tmp_path: Path) -> None:
    file, content = random_file(DATASETS[0], 1)
    changed = content.replace(b"7", b"8", 1)
    assert changed != content
    assert stdlib_rows(file.key, changed) != stdlib_rows(file.key, content)
    assert file.first_day >= date(2021, 1, 1)
