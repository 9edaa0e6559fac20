"""The report step: what a run did, in figures and as a page; it fails where a step of the run did."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage
from crypto_lakehouse.errors import ArchiveFileMissing, LakehouseError, QualityGateFailed
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import Verdict, verdict_from_json
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.work import StepResult, read_plan_request, read_result
from crypto_lakehouse.reports.quality_report import DatasetSection, PartitionLine, quality_report
from crypto_lakehouse.steps.context import FAILED, Outcome, StepContext, result
from crypto_lakehouse.vocabulary import Step

_OF_TRANSFORM = (Step.CONFORM, Step.GATE, Step.PUBLISH)


def report(context: StepContext) -> StepResult:
    """Gathers the results of a run's steps, writes its quality report, and returns the figures.

    Raises:
        QualityGateFailed: A step of the run failed or did not finish.
    """
    request = read_plan_request(context.storage, context.order_key)
    results = run_results(context.storage, context.order_key)
    broken = _broken(results)
    key = report_key(context.order_key)
    section = replace(dataset_section(request.dataset, results), coverage=run_coverage(context.storage, results))
    page = quality_report(f"{request.dataset}, {request.first_day} to {request.last_day}", [section])
    context.storage.write(key, page.encode())
    if broken:
        raise QualityGateFailed(
            f"{len(broken)} steps of the run failed: {'; '.join(broken[:3])}",
            "Look at their tasks; a repeated run goes on where this one stopped",
            dataset=request.dataset,
        )
    # Housekeeping at a quiet moment: logs of many small files are folded into one.
    BronzeLog(context.storage).compact(request.dataset)
    VerdictLog(context.storage).compact(request.dataset)
    CoverageLog(context.storage).compact(request.dataset)
    payload = {"report": f"{context.storage.uri}/{key}"}
    return result(Step.REPORT, request, Outcome(run_counts(results), payload=payload))


def report_key(order_key: str) -> str:
    """Returns where the report of a plan's run lies: `quality/<dataset>/<run>/report.html`."""
    return f"{order_key.rpartition('/')[0].replace('runs/', 'quality/', 1)}/report.html"


def run_results(storage: Storage, plan_key: str) -> list[StepResult]:
    """Returns the results of all steps a run's plan called for; one that left none counts as failed.

    Raises:
        LakehouseError: The plan itself left no result.
    """
    plan = read_result(storage, plan_key, Step.PLAN)
    wanted = [(key, step) for step in (Step.PULL, Step.DELTA) for key in plan.orders.get(step.value, [])]
    wanted += [(key, step) for key in plan.orders.get("transform", []) for step in _OF_TRANSFORM]
    return [plan, *(_result_or_failure(storage, key, step, plan) for key, step in wanted)]


def _result_or_failure(storage: Storage, key: str, step: Step, plan: StepResult) -> StepResult:
    try:
        return read_result(storage, key, step)
    except ArchiveFileMissing:
        error: dict[str, Any] = {"class": "StepUnfinished", "message": f"{key} has no result of {step}", "known": True}
        return StepResult(step.value, plan.dataset, plan.run_id, FAILED, error=error)
    except LakehouseError as broken:
        return StepResult(step.value, plan.dataset, plan.run_id, FAILED, error={"message": str(broken), "known": True})


def run_counts(results: Iterable[StepResult]) -> dict[str, int]:
    """Returns the figures of all steps of a run, summed by name."""
    counts: Counter[str] = Counter()
    for one in results:
        counts.update(
            # The gate's figures come again, as published or quarantined, from the publish step.
            {name: value for name, value in one.counts.items() if one.step != Step.GATE or name.endswith("degraded")}
        )
    return dict(counts)


def dataset_section(dataset: str, results: Iterable[StepResult]) -> DatasetSection:
    """Returns a run's results as a section of a report."""
    gathered = list(results)
    counts = run_counts(gathered)
    verdicts = [verdict_from_json(raw) for one in gathered for raw in one.payload.get("verdicts", ())]
    refused = [raw for one in gathered for raw in one.payload.get("refused", ())]
    return DatasetSection(
        dataset=dataset,
        objects=counts.get("objects", 0),
        bytes=counts.get("bytes", 0),
        seconds=sum(one.seconds for one in gathered),
        requests=counts.get("requests", 0),
        partitions=tuple(_line(one) for one in verdicts),
        refused=tuple(f"{one['key']}: {one['error']}: {one['reason']}" for one in refused),
        docs=tuple(_relative(one.payload["docs"]) for one in gathered if one.payload.get("docs")),
        failed=tuple(_broken(gathered)),
    )


def _broken(results: Iterable[StepResult]) -> list[str]:
    return [f"{one.step}: {one.error.get('message', 'did not finish')}" for one in results if one.status == FAILED]


def run_coverage(storage: Storage, results: Iterable[StepResult]) -> CoverageFrames:
    """Returns what the gates of a run found of the days of the partitions they let pass."""
    found = CoverageFrames.of()
    for one in results:
        folder = one.payload.get("coverage")
        if folder:
            verdicts = [verdict_from_json(raw) for raw in one.payload["verdicts"]]
            found = found.joined(published_coverage(storage, folder, verdicts))
    return found


def _line(verdict: Verdict) -> PartitionLine:
    return PartitionLine(verdict.candidate.partition, verdict.candidate.rows, verdict.condition, verdict.reasons)


def _relative(docs: str) -> str:
    # quality/<dataset>/<run>/<batch>/...: the report lies beside the batches.
    return "/".join(docs.split("/")[3:])
