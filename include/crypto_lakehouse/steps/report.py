"""The report step: what a run did, in figures and as a page, also where some of it failed."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.reports.quality_report import DatasetSection, PartitionLine, quality_report
from crypto_lakehouse.runs.history import RunRecord, read_run, refusals_of, refused_partitions
from crypto_lakehouse.runs.listing import run_log
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.runs.outcomes import GateOutcome, ReportOutcome
from crypto_lakehouse.runs.results import AnyOutcome, StepResult, read_result
from crypto_lakehouse.runs.sums import write_sums
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import Step


def report(context: StepContext, order: PlanRequest) -> ReportOutcome:
    """Gathers the results of a run's steps, writes its quality report, and returns the figures.

    Raises:
        ArchiveFileMissing: The plan left no result.
    """
    # Without the result of the plan nobody knows which steps the run has.
    read_result(context.storage, context.order_key, Step.PLAN)
    run = read_run(context.storage, context.order_key)
    section = replace(dataset_section(run), coverage=run_coverage(context.storage, run.results))
    page = quality_report(f"{order.dataset}, {order.first_day} to {order.last_day}", _about(context, run), [section])
    context.storage.write(run.report_key, page.encode())
    folder, _, name = run.report_key.rpartition("/")
    write_sums(context.storage, folder, Step.REPORT, {name: hashlib.sha256(page.encode()).hexdigest()})
    if not run.failures:
        # Housekeeping at a quiet moment: logs of many small files are folded into one.
        BronzeLog(context.storage).compact(order.dataset)
        VerdictLog(context.storage).compact(table_of_name(order.dataset))
        CoverageLog(context.storage).compact(order.dataset)
        run_log(context.storage, order.subject).compact()
    return ReportOutcome(
        run.figures,
        f"{context.storage.uri}/{run.report_key}",
        refused_partitions(run.results),
        section.refused,
        run.failures,
    )


def _about(context: StepContext, run: RunRecord) -> list[tuple[str, str]]:
    started = min(result.started_at for result in run.results)
    return [
        ("State", run.status.value),
        ("Run", run.request.run_id),
        ("Started", f"{started:%Y-%m-%d %H:%M:%S} UTC"),
        ("Lake", context.storage.uri),
    ]


def dataset_section(run: RunRecord) -> DatasetSection:
    """Returns a run as a section of a report."""
    figures = run.figures
    gated = _outcomes(run.results, GateOutcome)
    return DatasetSection(
        dataset=run.request.dataset,
        objects=figures.pull.objects,
        bytes=figures.pull.bytes,
        seconds=run.seconds,
        requests=figures.delta.requests,
        partitions=tuple(_line(verdict) for outcome in gated for verdict in outcome.verdicts),
        refused=refusals_of(run.results),
        docs=tuple(_relative(outcome.docs) for outcome in gated if outcome.docs),
        failed=tuple(str(failure) for failure in run.failures),
    )


def _outcomes(results: Iterable[StepResult[Any]], kind: type[AnyOutcome]) -> list[AnyOutcome]:
    return [result.outcome for result in results if isinstance(result.outcome, kind)]


def run_coverage(storage: Storage, results: Iterable[StepResult[Any]]) -> CoverageFrames:
    """Returns what the gates of a run found about the days of the partitions that passed."""
    coverage = CoverageFrames.of()
    for outcome in _outcomes(results, GateOutcome):
        if outcome.coverage:
            coverage = coverage.joined(published_coverage(storage, outcome.coverage, outcome.verdicts))
    return coverage


def _line(verdict: Verdict) -> PartitionLine:
    return PartitionLine(verdict.candidate.partition, verdict.candidate.rows, verdict.condition, verdict.reasons)


def _relative(docs: str) -> str:
    # quality/<dataset>/<run>/<batch>/...: the report is next to the batches.
    return "/".join(docs.split("/")[3:])
