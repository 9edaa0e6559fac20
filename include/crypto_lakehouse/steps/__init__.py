"""The steps: a module for each verb, which carries out one work order.

`run_step` writes a result file next to the order in every case. The file is written last, so a step without one did
not finish. Every verb may be run again at any time: it reads what the layer below holds now, and changes only what
differs from it.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from crypto_lakehouse import telemetry
from crypto_lakehouse.errors import InvalidRequest, LakehouseError, TransientError
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.marts import tables
from crypto_lakehouse.ownership import scratch_folder
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.runs.orders import Order, order_of_step
from crypto_lakehouse.runs.outcomes import Outcome
from crypto_lakehouse.runs.results import Status, StepError, StepResult, write_result
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.termination import raise_if_ended
from crypto_lakehouse.verbs import Subject, verb_of
from crypto_lakehouse.vocabulary import Exchange, Market, Step

__all__ = ["run_step"]


def run_step(step: Step, order_key: str, settings: Settings, progress: Progress = no_progress) -> StepResult[Any]:
    """Carries out one work order and writes its result; what killed steps left behind is removed first.

    Args:
        step: The verb.
        order_key: The order's key in the lake, or its full URI.
        settings: The deployment.
        progress: Listener for long work.

    Raises:
        LakehouseError: The step failed; the result file contains the reason too, unless the lake cannot be written.
    """
    raise_if_ended()
    storage = open_storage(settings)
    key = order_key.removeprefix(storage.uri).lstrip("/")
    attempt = _Attempt(step, *_order_place(key, step))
    with telemetry.bound(step=step.value, dataset=attempt.subject, run=attempt.run):
        telemetry.event("step_started")
        try:
            with translated(_work_place(settings)):
                result = _carry_out(attempt, StepContext(settings, storage, key, Path(), progress))
                write_result(storage, key, result)
        # This is the edge: the result file must contain every error before the process ends.
        except Exception as error:
            failed = attempt.failed(error)
            telemetry.event("step_failed", Level.ERROR, error=type(error).__name__, seconds=failed.seconds)
            _write_if_possible(storage, key, failed)
            raise
        figures = {name: count for name, count in result.counts().items() if count}
        telemetry.event("step_ended", ended=result.status.value, seconds=result.seconds, **figures)
    return result


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One execution of a work order, of which a result is made however it ends.

    Args:
        step: The verb.
        subject: What the run is about.
        run: Name of the run's folder, for an order that cannot be read.
    """

    step: Step
    subject: str
    run: str
    started_at: datetime = field(default_factory=utc_now)
    _started: float = field(default_factory=time.monotonic)

    def finished(self, order: Order, outcome: Outcome) -> StepResult[Any]:
        """Returns the result of a step that did what it was to do."""
        status = Status.NOTHING_TO_DO if outcome.is_idle else Status.SUCCEEDED
        return StepResult(self.step, self.subject, order.run_id, status, self.started_at, self._seconds(), outcome)

    def failed(self, error: Exception) -> StepResult[Any]:
        """Returns the result of a step that an error ended."""
        reason = _step_error(error)
        return StepResult(
            self.step, self.subject, self.run, Status.FAILED, self.started_at, self._seconds(), error=reason
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 3)


def _order_place(key: str, step: Step) -> tuple[str, str]:
    """Returns the subject of an order and the name of its run's folder."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "runs" or not parts[3].endswith(".json"):
        raise InvalidRequest(f"{key!r} is not a work order", "Give runs/<subject>/<run>/<order>.json or its full URI")
    kind, subject = verb_of(step).subject, parts[1]
    if subject not in _subjects(kind):
        raise InvalidRequest(f"{key!r} is no order of {step}: {subject!r} is not a {kind}", f"See {step} --help")
    return subject, parts[2]


def _subjects(kind: Subject) -> Collection[str]:
    if kind is Subject.LAKE:
        return (Subject.LAKE.value,)
    if kind is Subject.MARKET:
        return {f"{exchange}_{market}" for exchange in Exchange for market in Market}
    return {table.name for table in tables()}


def _carry_out(attempt: "_Attempt", context: StepContext) -> StepResult[Any]:
    """Returns the result of a step that no error ended."""
    order = order_of_step(context.storage, context.order_key, attempt.step)
    context.storage.remove_unfinished()
    with scratch_folder(context.settings.work_folder, attempt.step) as folder:
        return attempt.finished(order, _function(attempt.step)(replace(context, work_folder=folder), order))


def _work_place(settings: Settings) -> str:
    """Returns where a step works, for errors that name no path."""
    return str(settings.work_folder or "the temporary folder")


def _write_if_possible(storage: Storage, key: str, failed: StepResult[Any]) -> None:
    """Writes why a step failed, unless the lake cannot be written: then this may be the very reason."""
    try:
        write_result(storage, key, failed)
    except LakehouseError as error:
        telemetry.event("result_not_written", Level.ERROR, error=type(error).__name__)


def _function(step: Step) -> Callable[[StepContext, Order], Outcome]:
    # Each verb loads only its own engine: a pull needs no Great Expectations, a gate no HTTP client.
    module = import_module(f"crypto_lakehouse.steps.{step.value}")
    return cast("Callable[[StepContext, Order], Outcome]", getattr(module, step.value))


def _step_error(error: Exception) -> StepError:
    is_known = isinstance(error, LakehouseError)
    return StepError(
        name=type(error).__name__,
        # A foreign error's text may quote a value; only our own messages are known to contain no secret.
        message=str(error) if is_known else "unexpected; see the step's log",
        is_transient=isinstance(error, TransientError),
        is_known=is_known,
    )
