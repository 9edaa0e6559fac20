"""The facts of a partition, however its file is cut into row groups."""

from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.quality.profile import profile
from tests.crypto_lakehouse.quality.conformed import made


def test_facts_are_the_same_however_the_file_is_cut_into_row_groups(tmp_path: Path) -> None:
    conformed = made(dataset("binance_um_klines"), tmp_path)
    assert conformed.file is not None
    whole = profile(conformed.file, conformed.partition, conformed.manifest)
    cut = tmp_path / "cut.parquet"
    pl.read_parquet(conformed.file).write_parquet(cut, row_group_size=100)
    assert profile(cut, conformed.partition, conformed.manifest) == whole


def test_a_fault_between_two_row_groups_is_seen(tmp_path: Path) -> None:
    conformed = made(dataset("binance_um_klines"), tmp_path)
    assert conformed.file is not None
    rows = pl.read_parquet(conformed.file)
    doubled = pl.concat([rows[:100], rows[99:]])
    path = tmp_path / "doubled.parquet"
    doubled.write_parquet(path, row_group_size=100)
    assert profile(path, conformed.partition, conformed.manifest).counts["key_duplicates"] == 1


def test_a_damaged_file_cannot_pass(tmp_path: Path) -> None:
    conformed = made(dataset("binance_um_klines"), tmp_path)
    assert conformed.file is not None
    data = bytearray(conformed.file.read_bytes())
    data[len(data) // 3] ^= 1
    conformed.file.write_bytes(data)
    with pytest.raises(CorruptObject):
        profile(conformed.file, conformed.partition, conformed.manifest)
