"""The gate: a verdict on every candidate of a batch, given by Great Expectations over the facts of the candidates."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import polars as pl

from crypto_lakehouse.coverage.days import PartitionCoverage, partition_coverage
from crypto_lakehouse.coverage.known_faults import KnownFault, faults_of
from crypto_lakehouse.coverage.known_holes import outdated_holes
from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.coverage.records import LoggedRefusedRow, PartitionVersion, ReconciledDay
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Manifest, Verdict
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.quality.data_docs import INDEX
from crypto_lakehouse.quality.evidence import PartitionEvidence
from crypto_lakehouse.quality.profile import Facts, Profile, examine
from crypto_lakehouse.quality.suites import Rule, rules
from crypto_lakehouse.quality.validation import DATA_DOCS, validated
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Condition, DayCondition, HoleKind

FACTS_FILE = "facts.parquet"


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What the gate found.

    Args:
        verdicts: The verdicts, in the order of the candidates.
        profiles: The facts that were judged, likewise.
        coverage: The coverage of all candidates.
        docs: The index page of GX's Data Docs; None where GX wrote none.
    """

    verdicts: list[Verdict]
    profiles: list[Profile]
    coverage: CoverageFrames
    docs: Path | None


@dataclass(frozen=True, slots=True)
class _Examined:
    """A candidate with what is known of it.

    `tolerated` are the known faults that show, with their counts; the profile does not count them.
    """

    candidate: Candidate
    version: PartitionVersion
    manifest: Manifest
    profile: Profile
    coverage: PartitionCoverage
    tolerated: tuple[tuple[KnownFault, int], ...]


def gate(
    table: Table,
    candidates: Sequence[tuple[Candidate, Path]],
    results: Path,
    evidence: Mapping[str, PartitionEvidence] = MappingProxyType({}),
) -> GateOutcome:
    """Judges candidates by the suite of their table.

    A broken critical rule quarantines a partition, any other degrades it, and a remark is only noted. The facts, GX's
    results and its Data Docs are written into the folder `results`.

    Args:
        table: The table of all candidates.
        candidates: The candidates, each with its file.
        results: A folder for what the gate writes.
        evidence: What is known of partitions beyond their files, by name.

    Raises:
        CorruptObject: A file cannot be read back.
    """
    examined = [
        _examined(table, candidate, file, evidence.get(candidate.partition, PartitionEvidence()))
        for candidate, file in candidates
    ]
    profiles = [each.profile for each in examined]
    facts = [profile.facts for profile in profiles]
    pl.DataFrame(facts, infer_schema_length=None).write_parquet(results / FACTS_FILE)
    broken = _broken_rules(table, facts, results)
    verdicts = [_verdict(each, broken.get(each.candidate.partition, [])) for each in examined]
    docs = results / DATA_DOCS / INDEX
    return GateOutcome(verdicts, profiles, _frames(examined), docs if docs.is_file() else None)


def coverage_of(table: Table, candidate: Candidate, file: Path, evidence: PartitionEvidence) -> CoverageFrames:
    """Returns the coverage of a partition's file, as the gate found it.

    Args:
        table: The table.
        candidate: What the file is.
        file: The file.
        evidence: What is known of the partition beyond the file.

    Raises:
        CorruptObject: The file cannot be read.
    """
    return _frames([_examined(table, candidate, file, evidence)])


def _frames(examined: Sequence[_Examined]) -> CoverageFrames:
    return CoverageFrames.of(
        days=(day for each in examined for day in each.coverage.days),
        holes=(hole for each in examined for hole in each.coverage.holes),
        reconciled=(
            ReconciledDay.of(each.version, reconciliation)
            for each in examined
            for reconciliation in each.manifest.reconciliations
        ),
        refused_rows=(
            LoggedRefusedRow.of(each.version, row) for each in examined for row in each.manifest.refused_rows
        ),
    )


def _examined(table: Table, candidate: Candidate, file: Path, evidence: PartitionEvidence) -> _Examined:
    partition, manifest = Partition.parse(table, candidate.partition), read_manifest(file)
    # What the pull refused is missing from the partition as what conform refused is.
    manifest = replace(manifest, refused=(*manifest.refused, *evidence.refused))
    version = PartitionVersion.of(partition, candidate.sha256)
    examination, faults = examine(file, partition, manifest, evidence.series), faults_of(partition, manifest.covered)
    coverage = partition_coverage(examination.times, manifest, version, _by_hole_kind(faults))
    counts = examination.profile.counts
    shown = tuple((fault, count) for fault in faults if (count := counts[CHECKS[fault.check].fact]))
    # GX must not judge a known fault that shows: the verdict names it instead.
    tolerated = {CHECKS[fault.check].fact: 0 for fault, _ in shown}
    profile = examination.profile.with_counts({**tolerated, "known_faults_gone": len(faults) - len(shown)})
    return _Examined(candidate, version, manifest, profile, coverage, shown)


def _by_hole_kind(faults: Sequence[KnownFault]) -> dict[HoleKind, list[KnownFault]]:
    by_kind: dict[HoleKind, list[KnownFault]] = defaultdict(list)
    for fault in faults:
        kind = CHECKS[fault.check].hole_kind
        if kind is not None:
            by_kind[kind].append(fault)
    return by_kind


def _broken_rules(table: Table, facts: Sequence[Facts], results: Path) -> dict[str, list[Rule]]:
    """Returns the rules that each partition breaks, by the judgement of GX."""
    rule_of = {rule.fact: rule for rule in rules(table)}
    broken: dict[str, list[Rule]] = defaultdict(list)
    for judgement in validated(table, facts, results).results:
        fact = judgement.expectation_config.kwargs["column"]
        if judgement.exception_info.get("raised_exception"):
            raise RuntimeError(f"Great Expectations could not judge {fact}: {judgement.exception_info}")
        for row in () if judgement.success else judgement.result["unexpected_index_list"]:
            broken[row["partition"]].append(rule_of[fact])
    return broken


def _condition(broken: Sequence[Rule]) -> Condition:
    if any(not rule.degrades for rule in broken):
        return Condition.QUARANTINED
    return Condition.DEGRADED if broken else Condition.AVAILABLE


def _outdated_holes(examined: _Examined) -> list[str]:
    """Returns the known holes that the partition's rows refute, in words."""
    name, symbol = examined.version.dataset, examined.version.symbol
    whole = [day.day for day in examined.coverage.days if day.condition is DayCondition.AVAILABLE and day.rows]
    return [
        f"a known hole is outdated, remove it from known_holes.py: {hole.reason}"
        for hole in outdated_holes(name, symbol, whole)
    ]


def _verdict(examined: _Examined, broken: Sequence[Rule]) -> Verdict:
    condition = _condition([rule for rule in broken if not rule.is_remark])
    counts = examined.profile.counts
    reasons = [rule.reason(examined.profile.facts) for rule in broken]
    reasons += [
        f"{refused.key} was left out: {refused.error}: {refused.reason}" for refused in examined.manifest.refused
    ]
    reasons += [f"note: {words}" for words in _outdated_holes(examined)]
    reasons += [f"known fault ({count}): {fault.reason}, {fault.link}" for fault, count in examined.tolerated]
    if counts["rows_revised"]:
        reasons.append(
            f"note: the archive replaced {counts['rows_revised']} rows of the exchange's API by different ones"
        )
    if counts["inputs_unverified"]:
        reasons.append(f"note: {counts['inputs_unverified']} of its objects have no CHECKSUM upstream")
    return Verdict(examined.candidate, condition, tuple(dict.fromkeys(reasons)))
