"""The catalog's commands, on a lake with one published partition."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.settings import PREFIX, load_settings
from tests.small_lake import small_lake

NAME = "binance_um_funding_rate"


@pytest.fixture
def data_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The one published file of a lake whose catalog was lost; the archive answers."""
    with small_lake(tmp_path) as small:
        small.publish(NAME, "2025-01-01", monthly=True)
        small.run(NAME, "2025-01-01", "2025-01-31")
        for name in ("LAKE", "WORK_FOLDER"):
            monkeypatch.setenv(f"{PREFIX}{name}", str(getattr(small.settings, name.lower())))
        monkeypatch.setenv(f"{PREFIX}ARCHIVE__ENDPOINT_URL", small.bucket.endpoint)
        load_settings.cache_clear()
        (tmp_path / "lake" / "catalog" / "catalog.sqlite").unlink()
        (file,) = (tmp_path / "lake" / "silver").rglob("data.parquet")
        yield file
        load_settings.cache_clear()


def test_a_lost_catalog_is_rebuilt_from_the_lake(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "rebuild", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["partitions"][NAME] == 1
    assert sum(said["partitions"].values()) == 1
    assert main(["query", "info", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] > 30


def test_verify_finds_no_fault_in_a_sound_lake(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "rebuild", NAME]) == 0
    assert main(["catalog", "verify", "--deep", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"status": "succeeded", "faults": [], "repaired": [], "failures": []}


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


def advised(said: str) -> list[str]:
    """Returns the arguments of the command that an error names."""
    (command,) = re.findall(r"Run `crypto-lakehouse ([^`]+)`", said)
    return shlex.split(command)


def test_only_a_deep_verify_finds_a_flipped_byte_and_the_command_that_it_names_mends_it(
    data_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["catalog", "rebuild", NAME])
    data = data_file.read_bytes()
    data_file.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert main(["catalog", "verify", NAME]) == 0
    assert main(["catalog", "verify", NAME, "--deep"]) == 65
    assert main(advised(capsys.readouterr().err)) == 0
    out, err = capsys.readouterr()
    assert re.search(r"0 faults in \d+ tables, repaired: 1", out)
    assert f"repaired: published version: {NAME} symbol_key=BTCUSDT/year=2025: " in err
    assert data_file.read_bytes() == data
    assert main(["catalog", "verify", NAME, "--deep"]) == 0


def test_a_lost_catalog_is_a_fault_that_is_named(data_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "verify"]) == 65
    assert "was published by the verdict log, and the catalog lacks it" in capsys.readouterr().err


def test_an_unknown_dataset_is_refused(lake_folder: Path) -> None:
    assert main(["catalog", "verify", "nonsense"]) == 64
