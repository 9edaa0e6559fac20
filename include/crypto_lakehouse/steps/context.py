"""What every step needs, and how it says what it did."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.work import DeltaOrder, PlanRequest, PullOrder, StepResult, TransformOrder
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step

Progress = Callable[[str, int, int], None]
"""Called with what is being counted, how much is done, and how much there is."""

SUCCEEDED, NOTHING_TO_DO, FAILED = "succeeded", "nothing_to_do", "failed"


@dataclass(frozen=True, slots=True)
class StepContext:
    """What every verb needs: the deployment, the lake, its order's key, a scratch folder and a listener."""

    settings: Settings
    storage: Storage
    order_key: str
    work_folder: Path
    progress: Progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb did: figures, facts for the next step, orders written; `idle` where there was nothing to do."""

    counts: dict[str, int]
    payload: dict[str, Any] = field(default_factory=dict)
    orders: dict[str, list[str]] = field(default_factory=dict)
    idle: bool = False


def result(step: Step, order: PlanRequest | PullOrder | DeltaOrder | TransformOrder, outcome: Outcome) -> StepResult:
    """Returns the result of a step that did not fail."""
    return StepResult(
        step=step.value,
        dataset=order.dataset,
        run_id=order.run_id,
        status=NOTHING_TO_DO if outcome.idle else SUCCEEDED,
        counts=outcome.counts,
        orders=outcome.orders,
        payload=outcome.payload,
    )
