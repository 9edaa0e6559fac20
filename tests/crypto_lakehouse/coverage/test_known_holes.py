"""The table of known holes, and how it explains gaps."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from crypto_lakehouse.coverage.known_holes import KNOWN_HOLES, KnownHole
from crypto_lakehouse.datasets import DATASETS
from tests.small_lake import small_lake


def test_days_that_nobody_has_are_told_apart_from_those_beside_them(tmp_path: Path) -> None:
    with small_lake(tmp_path) as small:
        small.publish("binance_um_metrics", "2024-06-09")
        small.publish("binance_um_metrics", "2024-06-14")
        small.run("binance_um_metrics", "2024-06-09", "2024-06-14")
        gaps = small.lake.gaps("binance_um_metrics", days=("2024-06-09", "2024-06-14"))
    spans = [(f"{gap['start']:%d}", f"{gap['end']:%d}", gap["missing"], bool(gap["known"])) for gap in gaps.to_dicts()]
    assert spans == [("10", "11", 288, False), ("11", "13", 576, True), ("13", "14", 288, False)]
    assert gaps["known"][1].endswith("/issues/336")


@pytest.mark.parametrize("hole", KNOWN_HOLES, ids=lambda hole: f"{hole.datasets[0]} {hole.start:%Y-%m-%d}")
def test_every_known_hole_is_of_datasets_there_are_and_has_its_evidence(hole: KnownHole) -> None:
    assert hole.start < hole.end
    assert ": " in hole.reason or "listings" in hole.reason
    for pattern in hole.datasets:
        assert any(fnmatchcase(dataset.name, pattern) for dataset in DATASETS), pattern
