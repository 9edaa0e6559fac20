"""The operators of the lake's DAGs: each carries out one step by the runner that the deployment's settings name.

Whatever runs a step, its result file in the lake decides how it went: a step that says it succeeded and left no
result has failed.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import ArchiveFileMissing, LakehouseError
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.runs.orders import PlanRequest, first_order_key, order_of_step, write_order
from crypto_lakehouse.runs.results import PlanOutcome, ReportOutcome, Status, StepResult, read_result, result_key
from crypto_lakehouse.schedule import covered_days, with_lookback
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.errors import raise_for, translated_errors
from lakehouse_airflow.runners.choosing import new_runner
from lakehouse_airflow.runners.runner import DeferrableRunner, RunContext, Runner, task_labels

COMMAND = (sys.executable, "-m", "crypto_lakehouse.cli", "step")


class StepOperator(BaseOperator):
    """Carries out one step for one work order; returns the result's counts.

    Args:
        step: The verb.
        work_order: Key of the order in the lake.
    """

    template_fields: Sequence[str] = ("work_order",)

    def __init__(self, *, step: str, work_order: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.work_order = work_order
        self._runner: Runner | None = None

    def execute(self, context: Context) -> Any:
        """Runs the step and reads its result; returns its counts.

        Raises:
            AirflowFailException: It failed and trying again changes nothing.
            AirflowException: It failed and may succeed later.
            TaskDeferred: A triggerer waits for it.
        """
        return self._finished(self._run(self.work_order, context), context)

    def resume(self, context: Context, event: Mapping[str, Any], order_key: str = "") -> Any:
        """Goes on where `execute` left the waiting to a triggerer.

        Args:
            context: The task's.
            event: What the triggerer says.
            order_key: As deferred; `airflow dags test` and `DAG.test` hand on the event alone.

        Raises:
            AirflowFailException: The step failed and trying again changes nothing.
            AirflowException: It failed and may succeed later.
            TaskDeferred: It still runs.
        """
        order_key = order_key or self._order_key(context)
        settings, step = _settings_for(order_key, Step(self.step)), Step(self.step)
        runner = self._runner = new_runner(settings.runner_of(step), COMMAND)
        if not isinstance(runner, DeferrableRunner):
            raise AirflowException(f"{step} was deferred, and the settings name another runner now")
        code = runner.resume(step, order_key, self._run_context(settings, context), event)
        return self._finished(self._read(order_key, code), context)

    def _order_key(self, _context: Context) -> str:
        return self.work_order

    def _finished(self, result: StepResult[Any], _context: Context) -> Any:
        return result.counts()

    def _run_context(self, settings: Settings, context: Context) -> RunContext:
        _mask_secrets(settings)
        return RunContext(settings, self._log_line, task_labels(context), context)

    def _log_line(self, line: str) -> None:
        self.log.info("%s", line)

    def _run(self, order_key: str, context: Context) -> StepResult[Any]:
        settings, step = _settings_for(order_key, Step(self.step)), Step(self.step)
        open_storage(settings).delete(result_key(order_key, step))
        self._runner = new_runner(settings.runner_of(step), COMMAND)
        code = self._runner.run(step, order_key, self._run_context(settings, context))
        return self._read(order_key, code)

    def _read(self, order_key: str, code: int) -> StepResult[Any]:
        storage, step = open_storage(_settings()), Step(self.step)
        with translated_errors():
            try:
                result = read_result(storage, order_key, step)
            except ArchiveFileMissing as error:
                raise AirflowException(
                    f"{step} left no result for {order_key} (exit code {code}): it did not finish"
                ) from error
        raise_for(result, code)
        self.log.info("%s %s: %s", step, result.status, result.counts())
        return result

    def on_kill(self) -> None:
        """Ends the step and everything it started."""
        if self._runner is not None:
            self._runner.stop()


class RunOperator(StepOperator):
    """Carries out a step that is about a whole run: its order is the run's plan.

    Args:
        step: The verb.
        dataset: The run's dataset.
    """

    def __init__(self, *, step: str, dataset: str, **kwargs: Any) -> None:
        super().__init__(step=step, **kwargs)
        self.dataset = dataset

    def _order_key(self, context: Context) -> str:
        return first_order_key(Step(self.step), self.dataset, context["dag_run"].run_id)


class PlanOperator(RunOperator):
    """Writes the run's request into the lake and plans it; pushes the keys of the orders to carry out.

    The run's Params win over its data interval; its XComs hold keys of orders, nothing else.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step=Step.PLAN.value, **kwargs)

    def execute(self, context: Context) -> Any:
        """Plans the run; returns the keys of the pull orders.

        Raises:
            AirflowFailException: The request is not acceptable or the listing is suspect.
            AirflowException: The bucket did not answer.
        """
        run = context["dag_run"]
        request = plan_request(self.dataset, run, context["params"])
        self.log.info("days %s to %s", request.first_day, request.last_day)
        key = self._order_key(context)
        write_order(open_storage(_settings()), key, request)
        return self._finished(self._run(key, context), context)

    def _finished(self, result: StepResult[Any], context: Context) -> Any:
        outcome: PlanOutcome = result.completed()
        for stem in ("delta", "transform"):
            context["ti"].xcom_push(key=stem, value=list(outcome.orders.get(stem, ())))
        return list(outcome.orders.get("pull", ()))


class ReportOperator(RunOperator):
    """Writes the run's report; is skipped where nothing was published, so that no asset event is sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step=Step.REPORT.value, **kwargs)

    def execute(self, context: Context) -> Any:
        """Reports the run, one whose plan failed too.

        Raises:
            AirflowSkipException: The run had nothing to do, or published nothing.
            AirflowFailException: A step of the run failed.
        """
        key = self._order_key(context)
        if _nothing_was_planned(key):
            raise AirflowSkipException("nothing to do: the lake already holds what the archive has")
        return self._finished(self._run(key, context), context)

    def _finished(self, result: StepResult[Any], context: Context) -> Any:
        outcome: ReportOutcome = result.completed()
        figures = outcome.figures
        context["ti"].xcom_push(key="quarantined", value=figures.quarantined)
        if not figures.publish.partitions_published and not figures.quarantined:
            raise AirflowSkipException("nothing was published")
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {**figures.counts()}
        return figures.counts()


def _nothing_was_planned(key: str) -> bool:
    try:
        plan = read_result(open_storage(_settings()), key, Step.PLAN)
    except LakehouseError:
        # The report itself says so, and fails.
        return False
    return plan.status is Status.NOTHING_TO_DO


def returned(orders: list[str]) -> list[str]:
    """Returns the plan's orders of one kind. Airflow maps tasks only over the return value of a task."""
    return orders


def check_quarantine(quarantined: int | None) -> None:
    """Fails the run if something was quarantined, after everything else was published.

    Raises:
        AirflowFailException: Objects or partitions were quarantined.
    """
    if quarantined:
        raise AirflowFailException(
            f"{quarantined} objects or partitions were quarantined; readers keep the former versions. "
            "See the run's report for the reasons"
        )


def plan_request(dataset: str, run: Any, params: Mapping[str, Any]) -> PlanRequest:
    """Returns what a DAG run asks for: its Params where set, else the days of its data interval.

    A scheduled run looks back some days, for files that came late or were replaced; a backfill does not.
    """
    row = dataset_row(dataset)
    if run.data_interval_start and run.data_interval_end and run.data_interval_start < run.data_interval_end:
        first, last = covered_days(row, run.data_interval_start, run.data_interval_end)
    else:
        first = last = run.run_after.date() - timedelta(days=1)
    if str(run.run_type).rpartition(".")[2].lower() == "scheduled":
        first = with_lookback(row, first)
    return PlanRequest(
        dataset=dataset,
        run_id=run.run_id,
        first_day=str(date.fromisoformat(params["start_date"]) if params.get("start_date") else first),
        last_day=str(date.fromisoformat(params["end_date"]) if params.get("end_date") else last),
        symbols=tuple(params.get("symbols") or ()),
        intervals=tuple(params.get("intervals") or ()) if row.has_interval else (),
        profile=params.get("profile") or "",
        delta=bool(params.get("delta", True)),
        fill=bool(params.get("fill", False)),
    )


def _mask_secrets(settings: Settings) -> None:
    """Has Airflow blot secrets out of its logs, whatever a step or a library of its prints."""
    of_settings = (settings.storage.secret_access_key, settings.exchange.api_key)
    of_the_process = (os.environ.get(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    for secret in (*(one.get_secret_value() for one in of_settings if one), *filter(None, of_the_process)):
        mask_secret(secret)


def _settings() -> Settings:
    with translated_errors():
        return load_settings()


def _settings_for(order_key: str, step: Step) -> Settings:
    """Returns the settings that hold for an order of this size."""
    settings = _settings()
    if not settings.sizes:
        return settings
    try:
        return settings.for_order(order_of_step(open_storage(settings), order_key, step).work_bytes)
    except LakehouseError:
        # The step itself says what is wrong with its order.
        return settings
