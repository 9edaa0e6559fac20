"""Results as the files that steps leave, for programs in tests that stand in for a step."""

from datetime import UTC, datetime
from typing import Any

from crypto_lakehouse.runs.codec import to_json
from crypto_lakehouse.runs.figures import PlanFigures, PullFigures
from crypto_lakehouse.runs.outcomes import PlanOutcome, PullOutcome
from crypto_lakehouse.runs.results import Status, StepError, StepResult
from crypto_lakehouse.vocabulary import Step

STARTED = datetime(2025, 1, 1, tzinfo=UTC)
SUBJECT = "binance_um_klines"


def succeeded_pull(objects: int = 3) -> bytes:
    """Returns the result of a pull of some objects, as its file."""
    outcome = PullOutcome(PullFigures(objects=objects))
    return _file(StepResult(Step.PULL, SUBJECT, "r", Status.SUCCEEDED, STARTED, 0.5, outcome))


def failed_pull(*, is_transient: bool = False, is_known: bool = True) -> bytes:
    """Returns the result of a pull that failed with the message `why`, as its file."""
    error = StepError("X", "why", is_transient, is_known)
    return _file(StepResult(Step.PULL, SUBJECT, "r", Status.FAILED, STARTED, 0.5, error=error))


def idle_plan() -> bytes:
    """Returns the result of a plan that found nothing to do, as its file."""
    return _file(StepResult(Step.PLAN, SUBJECT, "r", Status.NOTHING_TO_DO, STARTED, 0.5, PlanOutcome(PlanFigures())))


def _file(result: StepResult[Any]) -> bytes:
    kinds: dict[Step, Any] = {Step.PLAN: StepResult[PlanOutcome], Step.PULL: StepResult[PullOutcome]}
    return to_json(kinds[result.step], result)
