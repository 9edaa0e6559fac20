"""The table of known holes, and how it explains gaps."""

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.coverage.gap_table import GAPS_SCHEMA, explained
from crypto_lakehouse.coverage.known_holes import KNOWN_HOLES, KnownHole, outdated_holes
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.spec import Dataset
from tests.small_lake import small_lake

every_hole = pytest.mark.parametrize(
    "hole", KNOWN_HOLES, ids=lambda hole: f"{hole.datasets[0]} {hole.symbol} {hole.start:%Y-%m-%d}"
)


def dataset_of(hole: KnownHole) -> Dataset:
    return next(row for row in DATASETS if hole.is_of_dataset(row.name))


def symbol_of(hole: KnownHole) -> str:
    return "SOMEUSDT" if hole.symbol == "*" else hole.symbol


def gap(hole: KnownHole, start: datetime, end: datetime) -> pl.DataFrame:
    """Returns the parts of a gap and what is known of each."""
    values = {"symbol": symbol_of(hole), "start": start, "end": end, "missing": 60, "known": "", "kind": "days"}
    row = {name: values.get(name) for name in GAPS_SCHEMA}
    return explained(pl.DataFrame([row], schema=GAPS_SCHEMA), dataset_of(hole)).sort("start")


def test_days_that_nobody_has_are_told_apart_from_those_beside_them(tmp_path: Path) -> None:
    with small_lake(tmp_path) as small:
        small.publish("binance_um_metrics", "2024-06-09")
        small.publish("binance_um_metrics", "2024-06-14")
        small.run("binance_um_metrics", "2024-06-09", "2024-06-14")
        gaps = small.lake.gaps("binance_um_metrics", days=("2024-06-09", "2024-06-14"))
    spans = [(f"{gap['start']:%d}", f"{gap['end']:%d}", gap["missing"], bool(gap["known"])) for gap in gaps.to_dicts()]
    assert spans == [("10", "11", 288, False), ("11", "13", 576, True), ("13", "14", 288, False)]
    assert gaps["known"][1].endswith("/issues/336")


@every_hole
def test_every_known_hole_is_of_datasets_there_are_and_has_its_evidence(hole: KnownHole) -> None:
    assert hole.start < hole.end
    assert ": " in hole.reason or "listings" in hole.reason
    for pattern in hole.datasets:
        assert any(fnmatchcase(dataset.name, pattern) for dataset in DATASETS), pattern


@every_hole
def test_what_is_missing_within_a_known_hole_is_told_as_known_and_what_is_beside_it_is_not(hole: KnownHole) -> None:
    end = min(hole.end, hole.start + (hole.longest or timedelta(days=400)))
    within = gap(hole, hole.start, end)
    assert within["known"].to_list() == [hole.reason]
    beside = gap(hole, hole.end, hole.end + timedelta(minutes=1))
    assert hole.reason not in beside["known"].to_list() or hole.end in {other.start for other in KNOWN_HOLES}


@every_hole
def test_a_hole_of_some_minutes_does_not_explain_the_loss_of_a_day(hole: KnownHole) -> None:
    if hole.longest is None:
        assert hole.end - hole.start >= timedelta(hours=10)
        return
    assert gap(hole, hole.start, hole.end)["known"].to_list() == [""]


@every_hole
def test_an_entry_is_outdated_where_the_lake_has_its_days(hole: KnownHole) -> None:
    name, symbol = dataset_of(hole).name, symbol_of(hole)
    day = hole.start.date() if hole.start == datetime.combine(hole.start, datetime.min.time(), UTC) else None
    whole = [*([day] if day else []), (hole.start + timedelta(days=1)).date()]
    is_of_days = hole.longest is None and any(hole.has_all_of(each) for each in whole)
    assert (hole in outdated_holes(name, symbol, whole)) == is_of_days
    assert hole not in outdated_holes(name, symbol, [(hole.start - timedelta(days=1)).date(), hole.end.date()])
    assert outdated_holes(name, symbol, []) == []


def test_a_day_that_only_a_monthly_file_lacks_is_no_known_hole() -> None:
    # Issue 140: the monthly file of 2022-04 lacks the 24th, and the daily file has it.
    day = datetime(2022, 4, 24, tzinfo=UTC)
    assert not any(hole.is_of_dataset("binance_um_agg_trades") and hole.start <= day < hole.end for hole in KNOWN_HOLES)


def test_the_gate_notes_a_known_hole_that_is_outdated(tmp_path: Path) -> None:
    with small_lake(tmp_path) as small:
        small.publish("binance_um_metrics", "2024-06-11")
        small.publish("binance_um_metrics", "2024-06-14")
        summary = small.run("binance_um_metrics", "2024-06-11", "2024-06-14")
        report = small.storage.read(summary.report.removeprefix(f"{small.storage.uri}/")).decode()
        condition = small.lake.coverage("binance_um_metrics", days=(date(2024, 6, 11),) * 2)["condition"].to_list()
    assert "a known hole is outdated, remove it from known_holes.py" in report
    assert condition == ["available"]
