"""When the note of a run is set. That Airflow's own scheduler stores it is seen in `tests/dags/test_backfill.py`."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

DAG = "binance_um_klines"
TEXT = f"{DAG}: 1 step failed; 0 partitions and 0 rows published"


def ended(monkeypatch: pytest.MonkeyPatch, reported: str, note: str | None = None) -> Any:
    """Returns a run that failed, after its listener was called."""
    from lakehouse_airflow import run_notes

    monkeypatch.setattr(run_notes, "_reported", lambda _: reported)
    run: Any = SimpleNamespace(dag_id=DAG, run_id="r", note=note)
    run_notes.on_dag_run_failed(run, "task failure")
    return run


@pytest.mark.parametrize(
    ("former", "after"),
    [
        (None, TEXT),
        ("", TEXT),
        (f"{DAG}: 2 partitions and 9 rows published", TEXT),
        ("I look at this one. Kim", "I look at this one. Kim"),
    ],
    ids=["none", "empty", "ours of an earlier try", "a person's"],
)
def test_a_note_is_set_unless_a_person_wrote_one(
    former: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(monkeypatch, TEXT, former).note == after


def test_a_run_without_a_report_keeps_its_note(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, "", None).note is None


def test_a_run_that_succeeded_has_a_note_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow import run_notes

    monkeypatch.setattr(run_notes, "_reported", lambda _: TEXT)
    run: Any = SimpleNamespace(dag_id=DAG, run_id="r", note=None)
    run_notes.on_dag_run_success(run, "all tasks succeeded")
    assert run.note == TEXT


def test_the_scheduler_goes_on_where_airflow_s_tables_are_others(caplog: pytest.LogCaptureFixture) -> None:
    from lakehouse_airflow import run_notes

    run: Any = SimpleNamespace(dag_id=DAG, run_id="r", note=None)
    with caplog.at_level(logging.WARNING, run_notes.__name__):
        run_notes.on_dag_run_failed(run, "task failure")
    assert run.note is None
    assert f"run r of {DAG} has no note" in caplog.text


def test_a_run_that_no_database_holds_gets_none() -> None:
    from airflow.models.dagrun import DagRun

    from lakehouse_airflow import run_notes

    run = DagRun(dag_id=DAG, run_id="r")
    run_notes.on_dag_run_success(run, "")
    assert run.note is None
