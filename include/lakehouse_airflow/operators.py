"""The operators of the lake's DAGs: each carries out one step with the runner that the deployment's settings name.

For every runner, the result file in the lake decides how a step ended. A step that ends with exit code 0 and has no
result has failed.
"""

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, SkipMixin
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import mask_secret

from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.datasets import dataset as dataset_of_name
from crypto_lakehouse.errors import ArchiveFileMissing, LakehouseError
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.runs.orders import (
    CollectOrder,
    GapsOrder,
    InstrumentsOrder,
    Order,
    PlanRequest,
    RepairOrder,
    ScrubOrder,
    first_order_key,
    order_of_step,
    write_order,
)
from crypto_lakehouse.runs.outcomes import GapsOutcome, PlanOutcome, RepairOutcome
from crypto_lakehouse.runs.results import Status, StepResult, read_result, result_key
from crypto_lakehouse.schedule import covered_days, with_lookback
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.telemetry import readable
from crypto_lakehouse.verbs import Subject, verb_of
from crypto_lakehouse.vocabulary import Market, Step
from lakehouse_airflow.choices import refuse_unknown_keys
from lakehouse_airflow.errors import raise_for, raise_without_result, told_in_one_message, translated_errors
from lakehouse_airflow.runners.choosing import new_runner
from lakehouse_airflow.runners.runner import DeferrableRunner, RunContext, Runner, task_labels

MAINTENANCE_ORDERS: dict[Step, Callable[[str], Order]] = {
    Step.SCRUB: ScrubOrder,
    Step.REPAIR: RepairOrder,
    Step.COLLECT: CollectOrder,
}
"""The orders of the care of the lake, each made from the id of a run."""

COMMAND = (sys.executable, "-m", "crypto_lakehouse.cli.worker")


class StepOperator(BaseOperator):
    """Carries out one step for one work order; returns the figures of its result.

    Args:
        step: The verb.
        work_order: Key of the order in the lake.
    """

    template_fields: Sequence[str] = ("work_order",)

    def __init__(self, *, step: str, work_order: str = "", **kwargs: Any) -> None:
        super().__init__(**{"doc_md": verb_of(Step(step)).help, **kwargs})
        self.step = step
        self.work_order = work_order
        self._runner: Runner | None = None

    @classmethod
    def mapped(cls, step: Step, work_orders: Any, **kwargs: Any) -> Any:
        """Returns a task for each work order that an earlier task names. The UI shows what it does before it runs."""
        known = {"task_id": step.value, "step": step.value, "doc_md": verb_of(step).help}
        return cls.partial(**known, **kwargs).expand(work_order=work_orders)

    def execute(self, context: Context) -> Any:
        """Runs the step and reads its result.

        Raises:
            TaskFailedForGood: The step failed, and a retry changes nothing.
            TaskFailed: The step failed, and a retry may help.
            TaskDeferred: A triggerer waits for the step.
        """
        with told_in_one_message():
            self._prepare(context)
            return self._finished(self._run(self._order_key(context), context), context)

    def resume(self, context: Context, event: Mapping[str, Any], order_key: str = "") -> Any:
        """Continues after a triggerer has waited for the step.

        Args:
            context: The task's.
            event: The event of the trigger.
            order_key: As deferred; `airflow dags test` and `DAG.test` pass the event alone.

        Raises:
            TaskFailedForGood: The step failed, and a retry changes nothing.
            TaskFailed: The step failed, and a retry may help.
            TaskDeferred: The step still runs.
        """
        order_key = order_key or self._order_key(context)
        with told_in_one_message():
            return self._finished(self._read(order_key, self._resumed(order_key, context, event)), context)

    def _resumed(self, order_key: str, context: Context, event: Mapping[str, Any]) -> int:
        step = Step(self.step)
        settings = _settings_for(order_key, step)
        runner = self._runner = new_runner(settings.runner_of(step), COMMAND)
        if not isinstance(runner, DeferrableRunner):
            raise AirflowException(f"{step} was deferred, and the settings name another runner now")
        return runner.resume(step, order_key, self._run_context(settings, context), event)

    def _prepare(self, context: Context) -> None:
        """Does what comes before the step."""

    def _order_key(self, _context: Context) -> str:
        return self.work_order

    def _finished(self, result: StepResult[Any], _context: Context) -> Any:
        """Returns the XCom of the task."""
        return result.counts()

    def _run_context(self, settings: Settings, context: Context) -> RunContext:
        _mask_secrets(settings)
        return RunContext(settings, self._log_line, task_labels(context), context)

    def _log_line(self, line: str) -> None:
        self.log.info("%s", readable(line))

    def _run(self, order_key: str, context: Context) -> StepResult[Any]:
        step = Step(self.step)
        settings = _settings_for(order_key, step)
        with translated_errors():
            open_storage(settings).delete(result_key(order_key, step))
        self._runner = new_runner(settings.runner_of(step), COMMAND)
        code = self._runner.run(step, order_key, self._run_context(settings, context))
        return self._read(order_key, code)

    def _read(self, order_key: str, code: int) -> StepResult[Any]:
        storage, step = open_storage(current_settings()), Step(self.step)
        with translated_errors():
            try:
                result = read_result(storage, order_key, step)
            except ArchiveFileMissing:
                raise_without_result(step, order_key, code)
        raise_for(result, code)
        self.log.info("%s %s: %s", step, result.status, result.counts())
        return result

    def on_kill(self) -> None:
        """Ends the step and everything it started."""
        if self._runner is not None:
            self._runner.stop()


class RunOperator(StepOperator):
    """Carries out a step whose order has a fixed place in the run's folder.

    Args:
        step: The verb.
        subject: What the run is about: a table, a market, or the lake.
    """

    def __init__(self, *, step: Step, subject: str, **kwargs: Any) -> None:
        super().__init__(step=step.value, **kwargs)
        self.subject = subject

    def _prepare(self, context: Context) -> None:
        """Raises an error if the run was given a key that is no Param of the DAG."""
        if dag := self.get_dag():
            refuse_unknown_keys(list(dag.params), context["dag_run"].conf)

    def _order_key(self, context: Context) -> str:
        return first_order_key(Step(self.step), self.subject, context["dag_run"].run_id)


class FirstStepOperator(RunOperator):
    """Writes the order that a run starts with, and carries out its step."""

    def _prepare(self, context: Context) -> None:
        super()._prepare(context)
        with translated_errors():
            write_order(open_storage(current_settings()), self._order_key(context), self.order(context))

    @abstractmethod
    def order(self, context: Context) -> Order:
        """Returns the order of a DAG run."""


class PlanOperator(FirstStepOperator, SkipMixin):
    """Plans the run of a dataset; its XComs are keys of the orders to carry out, and nothing else.

    The run's Params take precedence over its data interval. If nothing is planned, all later tasks are skipped at once:
    an idle run starts one task instead of one for each task that is not mapped.

    Args:
        dataset: Name of the dataset.
    """

    # If a user clears a later task alone, Airflow skips it again.
    _can_skip_downstream = True

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        super().__init__(step=Step.PLAN, subject=dataset, **kwargs)

    def order(self, context: Context) -> PlanRequest:
        """Returns what the DAG run asks for."""
        request = plan_request(self.subject, context["dag_run"], context["params"])
        self.log.info("days %s to %s", request.first_day, request.last_day)
        return request

    def _finished(self, result: StepResult[Any], context: Context) -> Any:
        outcome: PlanOutcome = result.completed()
        for stem in ("delta", "transform"):
            context["ti"].xcom_push(key=stem, value=list(outcome.orders.get(stem, ())))
        if result.status is Status.NOTHING_TO_DO:
            self.log.info("nothing to do: the lake already holds what the archive has")
            self.skip(context["ti"], context["task"].get_flat_relatives(upstream=False))
        return list(outcome.orders.get("pull", ()))


class GapsOperator(FirstStepOperator):
    """Searches the lake for gaps; its XCom is a list of arguments for TriggerDagRunOperator, one for each dataset."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step=Step.GAPS, subject=Subject.LAKE.value, **kwargs)

    def order(self, context: Context) -> GapsOrder:
        """Returns an order for the whole lake."""
        return GapsOrder(context["dag_run"].run_id)

    def _finished(self, result: StepResult[Any], _context: Context) -> Any:
        outcome: GapsOutcome = result.completed()
        return [{"trigger_dag_id": fill.dataset, "conf": fill_params(fill)} for fill in outcome.fills]


class InstrumentsOperator(FirstStepOperator):
    """Brings the instrument master of one market up to date.

    Args:
        market: The market.
    """

    def __init__(self, *, market: str, **kwargs: Any) -> None:
        self.market = market
        super().__init__(step=Step.INSTRUMENTS, subject=InstrumentsOrder(Market(market), "").subject, **kwargs)

    def order(self, context: Context) -> InstrumentsOrder:
        """Returns an order for the market."""
        return InstrumentsOrder(Market(self.market), context["dag_run"].run_id)


class MaintenanceOperator(FirstStepOperator):
    """Carries out one step of the care of the lake: scrub, repair or collect.

    The XCom of a repair is a list of arguments for TriggerDagRunOperator, one for each run that brings something again.
    Marts have no DAG that brings data: they are built again when their inputs are.

    Args:
        step: The verb.
    """

    def __init__(self, *, step: Step, **kwargs: Any) -> None:
        super().__init__(step=step, subject=Subject.LAKE.value, **kwargs)

    def order(self, context: Context) -> Order:
        """Returns an order for the whole lake."""
        return MAINTENANCE_ORDERS[Step(self.step)](context["dag_run"].run_id)

    def _finished(self, result: StepResult[Any], context: Context) -> Any:
        outcome = result.completed()
        if not isinstance(outcome, RepairOutcome):
            return super()._finished(result, context)
        for fault in outcome.left:
            self.log.warning("%s", fault)
        known = {dataset.name for dataset in DATASETS}
        runs = [run for run in outcome.runs if run.dataset in known]
        return [{"trigger_dag_id": run.dataset, "conf": {**fill_params(run), "fill": False}} for run in runs]


def fill_params(fill: Fill) -> dict[str, Any]:
    """Returns the Params of a run that fills gaps of a dataset."""
    params = {
        "symbols": list(fill.symbols),
        "start_date": fill.first_day.isoformat(),
        "end_date": fill.last_day.isoformat(),
        "fill": True,
    }
    return {**params, "intervals": list(fill.intervals)} if fill.intervals else params


def returned(orders: list[str]) -> list[str]:
    """Returns the plan's orders of one kind. Airflow maps tasks only over the return value of a task."""
    return orders


def plan_request(dataset: str, run: Any, params: Mapping[str, Any]) -> PlanRequest:
    """Returns what a DAG run asks for: its Params where set, else the days of its data interval.

    A scheduled run looks back some days, for files that came late or were replaced; a backfill does not.
    """
    table = dataset_of_name(dataset)
    if run.data_interval_start and run.data_interval_end and run.data_interval_start < run.data_interval_end:
        first, last = covered_days(table, run.data_interval_start, run.data_interval_end)
    else:
        first = last = run.run_after.date() - timedelta(days=1)
    if str(run.run_type).rpartition(".")[2].lower() == "scheduled":
        first = with_lookback(table, first)
    return PlanRequest(
        dataset=dataset,
        run_id=run.run_id,
        first_day=str(date.fromisoformat(params["start_date"]) if params.get("start_date") else first),
        last_day=str(date.fromisoformat(params["end_date"]) if params.get("end_date") else last),
        symbols=tuple(filter(None, params.get("symbols") or ())),
        intervals=tuple(params.get("intervals") or ()),
        profile=params.get("profile") or "",
        delta=params.get("delta") is not False,
        fill=params.get("fill") is True,
    )


def _mask_secrets(settings: Settings) -> None:
    """Lets Airflow remove secrets from its logs, also if a step or a library prints them."""
    of_settings = (settings.storage.secret_access_key, settings.exchange.api_key)
    of_the_process = (os.environ.get(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    for secret in (*(value.get_secret_value() for value in of_settings if value), *filter(None, of_the_process)):
        mask_secret(secret)


def current_settings() -> Settings:
    """Returns the settings of the deployment.

    Raises:
        AirflowFailException: They are not valid.
    """
    with translated_errors():
        return load_settings()


def _settings_for(order_key: str, step: Step) -> Settings:
    """Returns the settings that hold for an order of this size."""
    settings = current_settings()
    if not settings.sizes:
        return settings
    try:
        return settings.for_order(order_of_step(open_storage(settings), order_key, step).work_bytes)
    except LakehouseError:
        # The step fails with the reason.
        return settings
