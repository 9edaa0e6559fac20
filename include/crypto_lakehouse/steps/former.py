"""The comparison of rebuilt partitions with their published versions: what a replaced object changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crypto_lakehouse.coverage.records import ReconciledDay
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.silver.conform import ConformedPartition
from crypto_lakehouse.silver.republished import compare_versions, replaced_inputs
from crypto_lakehouse.steps.context import StepContext


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
    folder = context.work_folder / "former"
    folder.mkdir(exist_ok=True)
    try:
        former = verify_candidate(context.storage, published, folder)
        inputs = replaced_inputs(read_manifest(former), conformed.manifest)
    except PermanentError:
        return []
    days = compare_versions(conformed.partition, former, file, inputs) if inputs else []
    if former.is_relative_to(folder):
        # It is a download; a store in a folder gives the file itself.
        former.unlink()
    return days
