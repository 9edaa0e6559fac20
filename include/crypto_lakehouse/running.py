"""A whole run in this process: the verbs in the order in which a DAG runs them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.extras import require
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.work import PlanRequest, StepResult, run_folder, write_order
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps import Progress, run_step
from crypto_lakehouse.verbs import VERBS
from crypto_lakehouse.vocabulary import Step

RunStep = Callable[[Step, str, Settings, Progress | None], StepResult]
TRANSFORM = (Step.CONFORM, Step.GATE, Step.PUBLISH)


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed, for which order, and why."""

    step: Step
    order_key: str
    error: LakehouseError


@dataclass(slots=True)
class RunSummary:
    """What a run did.

    Args:
        request: What it was asked for.
        order_key: Its plan order in the lake.
        results: Of every step that finished, in order.
        failures: Of every step that did not.
        seconds: Wall time.
    """

    request: PlanRequest
    order_key: str
    results: list[StepResult] = field(default_factory=list)
    failures: list[StepFailure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """`failed`, `quarantined` where the gate refused something, `nothing_to_do` or `succeeded`."""
        if self.failures:
            return "failed"
        if self.count(Step.GATE, "partitions_quarantined"):
            return "quarantined"
        planned = [result.status for result in self.results if result.step == Step.PLAN]
        return planned[0] if planned else "succeeded"

    @property
    def report(self) -> str:
        """Where the run's quality report lies; empty where none was written."""
        found = [str(result.payload.get("report", "")) for result in self.results if result.step == Step.REPORT]
        return found[0] if found else ""

    def count(self, step: Step, name: str) -> int:
        """Returns a figure summed over all batches of a step; 0 where the step did not run."""
        return sum(result.counts.get(name, 0) for result in self.results if result.step == step)

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns every figure, summed over batches, by step; the report only repeats the others'."""
        totals: dict[str, dict[str, int]] = {}
        for result in self.results:
            if result.step == Step.REPORT:
                continue
            step = totals.setdefault(result.step, {})
            for name, count in result.counts.items():
                step[name] = step.get(name, 0) + count
        return totals


def new_run_id(prefix: str) -> str:
    """Returns a run id that no other run has."""
    return f"{prefix}__{datetime.now(UTC).isoformat(timespec='microseconds')}"


def run_pipeline(
    request: PlanRequest, settings: Settings, progress: Progress | None = None, step: RunStep = run_step
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
    key = f"{run_folder(request.dataset, request.run_id)}/plan.json"
    write_order(open_storage(settings), key, request)
    summary = RunSummary(request, key)
    run = _Runner(settings, progress, step, summary)
    run.steps((Step.PLAN,), [key])
    orders = summary.results[0].orders if summary.results else {}
    run.steps((Step.PULL,), orders.get("pull", []))
    is_pulled = not summary.failures
    # What the archive has is worth publishing although the exchange does not answer.
    run.steps((Step.DELTA,), orders.get("delta", []))
    if is_pulled:
        run.steps(TRANSFORM, orders.get("transform", []))
    if summary.results:
        run.steps((Step.REPORT,), [key])
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


def _extras(request: PlanRequest, settings: Settings) -> set[str]:
    """Returns the extras of the verbs that a request leads to."""
    unused = {Step.PULL} if not request.pull else set()
    if not (request.delta and settings.exchange.enabled):
        unused.add(Step.DELTA)
    return {extra for verb in VERBS if verb.step not in unused for extra in verb.extras}


def write_plan(request: PlanRequest, settings: Settings, progress: Progress | None = None) -> dict[str, Any]:
    """Runs the plan step alone and returns its figures and the orders it wrote, JSON-ready.

    Raises:
        LakehouseError: The plan failed.
    """
    key = f"{run_folder(request.dataset, request.run_id)}/plan.json"
    write_order(open_storage(settings), key, request)
    result = run_step(Step.PLAN, key, settings, progress)
    orders = [order for keys in result.orders.values() for order in keys]
    return {"dataset": request.dataset, "plan": key, "status": result.status, "counts": result.counts, "orders": orders}


def explain(request: PlanRequest, settings: Settings, progress: Progress | None = None) -> dict[str, Any]:
    """Returns what a run would pull and rebuild, JSON-ready; writes nothing.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    from crypto_lakehouse.steps.context import StepContext
    from crypto_lakehouse.steps.plan import compare

    # A comparison writes no file, so no scratch folder has to exist.
    context = StepContext(settings, open_storage(settings), "", Path(), progress or _silent)
    found = compare(context, request)
    return {
        "dataset": request.dataset,
        "status": "dry_run",
        "counts": {**found.pull.counts(), **found.delta.counts(), "partitions": len(found.stale)},
        "objects": [f"{one.reason} {one.key} ({one.size:,} bytes)" for one in found.pull.objects],
        "windows": [" ".join(part for part in astuple(one) if part) for one in found.delta.windows],
        "partitions": [one.name for one in found.stale],
        "days_without_object": found.pull.days_without_object,
    }


def _silent(_what: str, _done: int, _total: int) -> None:
    """Listens to nothing."""


@dataclass(frozen=True, slots=True)
class _Runner:
    settings: Settings
    progress: Progress | None
    step: RunStep
    summary: RunSummary

    def steps(self, verbs: tuple[Step, ...], keys: list[str]) -> None:
        """Runs the verbs one after the other for each order; a verb that fails ends its own order only."""
        for done, key in enumerate(keys):
            self._tell(verbs, done, len(keys))
            self._order(verbs, key)
        if keys:
            self._tell(verbs, len(keys), len(keys))

    def _order(self, verbs: Iterable[Step], key: str) -> None:
        for verb in verbs:
            try:
                self.summary.results.append(self.step(verb, key, self.settings, self.progress))
            except LakehouseError as error:
                self.summary.failures.append(StepFailure(verb, key, error))
                return

    def _tell(self, verbs: tuple[Step, ...], done: int, total: int) -> None:
        if self.progress is not None:
            name = verbs[0] if len(verbs) == 1 else "transform"
            self.progress(f"{name} orders", done, total)
