"""A whole run in this process: the stages of the table of verbs, as a DAG runs them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crypto_lakehouse.exit_codes import worst_exit_code
from crypto_lakehouse.extras import require
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.marts import table
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.runs.figures import RunFigures
from crypto_lakehouse.runs.history import RunStatus, figures_of, refusals_of, status_of
from crypto_lakehouse.runs.orders import Order, PlanRequest, first_order_key, write_order
from crypto_lakehouse.runs.outcomes import PlanOutcome, ReportOutcome
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.verbs import Stage, stages_of, verb_of
from crypto_lakehouse.vocabulary import Step

RunStep = Callable[[Step, str, Settings, Progress], StepResult[Any]]
"""Carries out one work order."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed, for which order, and why; an error that is none of the lake's is a bug."""

    step: Step
    order_key: str
    error: Exception


@dataclass(slots=True)
class RunSummary:
    """What a run did.

    Args:
        request: What was asked for.
        order_key: Key of its plan order in the lake.
        results: Results of every step that succeeded, in order.
        failures: Every step that failed.
        seconds: Wall time.
    """

    request: PlanRequest
    order_key: str
    results: list[StepResult[Any]] = field(default_factory=list)
    failures: list[StepFailure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def status(self) -> RunStatus:
        """How the run ended."""
        return status_of(self.results, is_failed=bool(self.failures))

    @property
    def exit_code(self) -> int:
        """The exit code of a run with these failures: what is worst among them decides."""
        return worst_exit_code([failure.error for failure in self.failures])

    @property
    def report(self) -> str:
        """Where the run's quality report lies; empty where none was written."""
        outcomes = (result.outcome for result in self.results)
        return next((outcome.report for outcome in outcomes if isinstance(outcome, ReportOutcome)), "")

    @property
    def figures(self) -> RunFigures:
        """The figures of all steps."""
        return figures_of(self.results)

    @property
    def refused(self) -> tuple[str, ...]:
        """The archive objects that were refused, with reasons."""
        return refusals_of(self.results)

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns the figures by step, of the steps that ran; the report only repeats the others'."""
        ran = {result.step for result in self.results}
        return {step: counts for step, counts in self.figures.by_step().items() if step in ran}


def new_run_id(prefix: str) -> str:
    """Returns a run id that no other run has."""
    return f"{prefix}__{utc_now().isoformat(timespec='microseconds')}"


def run_pipeline(
    request: PlanRequest, settings: Settings, progress: Progress = no_progress, step: RunStep = run_step
) -> RunSummary:
    """Carries out a request from plan to report, and returns what came of it.

    A batch that fails does not stop the other batches, but where a pull failed nothing is built: a partition made of
    half its objects would be published and then rebuilt. Failures are in the summary; every step that finished stays
    done, so that the next run continues there.

    Args:
        request: What to bring.
        settings: The deployment.
        progress: Listener for long work.
        step: What carries out one work order.

    Raises:
        MissingExtra: A library that one of the verbs needs is not installed; nothing was done.
        LakehouseError: The lake could not take the order.
    """
    require(*_extras(request, settings))
    started = time.monotonic()
    summary = RunSummary(request, write_first_order(Step.PLAN, request, settings))
    run = _Runner(settings, progress, step, summary)
    for stage in _stages(request):
        run.carry_out(stage)
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


def _stages(request: PlanRequest) -> tuple[Stage, ...]:
    return stages_of(table(request.dataset).layer)


def write_first_order(step: Step, order: Order, settings: Settings) -> str:
    """Writes the order that a run starts with and returns its key.

    Raises:
        LakehouseError: The lake could not take the order.
    """
    key = first_order_key(step, order.subject, order.run_id)
    write_order(open_storage(settings), key, order)
    return key


def run_alone(
    step: Step, order: Order, settings: Settings, progress: Progress = no_progress, run: RunStep = run_step
) -> StepResult[Any]:
    """Carries out a run of one step and returns its result.

    Args:
        step: The verb.
        order: Its order.
        settings: The deployment.
        progress: Listener for long work.
        run: What carries out one work order.

    Raises:
        MissingExtra: A library that the verb needs is not installed; nothing was done.
        LakehouseError: The step failed.
    """
    require(*verb_of(step).extras)
    return run(step, write_first_order(step, order, settings), settings, progress)


def _extras(request: PlanRequest, settings: Settings) -> set[str]:
    """Returns the extras of the verbs that a request leads to."""
    unused = {Step.PULL} if not request.pull else set()
    if not (request.delta and settings.exchange.enabled):
        unused.add(Step.DELTA)
    return {
        extra
        for stage in _stages(request)
        for step in stage.steps
        if step not in unused
        for extra in verb_of(step).extras
    }


def write_plan(request: PlanRequest, settings: Settings, progress: Progress = no_progress) -> dict[str, Any]:
    """Runs the plan step alone and returns its figures and the orders it wrote, JSON-ready.

    Raises:
        MissingExtra: A library that the plan needs is not installed; nothing was done.
        LakehouseError: The plan failed.
    """
    require(*verb_of(Step.PLAN).extras)
    key = write_first_order(Step.PLAN, request, settings)
    result = run_step(Step.PLAN, key, settings, progress)
    orders = [order_key for keys in result.completed().orders.values() for order_key in keys]
    facts = {"dataset": request.dataset, "plan": key, "status": result.status.value}
    return {**facts, "counts": result.counts(), "orders": orders}


def explain(request: PlanRequest, settings: Settings, progress: Progress = no_progress) -> dict[str, Any]:
    """Returns what a run would pull and rebuild, JSON-ready; writes nothing.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    require(*verb_of(Step.PLAN).extras)

    from crypto_lakehouse.steps.context import StepContext
    from crypto_lakehouse.steps.plan import compare

    # A comparison writes no file, so no scratch folder has to exist.
    context = StepContext(settings, open_storage(settings), "", Path(), progress)
    comparison = compare(context, request)
    return {
        "dataset": request.dataset,
        "status": "dry_run",
        "counts": comparison.figures().counts(),
        "objects": [f"{wanted.reason} {wanted.key} ({wanted.size:,} bytes)" for wanted in comparison.pull.objects],
        "spans": [str(wanted) for wanted in comparison.delta.spans],
        "partitions": [partition.name for partition in comparison.stale],
        "days_without_object": comparison.pull.days_without_object,
    }


@dataclass(slots=True)
class _Runner:
    """Carries out the stages of a run, one after the other.

    Args:
        failed: The stages of which a step failed.
    """

    settings: Settings
    progress: Progress
    step: RunStep
    summary: RunSummary
    failed: set[str] = field(default_factory=set)

    def carry_out(self, stage: Stage) -> None:
        """Runs the steps of a stage for each of its orders, unless a stage failed that it needs."""
        if self.failed.intersection(stage.needs):
            return
        keys = self._order_keys(stage)
        for done, key in enumerate(keys):
            self._tell(stage, done, len(keys))
            self._carry_out_order(stage, key)
        if keys:
            self._tell(stage, len(keys), len(keys))

    def _order_keys(self, stage: Stage) -> Sequence[str]:
        if not verb_of(stage.steps[0]).is_mapped:
            return (self.summary.order_key,)
        outcomes = (result.outcome for result in self.summary.results)
        return [
            key
            for outcome in outcomes
            if isinstance(outcome, PlanOutcome)
            for key in outcome.orders.get(stage.order_stem, ())
        ]

    def _carry_out_order(self, stage: Stage, key: str) -> None:
        """Runs the steps of a stage for one order; a step that fails ends this order only."""
        for step in stage.steps:
            try:
                self.summary.results.append(self.step(step, key, self.settings, self.progress))
            # Neither a full disk nor a bug in one order may end the others, nor keep the report from being written.
            except Exception as error:
                self.summary.failures.append(StepFailure(step, key, error))
                self.failed.add(stage.name)
                return

    def _tell(self, stage: Stage, done: int, total: int) -> None:
        self.progress(f"{stage.name} orders", done, total)
