"""The gate: a verdict on every candidate of a batch, given by Great Expectations over their facts."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crypto_lakehouse.coverage.days import PartitionCoverage, partition_coverage
from crypto_lakehouse.coverage.known_faults import KnownFault, faults_of
from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.coverage.records import PartitionVersion, ReconciledDay
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Manifest, Verdict
from crypto_lakehouse.quality.facts import FACT_OF_CHECK
from crypto_lakehouse.quality.profile import Profile, examine
from crypto_lakehouse.quality.sentences import sentence
from crypto_lakehouse.quality.suites import rules, suite
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition

_DOCS = Path("gx") / "uncommitted" / "data_docs" / "local_site" / "index.html"
FACTS_FILE = "facts.parquet"


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """Verdicts in the order of the candidates, their facts and coverage, and the index page of GX's Data Docs."""

    verdicts: list[Verdict]
    facts: list[Profile]
    coverage: CoverageFrames
    docs: Path | None


@dataclass(frozen=True, slots=True)
class _Subject:
    """A candidate with what is known of it; `tolerated` are the known faults that show."""

    candidate: Candidate
    manifest: Manifest
    facts: Profile
    coverage: PartitionCoverage
    tolerated: tuple[tuple[KnownFault, int], ...]


def gate(dataset: Dataset, candidates: Sequence[tuple[Candidate, Path]], results: Path) -> GateOutcome:
    """Judges candidates by their dataset's suite.

    A broken critical expectation quarantines a partition, any other broken one degrades it. The facts, GX's results
    and its Data Docs are written below `results`.

    Raises:
        CorruptObject: A file cannot be read back.
    """
    subjects = [_subject(dataset, candidate, path) for candidate, path in candidates]
    pl.DataFrame([one.facts for one in subjects], infer_schema_length=None).write_parquet(results / FACTS_FILE)
    broken = _judge(dataset, [one.facts for one in subjects], results)
    verdicts = [_verdict(one, broken.get(one.candidate.partition, [])) for one in subjects]
    docs = results / _DOCS
    return GateOutcome(verdicts, [one.facts for one in subjects], _frames(subjects), docs if docs.is_file() else None)


def _frames(subjects: Sequence[_Subject]) -> CoverageFrames:
    reconciled = (
        ReconciledDay.of(_partition_version(one.candidate), said)
        for one in subjects
        for said in one.manifest.reconciliations
    )
    days = (day for one in subjects for day in one.coverage.days)
    return CoverageFrames.of(days, (hole for one in subjects for hole in one.coverage.holes), reconciled)


def _partition_version(candidate: Candidate) -> PartitionVersion:
    return PartitionVersion.of(Partition.parse(candidate.dataset, candidate.partition), candidate.sha256)


def _subject(dataset: Dataset, candidate: Candidate, path: Path) -> _Subject:
    partition, manifest = Partition.parse(dataset, candidate.partition), read_manifest(path)
    examined = examine(path, partition, manifest)
    facts, coverage = examined.facts, partition_coverage(examined.cover, manifest, _partition_version(candidate))
    tolerated, gone = [], 0
    for fault in faults_of(partition, manifest.covered):
        fact = FACT_OF_CHECK[fault.check]
        if facts[fact]:
            tolerated.append((fault, int(facts[fact])))
        else:
            gone += 1
    # Taken out of what GX judges, once it is known to show: it is named in the verdict instead.
    facts |= {FACT_OF_CHECK[fault.check]: 0 for fault, _ in tolerated}
    facts["known_faults_gone"] = gone
    return _Subject(candidate, manifest, facts, coverage, tuple(tolerated))


def _judge(dataset: Dataset, facts: Sequence[Profile], results: Path) -> dict[str, list[tuple[str, bool]]]:
    """Returns the broken facts of each partition, and whether each is critical, as GX sees it."""
    run = _validate(dataset, facts, results)
    is_critical = {rule.fact: not rule.degrades for rule in rules(dataset)}
    broken: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for one in run.results:
        config = one.expectation_config
        if one.exception_info.get("raised_exception"):
            raise RuntimeError(f"Great Expectations could not judge {config.kwargs['column']}: {one.exception_info}")
        for row in () if one.success else one.result["unexpected_index_list"]:
            broken[row["partition"]].append((config.kwargs["column"], is_critical[config.kwargs["column"]]))
    return broken


def _validate(dataset: Dataset, facts: Sequence[Profile], results: Path) -> Any:
    # Read at import: telemetry off, whatever the machine's own configuration says.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd
    from great_expectations.checkpoint import UpdateDataDocsAction

    context = gx.get_context(mode="file", project_root_dir=results)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("partitions").add_dataframe_asset("facts")
    batch = asset.add_batch_definition_whole_dataframe("batch")
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=dataset.name, data=batch, suite=context.suites.add(suite(dataset)))
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=dataset.name,
            validation_definitions=[validation],
            actions=[UpdateDataDocsAction(name="data_docs")],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["partition"]},
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame(list(facts))})
    return next(iter(outcome.run_results.values()))


def _verdict(subject: _Subject, broken: Sequence[tuple[str, bool]]) -> Verdict:
    critical = any(is_critical for _, is_critical in broken)
    condition = Condition.QUARANTINED if critical else Condition.DEGRADED if broken else Condition.AVAILABLE
    reasons = [sentence(fact, subject.facts) for fact, _ in broken]
    reasons += [f"{one.key} was left out: {one.error}: {one.reason}" for one in subject.manifest.refused]
    reasons += [f"known fault ({count}): {fault.reason}, {fault.link}" for fault, count in subject.tolerated]
    revised = subject.facts["rows_revised"]
    if revised:
        reasons.append(f"note: the archive replaced {revised} rows of the exchange's API by different ones")
    unverified = subject.facts["inputs_unverified"]
    if unverified:
        reasons.append(f"note: {unverified} of its objects have no CHECKSUM upstream")
    return Verdict(subject.candidate, condition, tuple(dict.fromkeys(reasons)))
