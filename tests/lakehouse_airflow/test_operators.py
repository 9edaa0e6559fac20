"""The result file decides: whatever the process that ran a step says."""

import json
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.runs.figures import GapsFigures, InstrumentsFigures, PlanFigures, RepairFigures
from crypto_lakehouse.runs.orders import (
    GapsOrder,
    InstrumentsOrder,
    PlanRequest,
    RepairOrder,
    first_order_key,
    read_order,
)
from crypto_lakehouse.runs.outcomes import GapsOutcome, InstrumentsOutcome, PlanOutcome, RepairOutcome
from crypto_lakehouse.runs.results import Status, StepResult, result_key
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Market, Step
from tests.step_results import failed_pull, succeeded_pull
from tests.waiting import STANDSTILL_SECONDS, is_running, wait_until

pytestmark = pytest.mark.filterwarnings("ignore")
NOW = datetime(2025, 1, 1, tzinfo=UTC)
ORDER = "runs/binance_um_klines/test-00000000/pull-000.json"

WRITE_RESULT = """
import pathlib, sys
path = pathlib.Path({path!r}); path.parent.mkdir(parents=True, exist_ok=True)
path.write_bytes({facts!r})
print("a line of the step")
sys.exit({code})
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(tmp_path))
    load_settings.cache_clear()
    return tmp_path


@pytest.fixture
def operator(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Returns a maker of a pull operator whose step is a script that writes these facts and ends with this code."""
    from lakehouse_airflow import operators

    def make(code: int = 0, facts: bytes | None = None, script: str = "") -> Any:
        path = str(lake / result_key(ORDER, Step.PULL))
        text = script or (
            WRITE_RESULT.format(path=path, facts=facts, code=code) if facts else f"raise SystemExit({code})"
        )
        monkeypatch.setattr(operators, "COMMAND", (sys.executable, "-c", text))
        return operators.StepOperator(task_id="pull", step="pull", work_order=ORDER)

    return make


def test_a_good_result_gives_its_counts_and_nothing_else(operator: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = operator(facts=succeeded_pull(objects=3))
    assert one.execute({}) == {"objects": 3, "bytes": 0, "unverified": 0, "objects_quarantined": 0}


def test_success_without_a_result_is_a_failure(operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailed

    with pytest.raises(TaskFailed, match="left no result"):
        operator(code=0).execute({})


@pytest.mark.parametrize(("code", "is_final"), [(65, True), (64, True), (75, False), (70, False), (-9, False)])
def test_without_a_result_the_exit_code_decides_whether_a_retry_may_help(
    operator: Any, code: int, is_final: bool
) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    script = f"import os; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({code})"
    with pytest.raises(TaskFailed, match="left no result") as raised:
        operator(script=script).execute({})
    assert isinstance(raised.value, TaskFailedForGood) is is_final


def test_a_result_of_an_earlier_try_does_not_count(operator: Any, lake: Path) -> None:
    from lakehouse_airflow.errors import TaskFailed

    operator(facts=succeeded_pull()).execute({})
    with pytest.raises(TaskFailed, match="left no result"):
        operator(code=0).execute({})


def test_a_failed_result_fails_even_where_the_process_says_success(operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    with pytest.raises(TaskFailedForGood, match="why"):
        operator(code=0, facts=failed_pull()).execute({})


def test_a_good_result_with_a_bad_exit_code_is_a_failure(operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailed

    with pytest.raises(TaskFailed, match="contradict each other"):
        operator(code=1, facts=succeeded_pull()).execute({})


def test_an_event_that_a_step_logs_is_read_as_words(operator: Any, capfd: pytest.CaptureFixture[str]) -> None:
    event = {"event": "step_started", "level": "info", "timestamp": "t", "step": "pull", "run": "r"}
    with pytest.raises(SystemExit, match="left no result"):
        operator(script=f"print({json.dumps(event)!r})").execute({})
    logged = "".join(capfd.readouterr())
    assert "step_started step=pull run=r" in logged
    assert '{"event"' not in logged


@pytest.mark.parametrize("name", ["CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "NOT_A_SECRET"])
def test_a_secret_that_a_step_prints_is_blotted_out_of_the_log(
    name: str, operator: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from airflow.sdk.log import redact

    canary = f"canary-{name.lower()}"
    if name == "NOT_A_SECRET":
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_PROFILE", canary)
    else:
        monkeypatch.setenv(name, canary)
    load_settings.cache_clear()
    with pytest.raises(SystemExit, match="left no result"):
        operator(script=f"print('a line with {canary}.')").execute({})
    # Airflow's supervisor does this to each line that a task logs.
    (said,) = re.findall(r"a line with \S+\.", str(redact("".join(capfd.readouterr()))))
    assert said == f"a line with {canary if name == 'NOT_A_SECRET' else '***'}."


@pytest.mark.parametrize("error", [{"is_transient": True}, {"is_known": False}], ids=["transient", "unknown"])
def test_what_may_pass_is_tried_again(error: dict[str, bool], operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    with pytest.raises(TaskFailed) as raised:
        operator(code=75, facts=failed_pull(**error)).execute({})
    assert not isinstance(raised.value, TaskFailedForGood)


def test_a_runner_that_cannot_start_as_configured_says_so(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "kubernetes")
    load_settings.cache_clear()
    with pytest.raises(TaskFailedForGood, match=r"kubernetes\.lake_claim|not installed"):
        operator().execute({})


def test_killing_the_task_ends_the_step_and_what_it_started(operator: Any, lake: Path) -> None:
    child = lake / "child"
    script = (
        "import subprocess, sys, pathlib, time\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(one.pid))\n"
        "time.sleep(3600)\n"
    )
    one = operator(script=script)
    outcome: list[BaseException] = []

    def execute() -> None:
        try:
            one.execute({})
        except SystemExit as error:
            outcome.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    wait_until(lambda: child.is_file() and child.read_text())
    one.on_kill()
    thread.join(STANDSTILL_SECONDS)
    assert not thread.is_alive()
    assert "left no result" in str(outcome[0])
    wait_until(lambda: not is_running(int(child.read_text())))


def run_of(**facts: Any) -> Any:
    defaults = {"run_id": "r", "conf": {}, "data_interval_start": None, "data_interval_end": None, "run_type": "manual"}
    return SimpleNamespace(**{**defaults, "run_after": datetime(2025, 1, 3, 9, tzinfo=UTC), **facts})


DAY = {
    "data_interval_start": datetime(2025, 1, 1, 9, tzinfo=UTC),
    "data_interval_end": datetime(2025, 1, 2, 9, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("dataset", "run", "params", "days"),
    [
        ("binance_um_klines", run_of(), {}, ("2025-01-02", "2025-01-02")),
        ("binance_um_klines", run_of(**DAY, run_type="backfill"), {}, ("2025-01-01", "2025-01-01")),
        ("binance_um_klines", run_of(**DAY, run_type="scheduled"), {}, ("2024-12-25", "2025-01-01")),
        (
            "binance_um_klines",
            run_of(**DAY),
            {"start_date": "2024-05-01", "end_date": "2024-05-03"},
            ("2024-05-01", "2024-05-03"),
        ),
        (
            "binance_um_funding_rate",
            run_of(
                data_interval_start=datetime(2025, 1, 2, 9, tzinfo=UTC),
                data_interval_end=datetime(2025, 2, 2, 9, tzinfo=UTC),
                run_type="backfill",
            ),
            {},
            ("2025-01-01", "2025-01-31"),
        ),
    ],
    ids=["manual", "backfill", "scheduled looks back", "params win", "monthly"],
)
def test_a_run_works_on_the_days_of_its_interval(
    dataset: str, run: Any, params: dict[str, Any], days: tuple[str, str]
) -> None:
    from lakehouse_airflow.operators import plan_request

    request = plan_request(dataset, run, params)
    assert (request.first_day, request.last_day) == days
    assert date.fromisoformat(request.first_day) <= date.fromisoformat(request.last_day)


def test_a_plan_pushes_keys_of_orders_only(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow import operators

    pushed: dict[str, Any] = {}

    def push(key: str, value: Any) -> None:
        pushed[key] = value

    ti = SimpleNamespace(xcom_push=push)
    one = operators.PlanOperator(task_id="plan", dataset="binance_um_klines")

    def planned(order_key: str, _context: object) -> Any:
        assert read_order(LocalStorage(lake), order_key, PlanRequest).first_day == "2025-01-02"
        orders = {"pull": ("runs/a/pull-000.json",), "transform": ("runs/a/transform-000.json",)}
        outcome = PlanOutcome(PlanFigures(objects_to_pull=1), orders)
        return StepResult(Step.PLAN, "a", "r", Status.SUCCEEDED, datetime.now(UTC), 0.1, outcome)

    monkeypatch.setattr(one, "_run", planned)
    returned = one.execute({"dag_run": run_of(), "params": {}, "ti": ti})
    assert returned == ["runs/a/pull-000.json"]
    assert set(pushed) == {"delta", "transform"}
    assert len(json.dumps(pushed)) < 4096


@pytest.mark.parametrize("status", [Status.NOTHING_TO_DO, Status.SUCCEEDED])
def test_a_plan_with_nothing_to_do_skips_all_that_comes_after_it_and_no_other_does(
    status: Status, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import DAG, BaseOperator
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    from lakehouse_airflow import operators

    with DAG(dag_id="binance_um_klines", schedule=None) as dag:
        plan = operators.PlanOperator(task_id="plan", dataset="binance_um_klines")
        plan >> BaseOperator(task_id="pull") >> BaseOperator(task_id="report")
    result = StepResult(Step.PLAN, "a", "r", status, datetime.now(UTC), 0.1, PlanOutcome(PlanFigures()))
    monkeypatch.setattr(plan, "_run", lambda _order_key, _context: result)
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}), map_index=-1)
    context = {"dag_run": run_of(), "params": {}, "ti": ti, "task": dag.get_task("plan")}
    if status is Status.SUCCEEDED:
        assert plan.execute(context) == []
        assert set(pushed) == {"delta", "transform"}
        return
    with pytest.raises(DownstreamTasksSkipped) as raised:
        plan.execute(context)
    assert set(raised.value.tasks) == {"pull", "report"}
    assert plan.inherits_from_skipmixin, "Airflow skips them again where somebody clears one of them"


def test_gaps_become_arguments_of_triggered_runs(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow import operators

    fills = (
        Fill("binance_um_klines", ("BTCUSDT",), ("1h",), date(2025, 1, 1), date(2025, 1, 3)),
        Fill("binance_um_metrics", ("BTCUSDT",), (), date(2025, 1, 1), date(2025, 1, 1)),
    )
    one = operators.GapsOperator(task_id="find")

    def found(order_key: str, _context: object) -> Any:
        assert read_order(LocalStorage(lake), order_key, GapsOrder) == GapsOrder("r")
        return StepResult(Step.GAPS, "lake", "r", Status.SUCCEEDED, NOW, 0.1, GapsOutcome(GapsFigures(2, 2), fills))

    monkeypatch.setattr(one, "_run", found)
    returned = one.execute({"dag_run": run_of()})
    assert [run["trigger_dag_id"] for run in returned] == ["binance_um_klines", "binance_um_metrics"]
    assert returned[0]["conf"] == {
        "symbols": ["BTCUSDT"],
        "intervals": ["1h"],
        "start_date": "2025-01-01",
        "end_date": "2025-01-03",
        "fill": True,
    }
    assert "intervals" not in returned[1]["conf"], "the DAG of a dataset without intervals has no such Param"


def test_a_repair_becomes_runs_of_the_datasets_that_bring_data_again(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse_airflow import operators

    runs = (
        Fill("binance_um_klines", ("BTCUSDT",), ("1h",), date(2025, 1, 1), date(2025, 1, 3)),
        Fill("some_mart", ("BTCUSDT",), (), date(2025, 1, 1), date(2025, 1, 1)),
    )
    one = operators.MaintenanceOperator(task_id="repair", step=Step.REPAIR)

    def repaired(order_key: str, _context: object) -> Any:
        assert read_order(LocalStorage(lake), order_key, RepairOrder) == RepairOrder("r")
        outcome = RepairOutcome(RepairFigures(faults=2, runs_needed=2), runs=runs)
        return StepResult(Step.REPAIR, "lake", "r", Status.SUCCEEDED, NOW, 0.1, outcome)

    monkeypatch.setattr(one, "_run", repaired)
    (returned,) = one.execute({"dag_run": run_of()})
    assert returned["trigger_dag_id"] == "binance_um_klines"
    assert (returned["conf"]["start_date"], returned["conf"]["fill"]) == ("2025-01-01", False)


@pytest.mark.parametrize("market", list(Market))
def test_the_instruments_of_each_market_are_a_run_of_their_own(
    market: Market, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse_airflow import operators

    one = operators.InstrumentsOperator(task_id="update", market=market.value)
    keys: list[str] = []

    def updated(order_key: str, _context: object) -> Any:
        keys.append(order_key)
        outcome = InstrumentsOutcome(InstrumentsFigures(added=1), is_new_version=True)
        return StepResult(Step.INSTRUMENTS, f"binance_{market}", "r", Status.SUCCEEDED, NOW, 0.1, outcome)

    monkeypatch.setattr(one, "_run", updated)
    assert one.execute({"dag_run": run_of()})["added"] == 1
    assert keys == [first_order_key(Step.INSTRUMENTS, f"binance_{market}", "r")]
    assert read_order(LocalStorage(lake), keys[0], InstrumentsOrder) == InstrumentsOrder(market, "r")
