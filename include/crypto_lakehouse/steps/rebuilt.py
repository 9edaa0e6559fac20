"""The comparison of rebuilt Silver partitions with their published versions.

A rebuilt partition is held back where readers would lose days, or where the Bronze log may have lost the newest object.
Else the comparison returns what a replaced object changed.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from crypto_lakehouse.coverage.records import ReconciledDay
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import Manifest, PublishedPartition
from crypto_lakehouse.runs.outcomes import PartitionWithoutRows
from crypto_lakehouse.silver.conform import ConformedPartition
from crypto_lakehouse.silver.republished import compare_versions, replaced_inputs
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.former import fetched, loss_of


def held_back_partitions(
    context: StepContext, made: Sequence[ConformedPartition], published: Mapping[str, PublishedPartition]
) -> dict[str, PartitionWithoutRows]:
    """Returns the partitions that must not replace what readers have, by name, each with the reasons.

    Args:
        context: The step's.
        made: The partitions as they were just built.
        published: What readers see, by partition name.
    """
    held_back = {}
    certain = BronzeLog(context.storage).certain_keys(made[0].partition.dataset.name) if made else None
    for conformed in made:
        name = conformed.partition.name
        if conformed.file is None or name not in published:
            continue
        reason = loss_of(context, conformed.manifest, published[name])
        if certain is not None:
            reason = reason or _lost_record(context, conformed.manifest, published[name], certain)
        if reason:
            reasons = [f"{refused.key}: {refused.error}: {refused.reason}" for refused in conformed.manifest.refused]
            held_back[name] = PartitionWithoutRows(name, conformed.manifest.inputs_digest, (reason, *reasons))
    return held_back


def _lost_record(
    context: StepContext, manifest: Manifest, published: PublishedPartition, certain: Collection[str]
) -> str:
    """Returns which object is in doubt, because the published version has another one than the damaged Bronze log."""
    given = {(each.key, each.sha256) for each in manifest.inputs}
    with fetched(context, published) as former:
        before = read_manifest(former).inputs if former is not None else ()
    doubtful = [each.key for each in before if (each.key, each.sha256) not in given and each.key not in certain]
    if not doubtful:
        return ""
    return f"held back: the Bronze log has lost records, and may have lost the newest one of {doubtful[0]}"


def compare_with_former(
    context: StepContext, made: Sequence[ConformedPartition], published: Mapping[str, PublishedPartition]
) -> list[ReconciledDay]:
    """Returns how the rows of partitions with replaced objects changed, a row per day.

    A published file that is gone or damaged is skipped: it must not prevent the rebuild of the partition.

    Args:
        context: The step's.
        made: The partitions as they were just built.
        published: What readers see, by partition name.
    """
    rebuilt = [conformed for conformed in made if conformed.file is not None and conformed.partition.name in published]
    if not rebuilt:
        return []
    replaced = BronzeLog(context.storage).replaced_keys(rebuilt[0].partition.dataset.name)
    days: list[ReconciledDay] = []
    for conformed in rebuilt:
        if conformed.file is not None and any(given.key in replaced for given in conformed.manifest.inputs):
            days += _compared(context, conformed, conformed.file, published[conformed.partition.name])
    return days


def _compared(
    context: StepContext, conformed: ConformedPartition, file: Path, published: PublishedPartition
) -> list[ReconciledDay]:
    with fetched(context, published) as former:
        if former is None:
            return []
        inputs = replaced_inputs(read_manifest(former), conformed.manifest)
        return compare_versions(conformed.partition, former, file, inputs) if inputs else []
