"""The gate step: a verdict on every candidate of a batch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from crypto_lakehouse.coverage.log import CoverageFrames, write_frames
from crypto_lakehouse.coverage.records import ReconciledDay, reconciled_day_from_json
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.lake.records import Candidate, Verdict, candidate_from_json, record_to_json
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.lake.work import StepResult, read_result, read_transform_order
from crypto_lakehouse.quality.gate import GateOutcome
from crypto_lakehouse.quality.gate import gate as judge
from crypto_lakehouse.steps.context import Outcome, StepContext, result
from crypto_lakehouse.vocabulary import Condition, Step


def gate(context: StepContext) -> StepResult:
    """Reads the batch's candidates back, judges them, and keeps the evidence below `quality/`.

    Raises:
        LakehouseError: A candidate no longer has the bytes that were written, or the lake did not answer.
    """
    order = read_transform_order(context.storage, context.order_key)
    conformed = read_result(context.storage, context.order_key, Step.CONFORM)
    candidates = [candidate_from_json(raw) for raw in conformed.payload["candidates"]]
    verdicts = [_without_rows(order.dataset, raw) for raw in conformed.payload["without_rows"]]
    docs = coverage = ""
    if candidates:
        republished = [reconciled_day_from_json(raw) for raw in conformed.payload["republished"]]
        outcome, docs = _judge(context, candidates, republished)
        verdicts, coverage = verdicts + outcome.verdicts, evidence_folder(context.order_key)
    counts = {f"partitions_{one}": sum(verdict.condition is one for verdict in verdicts) for one in Condition}
    payload = {"verdicts": [record_to_json(verdict) for verdict in verdicts], "docs": docs, "coverage": coverage}
    return result(Step.GATE, order, Outcome(counts, payload=payload, idle=not verdicts))


def _judge(
    context: StepContext, candidates: list[Candidate], republished: list[ReconciledDay]
) -> tuple[GateOutcome, str]:
    downloads, results = context.work_folder / "candidates", context.work_folder / "results"
    downloads.mkdir()
    results.mkdir()
    files = [(one, verify_candidate(context.storage, one, downloads)) for one in candidates]
    outcome = judge(dataset_row(candidates[0].dataset), files, results)
    write_frames(
        results, outcome.coverage.joined(CoverageFrames.of(reconciled=_with_versions(republished, candidates)))
    )
    folder = evidence_folder(context.order_key)
    _keep(context, results, folder)
    docs = f"{folder}/{outcome.docs.relative_to(results).as_posix()}" if outcome.docs else ""
    return outcome, docs


def _with_versions(republished: list[ReconciledDay], candidates: list[Candidate]) -> list[ReconciledDay]:
    versions = {one.partition: one.sha256[:16] for one in candidates}
    return [
        replace(
            one, partition_version=replace(one.partition_version, version=versions[one.partition_version.partition])
        )
        for one in republished
    ]


def evidence_folder(order_key: str) -> str:
    """Returns where the evidence for a transform order's verdicts is kept: `quality/<dataset>/<run>/<order>`."""
    return order_key.removesuffix(".json").replace("runs/", "quality/", 1)


def _keep(context: StepContext, results: Path, folder: str) -> None:
    for path in sorted(results.rglob("*")):
        if path.is_file():
            context.storage.put_file(path, f"{folder}/{path.relative_to(results).as_posix()}")


def _without_rows(dataset: str, raw: dict[str, Any]) -> Verdict:
    nothing = Candidate(
        dataset=dataset,
        partition=raw["partition"],
        location="",
        file="",
        sha256="",
        bytes=0,
        rows=0,
        inputs_digest=raw["inputs_digest"],
        first_time=None,
        last_time=None,
    )
    reasons = tuple(raw["reasons"])
    return Verdict(nothing, Condition.QUARANTINED if reasons else Condition.EMPTY, reasons)
