"""The seven verbs of the pipeline: plan, pull, delta, conform, gate, publish, report.

`run_step` carries out one work order and leaves a result file beside it, whatever happens: the file is written last,
so a step without one did not finish. Every verb may be run again at any time. Each reads what the layer below holds
now and brings only what differs into agreement with it.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import cast

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import InvalidRequest, LakehouseError, TransientError
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.work import StepResult, write_result
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps.context import FAILED, Progress, StepContext
from crypto_lakehouse.vocabulary import Step

__all__ = ["Progress", "run_step"]


def run_step(step: Step, order_key: str, settings: Settings, progress: Progress | None = None) -> StepResult:
    """Carries out one work order and writes its result.

    Args:
        step: The verb.
        order_key: The order's key in the lake, or its full URI.
        settings: The deployment.
        progress: Listener for long work.

    Raises:
        LakehouseError: The step failed; the result file says so too.
    """
    storage = open_storage(settings)
    key = order_key.removeprefix(storage.uri).lstrip("/")
    dataset, run_folder = _order_place(key)
    started = time.monotonic()
    try:
        with _work_folder(settings, step) as folder:
            outcome = _verb(step)(StepContext(settings, storage, key, folder, progress or _silent))
    # This is the edge: whatever broke, the result file must say so before the process ends.
    except Exception as error:
        failed = _failure(step, dataset, run_folder, error)
        write_result(storage, key, replace(failed, seconds=time.monotonic() - started))
        raise
    timed = replace(outcome, seconds=round(time.monotonic() - started, 3))
    write_result(storage, key, timed)
    return timed


def _order_place(key: str) -> tuple[str, str]:
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "runs" or not parts[3].endswith(".json"):
        raise InvalidRequest(f"{key!r} is not a work order", "Give runs/<dataset>/<run>/<order>.json or its full URI")
    return dataset_row(parts[1]).name, parts[2]


def _silent(_what: str, _done: int, _total: int) -> None:
    """Listens to nothing."""


@contextmanager
def _work_folder(settings: Settings, step: Step) -> Iterator[Path]:
    """Yields a private scratch folder that is gone afterwards."""
    if settings.work_folder is not None:
        settings.work_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"lakehouse-{step}-", dir=settings.work_folder) as folder:
        yield Path(folder)


def _verb(step: Step) -> Callable[[StepContext], StepResult]:
    # Each verb loads only its own engine: a pull needs no Great Expectations, a gate no HTTP client.
    module = import_module(f"crypto_lakehouse.steps.{step.value}")
    return cast("Callable[[StepContext], StepResult]", getattr(module, step.value))


def _failure(step: Step, dataset: str, run_id: str, error: Exception) -> StepResult:
    known = isinstance(error, LakehouseError)
    return StepResult(
        step=step.value,
        dataset=dataset,
        run_id=run_id,
        status=FAILED,
        error={
            "class": type(error).__name__,
            # A foreign error's text may quote what it was given; only our own messages are known to hold no secret.
            "message": str(error) if known else "unexpected; see the step's log",
            "transient": isinstance(error, TransientError),
            "known": known,
        },
    )
