"""What every generated DAG must be, and what parsing them must not cost."""

import hashlib
import json
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.schedule import DAILY_CRON, MONTHLY_CRON
from crypto_lakehouse.verbs import DATASET_RUN, Stage
from crypto_lakehouse.vocabulary import Step
from tests.dags.conftest import REPOSITORY

pytestmark = pytest.mark.filterwarnings("ignore")

PARSE = """
import json, sys
import airflow.sdk
before = set(sys.modules)
heavy = {"polars", "pandas", "pyarrow", "duckdb", "great_expectations", "ccxt", "boto3", "botocore", "numpy"}
def loaded():
    return sorted({name.partition(".")[0] for name in set(sys.modules) - before} & heavy)
import archive_dag, gaps_dag, instruments_dag
found = loaded()
import polars
print(json.dumps([found, loaded()]))
"""

SERIALISE = """
import hashlib, json
import archive_dag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
dags = sorted((dag for dag in vars(archive_dag).values() if isinstance(dag, DAG)), key=lambda dag: dag.dag_id)
text = json.dumps([DagSerialization.to_dict(dag) for dag in dags], sort_keys=True, default=str)
print(json.dumps([len(dags), hashlib.sha256(text.encode()).hexdigest()]))
"""

FOR_A_TASK = """
import json
from airflow.sdk import DAG
from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager
with _airflow_parsing_context_manager(dag_id="binance_um_metrics", task_id="plan"):
    import archive_dag
print(json.dumps([dag.dag_id for dag in vars(archive_dag).values() if isinstance(dag, DAG)]))
"""


def run(code: str, seed: str = "0") -> Any:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY / "dags")]),
        "PYTHONHASHSEED": seed,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    from airflow.sdk import DAG

    import archive_dag

    return {dag.dag_id: dag for dag in vars(archive_dag).values() if isinstance(dag, DAG)}


def test_there_is_one_dag_per_dataset_and_no_other(dags: dict[str, Any]) -> None:
    assert sorted(dags) == sorted(row.name for row in DATASETS)


def test_the_dag_file_reads_as_prose() -> None:
    lines = (REPOSITORY / "dags" / "archive_dag.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 85


def test_a_task_parses_its_own_dag_alone() -> None:
    assert run(FOR_A_TASK) == ["binance_um_metrics"]


def test_parsing_loads_no_heavy_library() -> None:
    found, control = run(PARSE)
    assert found == []
    assert control == ["polars"], "the control: a heavy import would be seen"


def test_two_parses_give_the_same_bytes() -> None:
    first, second = run(SERIALISE, "1"), run(SERIALISE, "2")
    assert first == second
    assert first[0] == 31
    assert len(first[1]) == len(hashlib.sha256().hexdigest())


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_every_dag_says_what_it_is_and_can_fail_well(row: Any, dags: dict[str, Any]) -> None:
    dag = dags[row.name]
    assert dag.catchup is False
    assert dag.tags == {"silver", row.exchange.value, row.market.value, row.data_type.slug}
    assert dag.description == row.description
    assert row.description in dag.doc_md
    assert "How to rerun" in dag.doc_md
    assert set(dag.params) >= {"symbols", "start_date", "end_date", "profile"}
    assert ("intervals" in dag.params) == row.has_interval
    for task in dag.tasks:
        assert task.owner == "lakehouse"
        assert task.retries == 3
        assert task.retry_exponential_backoff
        assert task.on_failure_callback


def test_every_dag_and_each_of_its_tasks_says_what_it_does(dags: dict[str, Any]) -> None:
    import gaps_dag
    import instruments_dag
    import maintenance_dag

    every = [*dags.values(), gaps_dag.dag, instruments_dag.dag, maintenance_dag.dag]
    assert [dag.dag_id for dag in every if not (dag.description and "**When it fails.**" in dag.doc_md)] == []
    silent = {f"{dag.dag_id}.{task.task_id}" for dag in every for task in dag.tasks if not task.doc_md}
    assert silent == set()


def test_the_tasks_and_their_order(dags: dict[str, Any]) -> None:
    dag = dags["binance_um_klines"]
    downstream = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert downstream["transform.conform"] == ["transform.gate"]
    assert downstream["transform.gate"] == ["transform.publish"]
    assert downstream["pull"] == ["transform_orders"]
    assert "transform.conform" in downstream["transform_orders"]
    assert "transform.conform" in downstream["delta"]
    assert downstream["transform.publish"] == ["announce", "report"]
    pools = {task.task_id: task.pool for task in dag.tasks}
    assert (pools["plan"], pools["pull"], pools["transform.conform"], pools["transform.gate"]) == (
        *("exchange", "exchange"),
        *("heavy", "heavy"),
    )
    assert [outlet.name for outlet in dag.get_task("announce").outlets] == ["silver/binance_um_klines"]


def test_the_dag_and_a_run_of_the_command_line_follow_the_same_stages(dags: dict[str, Any]) -> None:
    dag = dags["binance_um_klines"]
    stages = {stage.name: [_task_id(stage, step) for step in stage.steps] for stage in DATASET_RUN}
    for stage in DATASET_RUN:
        tasks = stages[stage.name]
        for earlier, later in pairwise(tasks):
            assert earlier in dag.get_task(later).upstream_task_ids
        for needed in stage.needs:
            assert stages[needed][-1] in dag.get_task(tasks[0]).get_flat_relative_ids(upstream=True)
    # A stage waits for those before it also where it does not need their success.
    order = [task for tasks in stages.values() for task in tasks]
    before = {task: dag.get_task(task).get_flat_relative_ids(upstream=True) for task in order}
    assert stages["delta"][-1] in before["transform.conform"]
    assert set(order) - {"report"} <= before["report"]


def _task_id(stage: Stage, step: Step) -> str:
    return f"{stage.name}.{step}" if len(stage.steps) > 1 else step.value


def test_the_tasks_of_a_stage_are_the_verbs_and_no_dag_computes_by_itself(dags: dict[str, Any]) -> None:
    """Everything that works on data is a step; the rest hands on keys of orders, triggers runs or sends an event."""
    import gaps_dag
    import instruments_dag
    from lakehouse_airflow.operators import StepOperator

    plumbing = {"delta_orders", "transform_orders", "announce", "fill"}
    every = [*dags.values(), gaps_dag.dag, instruments_dag.dag]
    tasks = {task.task_id: task for dag in every for task in dag.tasks}
    computing = {name: task for name, task in tasks.items() if name not in plumbing}
    assert set(tasks) - set(computing) == plumbing
    kinds = {name: getattr(task, "operator_class", type(task)) for name, task in computing.items()}
    assert [name for name, kind in kinds.items() if not issubclass(kind, StepOperator)] == []


def test_schedules_are_data_intervals_daily_or_monthly(dags: dict[str, Any]) -> None:
    crons = {dag_id: dag.timetable.expression for dag_id, dag in dags.items()}
    assert crons["binance_um_funding_rate"] == MONTHLY_CRON
    assert crons["binance_um_klines"] == DAILY_CRON
    assert {type(dag.timetable).__name__ for dag in dags.values()} == {"CronDataIntervalTimetable"}


@pytest.mark.parametrize("name", ["binance_um_klines", "binance_um_funding_rate"])
def test_catching_up_two_years_covers_every_day_once(name: str, dags: dict[str, Any]) -> None:
    from datetime import UTC, datetime, timedelta

    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    from crypto_lakehouse.schedule import covered_days

    timetable = coerce_to_core_timetable(dags[name].timetable)
    start, end = datetime(2023, 12, 31, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    restriction = TimeRestriction(earliest=_pendulum(start), latest=_pendulum(end), catchup=True)
    covered, last = [], None
    while (run := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        last = run.data_interval
        first_day, last_day = covered_days(dataset(name), last.start, last.end)
        covered += [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]
    assert covered == [covered[0] + timedelta(days=n) for n in range(len(covered))]
    assert covered[0] <= datetime(2024, 1, 1, tzinfo=UTC).date()
    assert covered[-1] >= datetime(2025, 12, 31, tzinfo=UTC).date()


def _pendulum(moment: Any) -> Any:
    import pendulum

    return pendulum.instance(moment)
