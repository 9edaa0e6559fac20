"""The end of a demonstration: reasons of what failed, and commands that work as they are printed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.demo.summary import next_commands, reasons
from crypto_lakehouse.reports.quality_report import DatasetSection
from tests.small_lake import SmallLake, small_lake

NAME = "binance_spot_klines"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[SmallLake]:
    # A folder name that a shell would split.
    folder = tmp_path / "a folder"
    folder.mkdir()
    with small_lake(folder) as small:
        yield small


def test_the_commands_work_as_they_are_printed(lake: SmallLake) -> None:
    lake.publish(NAME, "2025-01-01")
    lake.run(NAME, "2025-01-01", "2025-01-01")
    info, query, up = next_commands(Path(lake.settings.lake))
    assert up == "make up"
    environment = {name: text for name, text in os.environ.items() if name != "CRYPTO_LAKEHOUSE_LAKE"}
    for command, expected in ((info, NAME), (query, "BTCUSDT")):
        done = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, cwd=Path.cwd()
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout


def test_where_there_is_no_lake_nothing_is_offered_to_query(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    assert next_commands(tmp_path / "lake") == ["make up"]


def test_a_failed_dataset_says_its_reason_and_a_refused_object_is_named() -> None:
    sections = [
        DatasetSection("failed", 0, 0, 1.0, (), failed=("plan: the bucket did not answer",)),
        DatasetSection("refused", 1, 1, 1.0, (), refused=("a.zip: wrong checksum",)),
        DatasetSection("silent", 0, 0, 1.0, ()),
        DatasetSection("good", 1, 1, 1.0, ()),
    ]
    states = {"failed": "failed", "refused": "success", "silent": "failed", "good": "success"}
    lines = reasons(sections, states)
    assert lines[:2] == ["failed: plan: the bucket did not answer", "refused: a.zip: wrong checksum"]
    assert len(lines) == 3
    assert "no reason in the lake" in lines[2]
