"""The note of a run, which Airflow's UI shows next to its state: what was refused, what failed, what was published.

A task cannot set the note of its run: Airflow's interface for tasks has no call for it. So the task `report` hands the
text on as an XCom, and this listener sets the note in the process that ends the run. The listener is a public interface
of Airflow; the classes of the database that it reads are not. If a later Airflow changes them, runs lose their notes
and nothing else: the same text is the message of the task.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

NOTE_KEY = "note"
"""The XCom of the task `report`."""
MAX_CHARACTERS = 1000
"""As many as Airflow's database takes."""

_log = logging.getLogger(__name__)


def note_of(message: str) -> str:
    """Returns a message as a note.

    >>> len(note_of("x" * 2000))
    1000
    """
    return message if len(message) <= MAX_CHARACTERS else f"{message[: MAX_CHARACTERS - 1]}…"


@hookimpl
def on_dag_run_success(dag_run: "DagRun", msg: str) -> None:
    """Sets the note of a run that succeeded."""
    _set_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun", msg: str) -> None:
    """Sets the note of a run that failed."""
    _set_note(dag_run)


def _set_note(dag_run: "DagRun") -> None:
    """Sets the note of a run of a dataset, unless a person has written one."""
    try:
        if note := _reported(dag_run):
            is_ours = (dag_run.note or "").startswith(f"{dag_run.dag_id}: ")
            if is_ours or not dag_run.note:
                dag_run.note = note
    # The scheduler must go on without the note.
    except Exception as error:
        _log.warning("run %s of %s has no note: %s", dag_run.run_id, dag_run.dag_id, type(error).__name__)


def _reported(dag_run: "DagRun") -> str:
    from airflow.models.xcom import XComModel
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    # `airflow dags test` ends a run that belongs to no session: nothing would be stored.
    if session is None:
        return ""
    dag_id, run_id = dag_run.dag_id, dag_run.run_id
    query = XComModel.get_many(key=NOTE_KEY, dag_ids=dag_id, task_ids="report", run_id=run_id, limit=1)
    row = session.scalars(query).first()
    return str(XComModel.deserialize_value(row)) if row is not None else ""
