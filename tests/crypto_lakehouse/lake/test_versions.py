"""Versions: named by their bytes, written again by every rerun, and proved before anybody reads them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Manifest
from crypto_lakehouse.lake.versions import file_sha256, store_candidate, verify_candidate

PARTITION = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")
TIMES = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC))
MANIFEST = Manifest(PARTITION.dataset.name, PARTITION.name, (), (), "digest", 3, 3, 0, 0, 0, 0, ())


def stored(folder: Path, data: bytes) -> Candidate:
    file = folder / "conformed.parquet"
    file.write_bytes(data)
    return store_candidate(LocalStorage(folder / "lake"), PARTITION, file, MANIFEST, TIMES)


def test_a_candidate_is_named_by_its_bytes(tmp_path: Path) -> None:
    candidate, again, other = (stored(tmp_path, data) for data in (b"rows", b"rows", b"other rows"))
    assert candidate == again
    assert candidate.location.endswith(f"version={candidate.sha256[:16]}")
    assert other.location != candidate.location
    assert (candidate.bytes, candidate.rows, candidate.inputs_digest) == (4, 3, "digest")


def test_a_rerun_mends_a_file_that_was_damaged(tmp_path: Path) -> None:
    candidate = stored(tmp_path, b"rows")
    path = tmp_path / "lake" / candidate.file
    path.write_bytes(b"rotten")
    with pytest.raises(CorruptObject, match="Run the partition again"):
        verify_candidate(LocalStorage(tmp_path / "lake"), candidate, tmp_path / "scratch")
    assert stored(tmp_path, b"rows") == candidate
    proved = verify_candidate(LocalStorage(tmp_path / "lake"), candidate, tmp_path / "scratch")
    assert file_sha256(proved) == candidate.sha256
