"""Results of steps, as tests of the Airflow side need them."""

from typing import Any

from crypto_lakehouse.runs.figures import PullFigures
from crypto_lakehouse.runs.outcomes import PullOutcome
from crypto_lakehouse.runs.results import Status, StepError, StepResult
from crypto_lakehouse.vocabulary import Step
from tests.step_results import STARTED, SUBJECT


def succeeded() -> StepResult[Any]:
    """Returns the result of a pull that succeeded."""
    return StepResult(Step.PULL, SUBJECT, "r", Status.SUCCEEDED, STARTED, 0.5, PullOutcome(PullFigures(objects=3)))


def failed(*, is_transient: bool = False, is_known: bool = True) -> StepResult[Any]:
    """Returns the result of a pull that failed with the message `why`."""
    error = StepError("X", "why", is_transient, is_known)
    return StepResult(Step.PULL, SUBJECT, "r", Status.FAILED, STARTED, 0.5, error=error)
