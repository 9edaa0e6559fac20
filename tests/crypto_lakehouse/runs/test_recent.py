"""The list of the newest runs: one line for each state that a run can be in, and no run hides another."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.runs.recent import RecentRun, recent_runs
from crypto_lakehouse.runs.results import Status
from tests.run_files import KLINES, RED, REFUSED, TRADES, RunFiles

START = datetime(2025, 1, 1, tzinfo=UTC)


def dated(root: Path, keys: list[str]) -> None:
    """Makes the orders a minute apart."""
    for number, key in enumerate(keys):
        seconds = (START + timedelta(minutes=number)).timestamp()
        os.utime(root / key, (seconds, seconds))


def test_each_state_of_a_run_has_its_words_and_the_newest_run_comes_first(tmp_path: Path) -> None:
    files = RunFiles(LocalStorage(tmp_path))
    keys = [
        files.reported("green"),
        files.reported("refused", REFUSED),
        files.reported("red", RED),
        files.planned("idle", Status.NOTHING_TO_DO),
        files.planned("quiet", Status.NOTHING_TO_DO, still_refused=2),
        files.planned("blocked", Status.FAILED),
        files.planned("going on"),
        files.ordered("new"),
    ]
    dated(tmp_path, keys)
    runs = recent_runs(files.storage, [KLINES], 10)
    assert [(run.run_id, run.status, run.remarks) for run in runs] == [
        ("new", None, ("its plan has no result yet",)),
        ("going on", None, ("its report is not written yet",)),
        ("blocked", RunStatus.FAILED, ("plan failed",)),
        ("quiet", RunStatus.NOTHING_TO_DO, ("2 objects still refused by the pull",)),
        ("idle", RunStatus.NOTHING_TO_DO, ()),
        ("red", RunStatus.FAILED, ("1 step failed",)),
        ("refused", RunStatus.QUARANTINED, ("1 partition refused", "1 object refused")),
        ("green", RunStatus.SUCCEEDED, ()),
    ]
    assert runs[-1] == RecentRun(KLINES, "green", START, RunStatus.SUCCEEDED, 2, 1_440, (), has_report=True)


def test_the_newest_runs_are_of_all_tables_that_are_asked_for_and_of_no_other(tmp_path: Path) -> None:
    klines, trades = RunFiles(LocalStorage(tmp_path)), RunFiles(LocalStorage(tmp_path), TRADES)
    dated(tmp_path, [klines.reported("a"), trades.reported("b"), klines.reported("c")])
    storage = klines.storage
    assert [run.run_id for run in recent_runs(storage, [KLINES, TRADES], 2)] == ["c", "b"]
    assert [run.run_id for run in recent_runs(storage, [KLINES], 10)] == ["c", "a"]
    assert recent_runs(storage, [], 10) == []


def test_a_damaged_run_is_named_and_hides_no_other(tmp_path: Path) -> None:
    files = RunFiles(LocalStorage(tmp_path))
    files.reported("sound")
    files.damaged("broken")
    by_status = {run.status: run for run in recent_runs(files.storage, [KLINES], 10)}
    assert by_status[RunStatus.SUCCEEDED].run_id == "sound"
    assert by_status[RunStatus.FAILED].run_id.startswith("broken-")
    assert by_status[RunStatus.FAILED].remarks
