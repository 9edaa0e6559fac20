"""The steps: a module for each verb, which carries out one work order.

`run_step` leaves a result file beside the order, whatever happens. The file is written last, so a step without one did
not finish. Every verb may be run again at any time: it reads what the layer below holds now, and changes only what
differs from it.
"""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, TransientError
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.marts import tables
from crypto_lakehouse.runs.orders import Order, order_of_step
from crypto_lakehouse.runs.results import Outcome, Status, StepError, StepResult, write_result
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps.context import Progress, StepContext
from crypto_lakehouse.verbs import Subject, verb_of
from crypto_lakehouse.vocabulary import Exchange, Market, Step

__all__ = ["Progress", "run_step"]


def run_step(step: Step, order_key: str, settings: Settings, progress: Progress | None = None) -> StepResult[Any]:
    """Carries out one work order and writes its result.

    Args:
        step: The verb.
        order_key: The order's key in the lake, or its full URI.
        settings: The deployment.
        progress: Listener for long work.

    Raises:
        LakehouseError: The step failed; the result file contains the reason too.
    """
    storage = open_storage(settings)
    key = order_key.removeprefix(storage.uri).lstrip("/")
    subject, run = _order_place(key, step)
    started, started_at = time.monotonic(), datetime.now(UTC)
    try:
        order = order_of_step(storage, key, step)
        with _work_folder(settings, step) as folder:
            outcome = _function(step)(StepContext(settings, storage, key, folder, progress or _silent), order)
    # This is the edge: whatever broke, the result file must contain it before the process ends.
    except Exception as error:
        seconds, reason = _seconds_since(started), _step_error(error)
        failed: StepResult[Any] = StepResult(step, subject, run, Status.FAILED, started_at, seconds, error=reason)
        write_result(storage, key, failed)
        raise
    status = Status.NOTHING_TO_DO if outcome.is_idle else Status.SUCCEEDED
    result: StepResult[Any] = StepResult(
        step, subject, order.run_id, status, started_at, _seconds_since(started), outcome
    )
    write_result(storage, key, result)
    return result


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


def _seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _silent(_what: str, _done: int, _total: int) -> None:
    """Listens to nothing."""


@contextmanager
def _work_folder(settings: Settings, step: Step) -> Iterator[Path]:
    """Yields a private scratch folder that is gone afterwards."""
    if settings.work_folder is not None:
        settings.work_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"lakehouse-{step}-", dir=settings.work_folder) as folder:
        yield Path(folder)


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
