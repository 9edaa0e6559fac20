"""What a run says at its end: one message that names everything red, whatever else of the run failed."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.runs.figures import PublishFigures, RunFigures
from crypto_lakehouse.runs.orders import PlanRequest, first_order_key, write_order
from crypto_lakehouse.runs.outcomes import FailedStep, ReportOutcome
from crypto_lakehouse.runs.results import Status, StepResult
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.pages import EXTERNAL_VIEWS
from tests.step_results import STARTED

pytestmark = pytest.mark.filterwarnings("ignore")

NAME = "binance_um_klines"
PUBLISHED = RunFigures(publish=PublishFigures(partitions_published=2, rows_published=1_440))
GREEN = ReportOutcome(PUBLISHED, "s3://lake/report.html")
RED = ReportOutcome(
    PUBLISHED,
    "s3://lake/report.html",
    refused_partitions=(
        "symbol_key=A/day=2025-01-01: 3 rows have a high below the low",
        "symbol_key=A/day=2025-01-02: held back: readers would lose 1 days",
    ),
    refused_objects=tuple(f"data/{number}.zip: ChecksumMismatch: other\nbytes" for number in range(12)),
    failed=(
        FailedStep(Step.DELTA, "delta-000.json", "451. See docs/runbook.md#the-exchange-refuses-us", "ExchangeRefused"),
        FailedStep(
            Step.CONFORM, "transform-000.json", "transform-000.json has no result of conform: it did not finish"
        ),
    ),
)


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(tmp_path))
    load_settings.cache_clear()
    return tmp_path


def finished(outcome: ReportOutcome) -> tuple[Any, dict[str, Any], BaseException | None]:
    """Returns what a report task gives back, what it hands on, and what it fails with."""
    from lakehouse_airflow.reporting import ReportOperator

    one = ReportOperator(task_id="report", dataset=NAME)
    key = first_order_key(Step.PLAN, NAME, "r")
    write_order(open_storage(load_settings()), key, PlanRequest(NAME, "r", "2025-01-01", "2025-01-01"))
    result = StepResult(Step.REPORT, NAME, "r", Status.SUCCEEDED, STARTED, 0.1, outcome)
    one._run = lambda _order_key, _context: result  # type: ignore[method-assign]
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    try:
        return one.execute({"dag_run": SimpleNamespace(run_id="r"), "ti": ti}), pushed, None
    except SystemExit as error:
        return None, pushed, error


def test_a_good_run_says_what_was_published() -> None:
    returned, pushed, error = finished(GREEN)
    assert error is None
    assert returned["rows_published"] == 1_440
    assert pushed == {"note": f"{NAME}: 2 partitions and 1,440 rows published\nReport: s3://lake/report.html"}


def test_one_message_names_what_was_refused_and_what_failed_and_what_to_do() -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    _, pushed, error = finished(RED)
    assert isinstance(error, TaskFailedForGood)
    lines = str(error).splitlines()
    assert lines[0] == (
        f"{NAME}: 2 partitions refused; 12 objects refused; 2 steps failed; 2 partitions and 1,440 rows published"
    )
    assert "Partition refused: symbol_key=A/day=2025-01-01: 3 rows have a high below the low" in lines
    assert "Object refused: data/9.zip: ChecksumMismatch: other bytes" in lines
    assert "and 2 more; see the report" in lines
    assert "Step failed: conform: transform-000.json has no result of conform: it did not finish" in lines
    assert re.findall(r"docs/runbook.md#([a-z-]+)", str(error)) == [
        *("a-partition-is-refused", "a-partition-is-held-back", "an-object-is-refused"),
        *("the-exchange-refuses-us", "a-step-did-not-finish"),
    ], "each entry once"
    assert lines[-1] == "Report: s3://lake/report.html"
    assert len(pushed["note"]) <= 1000


def test_a_run_without_a_plan_says_so_in_its_message_and_its_note() -> None:
    from lakehouse_airflow.errors import TaskFailedForGood
    from lakehouse_airflow.reporting import ReportOperator

    one = ReportOperator(task_id="report", dataset=NAME)
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    with pytest.raises(TaskFailedForGood, match="nothing was planned: ") as raised:
        one.execute({"dag_run": SimpleNamespace(run_id="r"), "ti": ti})
    assert pushed == {"note": str(raised.value)}


@pytest.mark.parametrize("is_ordered", [True, False])
def test_a_run_that_published_nothing_sends_no_event(is_ordered: bool) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from lakehouse_airflow.reporting import AnnounceOperator

    if is_ordered:
        key = first_order_key(Step.PLAN, NAME, "r")
        write_order(open_storage(load_settings()), key, PlanRequest(NAME, "r", "2025-01-01", "2025-01-01"))
    with pytest.raises(AirflowSkipException, match="nothing was published"):
        AnnounceOperator(task_id="announce", dataset=NAME).execute({"dag_run": SimpleNamespace(run_id="r")})


def test_the_report_task_has_a_button_that_leads_to_the_report_of_its_run() -> None:
    from lakehouse_airflow.reporting import ReportOperator

    one = ReportOperator(task_id="report", dataset=NAME)
    (link,) = one.operator_extra_links
    key: Any = SimpleNamespace(dag_id=NAME, run_id="manual__2025-01-01T00:00:00+00:00")
    run = "manual__2025-01-01T00%3A00%3A00%2B00%3A00"
    assert link.get_link(one, ti_key=key) == f"/dags/{NAME}/runs/{run}/plugin/lakehouse-run-report"
    tabs = {view["url_route"]: view for view in EXTERNAL_VIEWS}
    assert tabs["lakehouse-run-report"]["destination"] == "dag_run"
