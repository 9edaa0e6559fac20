"""What tests of the remote runners share: a lake in a folder, steps that lie, a task's context."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crypto_lakehouse.runs.results import result_key
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from tests.step_results import failed_pull, succeeded_pull

# A call to a cluster that does not answer is tried again five times: not for a minute.
os.environ["AIRFLOW__WORKERS__API_RETRY_WAIT_MAX"] = "1"

ORDER = "runs/binance_um_klines/test-00000000/pull-000.json"
GOOD = succeeded_pull()
GOOD_FIGURES = {"objects": 3, "bytes": 0, "unverified": 0, "objects_quarantined": 0}
"""What a task returns for that result."""
FAILED = failed_pull()
WHAT_DECIDES = pytest.mark.parametrize(
    ("facts", "code", "message", "final"),
    [
        (None, 0, "left no result", False),
        (GOOD, 1, "contradict each other", False),
        (FAILED, 0, "why", True),
        (FAILED, 65, "why", True),
        (None, 137, "left no result", False),
    ],
    ids=["success without result", "failure with good result", "success with failed result", "both", "killed"],
)
"""What a step's result file says (None: there is none), what its container, and what the task then fails with."""

STEP = """
import json, os, pathlib, sys, time
facts, code = {facts!r}, {code}
{script}
if facts:
    path = pathlib.Path(os.environ["CRYPTO_LAKEHOUSE_LAKE"], {result!r})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(facts)
print("a line of the step", *sys.argv[1:], flush=True)
sys.exit(code)
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "lake"
    folder.mkdir()
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(folder))
    load_settings.cache_clear()
    yield folder
    load_settings.cache_clear()


def step_script(code: int = 0, facts: bytes | None = None, script: str = "") -> str:
    """Returns a program that leaves these facts as its result and ends with this code."""
    return STEP.format(facts=facts, code=code, script=script, result=result_key(ORDER, Step.PULL))


def write_result(lake: Path, facts: bytes) -> None:
    path = lake / result_key(ORDER, Step.PULL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(facts)


def pull_operator() -> Any:
    from lakehouse_airflow import operators

    load_settings.cache_clear()
    return operators.StepOperator(task_id="pull", step="pull", work_order=ORDER)


def task_context(try_number: int = 1, run_id: str = "manual__1") -> dict[str, Any]:
    """Returns of a task's context what operators ask for."""
    names = {"dag_id": "binance_um_klines", "task_id": "pull", "run_id": run_id, "map_index": 0}
    ti = SimpleNamespace(
        **names, try_number=try_number, start_date=None, xcom_push=lambda **_: None, task=None, id="0", state="running"
    )
    return {"ti": ti, "run_id": names["run_id"], "dag": SimpleNamespace(), "task": None}


def finished(one: Any, context: dict[str, Any], on_deferral: Callable[[], None] = lambda: None) -> Any:
    """Carries a task to its end as Airflow does: where it defers, its trigger is sent away and runs elsewhere."""
    from airflow.sdk.exceptions import TaskDeferred

    try:
        return one.execute(context)
    except TaskDeferred as deferred:
        seen = deferred
    while True:
        on_deferral()
        event = asyncio.run(first_event(seen.trigger))
        try:
            # A worker of its own resumes it: nothing in memory is left.
            kwargs = {**(seen.kwargs or {}), "event": event}
            return pull_operator().resume_execution(seen.method_name, kwargs, context)
        except TaskDeferred as deferred:
            seen = deferred


async def first_event(trigger: Any) -> Any:
    """Returns what a trigger says first, after the way to the triggerer and back."""
    from airflow.sdk.module_loading import import_string

    path, arguments = trigger.serialize()
    again = import_string(path)(**arguments)
    stream = again.run()
    event = await anext(stream)
    await stream.aclose()
    return event.payload
