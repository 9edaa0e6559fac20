"""What conform asks of the versions that readers see: where an object was replaced, what of its rows changed."""

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
    """Returns what partitions of replaced objects said before and say now, a row per day.

    A former file that is gone or damaged is passed over: it must not keep the partition from being rebuilt.

    Args:
        context: The step's.
        made: The partitions as they were just built.
        published: What readers see, by partition name.
    """
    rebuilt = [one for one in made if one.file is not None and one.partition.name in published]
    if not rebuilt:
        return []
    replaced = BronzeLog(context.storage).replaced_keys(rebuilt[0].partition.dataset.name)
    found: list[ReconciledDay] = []
    for one in rebuilt:
        if one.file is not None and any(each.key in replaced for each in one.manifest.inputs):
            found += _compared(context, one, one.file, published[one.partition.name])
    return found


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
    said = compare_versions(made.partition, former, file, inputs) if inputs else []
    if former.is_relative_to(folder):
        # A download; a store in a folder gives its own file.
        former.unlink()
    return said
