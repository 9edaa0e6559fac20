"""The gate step: a verdict on every candidate of a batch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from crypto_lakehouse import telemetry
from crypto_lakehouse.coverage.log import CoverageFrames, write_frames
from crypto_lakehouse.coverage.records import VERSION_DIGITS, LoggedRefusedRow, PartitionVersion, ReconciledDay
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.versions import file_sha256, verify_candidate
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.quality import gate as quality_gate
from crypto_lakehouse.quality.evidence import partition_evidence
from crypto_lakehouse.runs.figures import GateFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.outcomes import (
    BuildOutcome,
    ConformOutcome,
    DamagedCandidate,
    GateOutcome,
    PartitionWithoutRows,
)
from crypto_lakehouse.runs.results import read_outcome
from crypto_lakehouse.runs.sums import write_sums
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.vocabulary import Condition, Step


def gate(context: StepContext, order: TransformOrder) -> GateOutcome:
    """Reads the batch's candidates back, judges them, and keeps the evidence below `quality/`.

    A candidate whose file is gone or damaged is not judged. The publish step ends with its error, after it has
    published the other partitions.

    Raises:
        LakehouseError: The lake did not answer.
    """
    table = table_of_name(order.dataset)
    made = _made(context, table)
    verdicts = [_without_rows(order.dataset, partition) for partition in made.without_rows]
    frames = CoverageFrames.of(refused_rows=_refused_rows(table, made.without_rows))
    docs = folder = ""
    files, damaged = _read_back(context, made.candidates)
    if files:
        republished = made.republished if isinstance(made, ConformOutcome) else ()
        judged, docs = _judge(context, table, files, republished, frames)
        verdicts += judged
        folder = evidence_folder(context.order_key)
    elif frames.refused_rows.height:
        folder = _keep_frames(context, frames)
    return GateOutcome(_figures(verdicts), tuple(verdicts), docs, folder, tuple(damaged))


def _made(context: StepContext, table: Table) -> ConformOutcome | BuildOutcome:
    """Returns what the step before made: conform for a dataset, build for a mart."""
    if isinstance(table, Mart):
        return read_outcome(context.storage, context.order_key, BuildOutcome)
    return read_outcome(context.storage, context.order_key, ConformOutcome)


def _figures(verdicts: Sequence[Verdict]) -> GateFigures:
    conditions = [verdict.condition for verdict in verdicts]
    return GateFigures(
        partitions_available=conditions.count(Condition.AVAILABLE),
        partitions_degraded=conditions.count(Condition.DEGRADED),
        partitions_quarantined=conditions.count(Condition.QUARANTINED),
        partitions_empty=conditions.count(Condition.EMPTY),
    )


def _refused_rows(table: Table, partitions: Sequence[PartitionWithoutRows]) -> Iterator[LoggedRefusedRow]:
    for partition in partitions:
        version = PartitionVersion.of(Partition.parse(table, partition.partition), "")
        yield from (LoggedRefusedRow.of(version, row) for row in partition.refused_rows)


def _keep_frames(context: StepContext, frames: CoverageFrames) -> str:
    results = context.work_folder / "results"
    results.mkdir()
    write_frames(results, frames)
    folder = evidence_folder(context.order_key)
    _keep(context, results, folder)
    return folder


def _read_back(
    context: StepContext, candidates: Sequence[Candidate]
) -> tuple[list[tuple[Candidate, Path]], list[DamagedCandidate]]:
    """Returns the candidates that are as they were written, with their files, and the others."""
    downloads = context.work_folder / "candidates"
    downloads.mkdir()
    files, damaged = list[tuple[Candidate, Path]](), list[DamagedCandidate]()
    for candidate in candidates:
        try:
            files.append((candidate, verify_candidate(context.storage, candidate, downloads)))
        except CorruptObject as error:
            telemetry.event("candidate_damaged", Level.ERROR, partition=error.partition, fault=error.what)
            damaged.append(DamagedCandidate(candidate.partition, error.what, error.advice))
    return files, damaged


def _judge(
    context: StepContext,
    table: Table,
    files: Sequence[tuple[Candidate, Path]],
    republished: Sequence[ReconciledDay],
    others: CoverageFrames,
) -> tuple[list[Verdict], str]:
    """Returns the verdicts and the key of the Data Docs; an empty key where there are none."""
    results = context.work_folder / "results"
    results.mkdir()
    candidates = [candidate for candidate, _ in files]
    judged = quality_gate.gate(table, files, results, partition_evidence(context.storage, table, candidates))
    compared = CoverageFrames.of(reconciled=_with_versions(republished, candidates))
    write_frames(results, judged.coverage.joined(compared).joined(others))
    folder = evidence_folder(context.order_key)
    _keep(context, results, folder)
    docs = f"{folder}/{judged.docs.relative_to(results).as_posix()}" if judged.docs else ""
    return _with_losses(judged.verdicts, republished), docs


def _with_losses(verdicts: Sequence[Verdict], republished: Sequence[ReconciledDay]) -> list[Verdict]:
    """Returns the verdicts with a note where an object was published again without rows that readers have."""
    lost: Counter[str] = Counter()
    for day in republished:
        lost[day.partition_version.partition] += day.only_other or 0
    return [
        replace(verdict, reasons=(*verdict.reasons, f"note: {rows} rows are gone, for an object was published again"))
        if (rows := lost[verdict.candidate.partition])
        else verdict
        for verdict in verdicts
    ]


def _with_versions(republished: Sequence[ReconciledDay], candidates: Sequence[Candidate]) -> list[ReconciledDay]:
    """Returns the days of the candidates with their versions, which conform could not know."""
    versions = {candidate.partition: candidate.sha256[:VERSION_DIGITS] for candidate in candidates}

    def versioned(partition: PartitionVersion) -> PartitionVersion:
        """Returns a partition with the version of its candidate."""
        return replace(partition, version=versions[partition.partition])

    return [
        replace(day, partition_version=versioned(day.partition_version))
        for day in republished
        if day.partition_version.partition in versions
    ]


def evidence_folder(order_key: str) -> str:
    """Returns where the evidence for a transform order's verdicts is kept: `quality/<dataset>/<run>/<order>`."""
    return order_key.removesuffix(".json").replace("runs/", "quality/", 1)


def _keep(context: StepContext, results: Path, folder: str) -> None:
    files = {path.relative_to(results).as_posix(): path for path in sorted(results.rglob("*")) if path.is_file()}
    sums = {name: file_sha256(path) for name, path in files.items()}
    for name, path in files.items():
        context.storage.put_file(path, f"{folder}/{name}")
    write_sums(context.storage, folder, Step.GATE, sums)


def _without_rows(dataset_name: str, partition: PartitionWithoutRows) -> Verdict:
    """Returns the verdict on a partition without a file: empty, or quarantined where objects or rows were refused."""
    nothing = Candidate(
        dataset=dataset_name,
        partition=partition.partition,
        location="",
        file="",
        sha256="",
        bytes=0,
        rows=0,
        inputs_digest=partition.inputs_digest,
        first_time=None,
        last_time=None,
    )
    reasons = [*partition.reasons, *(f"refused: {row}" for row in partition.refused_rows[:1])]
    if len(partition.refused_rows) > 1:
        reasons.append(f"and {len(partition.refused_rows) - 1} further rows were refused")
    return Verdict(nothing, Condition.QUARANTINED if reasons else Condition.EMPTY, tuple(reasons))
