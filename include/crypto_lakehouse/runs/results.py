"""Results: the outcome of each step, which it writes next to its order as its last action.

`pull-000.json` gives `pull-000.pull.result.json`. A step without a result did not finish. The envelope `StepResult` is
the same for all steps; the outcome in it is of the verb's type (`outcomes.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.runs.codec import from_json, to_json
from crypto_lakehouse.runs.outcomes import OUTCOME_TYPES, Outcome, PlanOutcome, ReportOutcome
from crypto_lakehouse.verbs import VERBS, verb_of
from crypto_lakehouse.vocabulary import Step


class Status(StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepError:
    """Why a step failed.

    Args:
        name: The class of the error.
        message: What happened and what to do; no value of a foreign error, which may hold a secret.
        is_transient: Whether trying again may help.
        is_known: Whether it is an error of ours.
    """

    name: str
    message: str
    is_transient: bool = False
    is_known: bool = True


AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


@dataclass(frozen=True, slots=True)
class StepResult(Generic[AnyOutcome]):
    """How a step ended and what it did.

    Args:
        step: The verb.
        subject: What the run is about: a table, a market, or the lake.
        run_id: The run, as Airflow or the command line named it.
        status: How it ended.
        started_at: When it started, UTC.
        seconds: Wall time.
        outcome: What it did; None where it failed.
        error: Why it failed; None where it did not.
    """

    step: Step
    subject: str
    run_id: str
    status: Status
    started_at: datetime
    seconds: float = 0.0
    outcome: AnyOutcome | None = None
    error: StepError | None = None

    def completed(self) -> AnyOutcome:
        """Returns what the step did.

        Raises:
            InvalidRequest: The step failed.
        """
        if self.outcome is None:
            raise InvalidRequest(
                f"{self.step} of run {self.run_id} failed, so nothing can go on from there",
                f"Repeat {self.step} first",
                dataset=self.subject,
            )
        return self.outcome

    def counts(self) -> dict[str, int]:
        """Returns the figures by name; empty where the step failed."""
        return {} if self.outcome is None else self.outcome.figures.counts()

    def summary(self) -> dict[str, Any]:
        """Returns what people and alarms need of it, ready for JSON: without the facts for later steps."""
        more: dict[str, Any] = {}
        if isinstance(self.outcome, PlanOutcome):
            more = {"orders": self.outcome.orders}
        elif isinstance(self.outcome, ReportOutcome):
            more = {"steps_failed": len(self.outcome.failed)}
        return {
            "step": self.step.value,
            "subject": self.subject,
            "run_id": self.run_id,
            "status": self.status.value,
            "counts": self.counts(),
            "seconds": self.seconds,
            **more,
        }


def result_key(order_key: str, step: Step) -> str:
    """Returns the key of the result of `step` for the order at `order_key`."""
    return f"{order_key.removesuffix('.json')}.{step}.result.json"


def write_result(storage: Storage, order_key: str, result: StepResult[Any]) -> None:
    """Writes the result of a step next to its order."""
    storage.write(result_key(order_key, result.step), to_json(_result_type(result.step), result))


def read_result(storage: Storage, order_key: str, step: Step) -> StepResult[Any]:
    """Returns the result of `step` for the order at `order_key`.

    Raises:
        ArchiveFileMissing: The step has not finished.
        InvalidRequest: The file is not a result of the step.
    """
    key = result_key(order_key, step)
    return cast("StepResult[Any]", from_json(_result_type(step), storage.read(key), key))


def read_outcome(storage: Storage, order_key: str, kind: type[AnyOutcome]) -> AnyOutcome:
    """Returns what the step of an earlier verb did for the order at `order_key`.

    Args:
        storage: The lake.
        order_key: The order that both steps share.
        kind: The type of the outcome, which names the verb.

    Raises:
        ArchiveFileMissing: The step has not finished.
        InvalidRequest: The file is not a result of the step, or the step failed.
    """
    (step,) = (verb.step for verb in VERBS if verb.result == kind.__name__)
    return cast("AnyOutcome", read_result(storage, order_key, step).completed())


def _result_type(step: Step) -> Any:
    return StepResult[OUTCOME_TYPES[verb_of(step).result]]  # type: ignore[misc]
