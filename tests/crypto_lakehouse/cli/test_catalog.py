"""The catalog's commands, on a lake whose verdict log and files say what should be published."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.vocabulary import Condition

NAME = "binance_um_funding_rate"
DATA = b"stands for a Parquet file"
AT = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def data_file(lake_folder: Path) -> Path:
    """The one published file of a lake whose catalog was lost."""
    partition = Partition.parse(NAME, "symbol_key=BTCUSDT/year=2025")
    sha256 = hashlib.sha256(DATA).hexdigest()
    location = f"{partition.path}/version={sha256[:16]}"
    storage = LocalStorage(lake_folder)
    storage.write(f"{location}/data.parquet", DATA)
    candidate = Candidate(NAME, partition.name, location, f"{location}/data.parquet", sha256, len(DATA), 3, "d", AT, AT)
    VerdictLog(storage).append(dataset(NAME), "run", [Verdict(candidate, Condition.AVAILABLE)], AT)
    return lake_folder / location / "data.parquet"


def test_a_lost_catalog_is_rebuilt_from_the_lake(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "rebuild", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["partitions"][NAME] == 1
    assert sum(said["partitions"].values()) == 1
    assert main(["query", "info", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 3


def test_verify_finds_no_fault_in_a_sound_lake(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "rebuild", NAME]) == 0
    assert main(["catalog", "verify", "--deep", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"status": "succeeded", "faults": []}


def test_verify_finds_a_missing_file(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["catalog", "rebuild", NAME])
    data_file.unlink()
    capsys.readouterr()
    assert main(["catalog", "verify", NAME, "--json"]) == 65
    out, err = capsys.readouterr()
    (fault,) = json.loads(out)["faults"]
    assert (fault["kind"], fault["table"], fault["what"]) == ("published version", NAME, "is missing")
    assert f"error: published version: {NAME} symbol_key=BTCUSDT/year=2025: " in err
    assert "Run `crypto-lakehouse catalog verify --repair`" in err


def test_only_a_deep_verify_finds_a_flipped_byte(data_file: Path) -> None:
    main(["catalog", "rebuild", NAME])
    data_file.write_bytes(DATA[:-1] + b"!")
    assert main(["catalog", "verify", NAME]) == 0
    assert main(["catalog", "verify", NAME, "--deep"]) == 65


def test_an_unknown_dataset_is_refused(lake_folder: Path) -> None:
    assert main(["catalog", "verify", "nonsense"]) == 64
