"""The record of a run: what it was asked for, how it ended and what it did, read from its files in the lake.

No engine is needed for it: Airflow's own processes read it too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crypto_lakehouse.errors import ArchiveFileMissing, LakehouseError
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.marts import table
from crypto_lakehouse.runs.figures import RunFigures
from crypto_lakehouse.runs.orders import PlanRequest, read_order
from crypto_lakehouse.runs.outcomes import ConformOutcome, FailedStep, GateOutcome, PlanOutcome, PullOutcome
from crypto_lakehouse.runs.results import Status, StepResult, read_result
from crypto_lakehouse.verbs import stages_of
from crypto_lakehouse.vocabulary import Condition, Step


class RunStatus(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    NOTHING_TO_DO = "nothing_to_do"
    QUARANTINED = "quarantined"
    """Everything sound was published, and the rest was refused: objects of the archive, or partitions by the gate."""
    FAILED = "failed"
    """A step failed or did not finish."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Args:
        request: What was asked for.
        plan_key: Key of its plan order.
        results: The results of its steps, in the order of the stages; the result of the report is not among them.
        failures: Its steps that failed or did not finish.
    """

    request: PlanRequest
    plan_key: str
    results: tuple[StepResult[Any], ...]
    failures: tuple[FailedStep, ...]

    @property
    def figures(self) -> RunFigures:
        """The figures of all its steps."""
        return figures_of(self.results)

    @property
    def status(self) -> RunStatus:
        """How the run ended."""
        return status_of(self.results, is_failed=bool(self.failures))

    @property
    def seconds(self) -> float:
        """Wall time of all its steps, one after the other."""
        return sum(result.seconds for result in self.results)

    @property
    def report_key(self) -> str:
        """Where its quality report lies, if the report step came that far."""
        return report_key(self.plan_key)


def figures_of(results: Iterable[StepResult[Any]]) -> RunFigures:
    """Returns the sums of the figures of a run's steps."""
    return RunFigures.of(result.outcome.figures for result in results if result.outcome is not None)


def status_of(results: Sequence[StepResult[Any]], *, is_failed: bool) -> RunStatus:
    """Returns how a run ended.

    Args:
        results: The results of its steps.
        is_failed: Whether a step failed or did not finish.
    """
    if is_failed:
        return RunStatus.FAILED
    figures = figures_of(results)
    if figures.quarantined or figures.gate.partitions_quarantined:
        return RunStatus.QUARANTINED
    idle = [result.status is Status.NOTHING_TO_DO for result in results if result.step is Step.PLAN]
    return RunStatus.NOTHING_TO_DO if any(idle) else RunStatus.SUCCEEDED


def refusals_of(results: Iterable[StepResult[Any]]) -> tuple[str, ...]:
    """Returns each archive object that a run refused, and why: as damaged by the pull, as unusable by conform."""
    outcomes = [result.outcome for result in results]
    refusing = [outcome for outcome in outcomes if isinstance(outcome, PullOutcome | ConformOutcome)]
    return tuple(f"{each.key}: {each.error}: {each.reason}" for outcome in refusing for each in outcome.refused)


def refused_partitions(results: Iterable[StepResult[Any]]) -> tuple[str, ...]:
    """Returns each partition that the gate of a run refused, and why."""
    outcomes = [result.outcome for result in results]
    verdicts = [verdict for outcome in outcomes if isinstance(outcome, GateOutcome) for verdict in outcome.verdicts]
    refused = [verdict for verdict in verdicts if verdict.condition is Condition.QUARANTINED]
    return tuple(f"{verdict.candidate.partition}: {'; '.join(verdict.reasons)}" for verdict in refused)


def report_key(plan_key: str) -> str:
    """Returns where the report of a plan's run lies: `quality/<table>/<run>/report.html`."""
    return f"{plan_key.rpartition('/')[0].replace('runs/', 'quality/', 1)}/report.html"


def read_run(storage: Storage, plan_key: str) -> RunRecord:
    """Returns a run; a step that the plan called for and that left no result counts as failed.

    A step that was not started because the one before it failed is not counted: it has no reason of its own.

    Raises:
        ArchiveFileMissing: The plan was not ordered.
        InvalidRequest: The plan's order cannot be read.
    """
    request = read_order(storage, plan_key, PlanRequest)
    results: list[StepResult[Any]] = []
    failures: list[FailedStep] = []

    def take(order_key: str, step: Step, is_expected: bool = True) -> StepResult[Any] | None:
        result, failure = _result_or_failure(storage, order_key, step)
        if result is not None:
            results.append(result)
        if failure and (is_expected or result is not None):
            failures.append(failure)
        return result

    planned = take(plan_key, Step.PLAN)
    orders = planned.outcome.orders if planned and isinstance(planned.outcome, PlanOutcome) else {}
    failed_stages: set[str] = set()
    for stage in stages_of(table(request.dataset).layer):
        for order_key in orders.get(stage.order_stem, ()):
            is_expected = not failed_stages.intersection(stage.needs)
            for step in stage.steps:
                known = len(failures)
                take(order_key, step, is_expected)
                is_expected &= len(failures) == known
        if any(failure.step in stage.steps for failure in failures):
            failed_stages.add(stage.name)
    return RunRecord(request, plan_key, tuple(results), tuple(failures))


def _result_or_failure(
    storage: Storage, order_key: str, step: Step
) -> tuple[StepResult[Any] | None, FailedStep | None]:
    """Returns a step's result, and its failure if it failed."""
    try:
        result = read_result(storage, order_key, step)
    except ArchiveFileMissing:
        return None, FailedStep(step, order_key, f"{order_key} has no result of {step}: it did not finish")
    except LakehouseError as error:
        return None, FailedStep(step, order_key, str(error), type(error).__name__)
    if result.error is None:
        return result, None
    return result, FailedStep(step, order_key, result.error.message, result.error.name)
