"""The comparison of rebuilt partitions with their published versions, after an object was replaced."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crypto_lakehouse.coverage.records import ReconciledDay
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import Candidate, PublishedPartition
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.silver.conform import ConformedPartition
from crypto_lakehouse.silver.republished import compare_versions, replaced_inputs
from crypto_lakehouse.steps.context import StepContext


def compare_with_former(
    context: StepContext, made: Sequence[ConformedPartition], published: Mapping[str, PublishedPartition]
) -> list[ReconciledDay]:
    """Returns how partitions with replaced objects changed, one record per day.

    A missing or damaged former file is ignored: it must not prevent the rebuild of the partition.

    Args:
        context: The context of the step.
        made: The partitions that were just built.
        published: The published versions, by partition name.
    """
    rebuilt = [built for built in made if built.file is not None and built.partition.name in published]
    if not rebuilt:
        return []
    replaced = BronzeLog(context.storage).replaced_keys(rebuilt[0].partition.dataset.name)
    days: list[ReconciledDay] = []
    for built in rebuilt:
        if built.file is not None and any(used.key in replaced for used in built.manifest.inputs):
            days += _compared(context, built, built.file, published[built.partition.name])
    return days


def _compared(
    context: StepContext, made: ConformedPartition, file: Path, published: PublishedPartition
) -> list[ReconciledDay]:
    folder = context.work_folder / "former"
    folder.mkdir(exist_ok=True)
    candidate = Candidate(**{name: getattr(published, name) for name in Candidate.__slots__})
    try:
        former = verify_candidate(context.storage, candidate, folder)
        inputs = replaced_inputs(read_manifest(former), made.manifest)
    except PermanentError:
        return []
    days = compare_versions(made.partition, former, file, inputs) if inputs else []
    if former.is_relative_to(folder):
        # A downloaded copy. A store in a folder returns its own file.
        former.unlink()
    return days
