"""A partition's file has its manifest inside, and a file without a readable one is refused."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.manifest import MANIFEST_KEY, read_manifest
from tests.archive_builder import kline_rows
from tests.conforming import MARCH, SPOT_KLINES, build, kline_input


def test_the_manifest_is_read_from_the_file(tmp_path: Path) -> None:
    inputs = [kline_input("2024-03-01", kline_rows(MARCH, 5), tmp_path)]
    made = build(SPOT_KLINES, [MARCH], inputs, tmp_path / "work").partitions[0]
    assert made.file is not None
    assert read_manifest(made.file) == made.manifest
    assert made.manifest.rows_out == 5


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.parquet").write_bytes(b"PAR1 noise")
    with pytest.raises(CorruptObject, match=r"noise\.parquet has no readable manifest"):
        read_manifest(tmp_path / "noise.parquet")


@pytest.mark.parametrize("text", [None, b"{}", b"not json", b'{"inputs": 1}'])
def test_a_file_without_a_manifest_of_ours_is_refused(text: bytes | None, tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [1]}).to_arrow()
    metadata = {} if text is None else {MANIFEST_KEY.encode(): text}
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), tmp_path / "file.parquet")
    with pytest.raises(CorruptObject):
        read_manifest(tmp_path / "file.parquet")
