"""The comparison of rebuilt partitions with their published versions.

Fewer rows never replace more in silence: a rebuilt partition that lacks days which readers have is held back. Else the
comparison returns what a replaced object changed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crypto_lakehouse.coverage.records import ReconciledDay
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import Manifest, PublishedPartition
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.runs.results import PartitionWithoutRows
from crypto_lakehouse.silver.conform import ConformedPartition
from crypto_lakehouse.silver.republished import compare_versions, replaced_inputs
from crypto_lakehouse.spans import Span, subtract
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import Source


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


def loss_of(context: StepContext, manifest: Manifest, published: PublishedPartition) -> str:
    """Returns which days a new version lacks that the published one has, in words; empty where there are none.

    An object that was published again with fewer rows covers the same days, so it is no loss in this sense. A published
    file that is gone or damaged protects nothing.

    Args:
        context: The step's.
        manifest: The manifest of the new version.
        published: What readers see.
    """
    with _fetched(context, published) as former:
        if former is None:
            return ""
        before = read_manifest(former)
    has = [Span.from_iso(*pair) for pair in manifest.covered]
    lost = [part for pair in before.covered for part in subtract(Span.from_iso(*pair), has)]
    if lost:
        days = [day for part in lost for day in part.days()]
        return (
            f"held back: readers would lose {len(days)} days from {days[0]} to {days[-1]}; they keep the former version"
        )
    given = {each.key for each in manifest.inputs}
    # A lookback covers no day of a mart's partition, but its rows depend on it.
    gone = sorted(each.key for each in before.inputs if each.source is Source.PUBLISHED and each.key not in given)
    if gone:
        return f"held back: the former version was made from {gone[0]} as well; readers keep it"
    return ""


def _lost_record(
    context: StepContext, manifest: Manifest, published: PublishedPartition, certain: Collection[str]
) -> str:
    """Returns which object is in doubt, because the published version has another one than the damaged Bronze log."""
    given = {(each.key, each.sha256) for each in manifest.inputs}
    with _fetched(context, published) as former:
        before = read_manifest(former).inputs if former is not None else ()
    doubtful = [each.key for each in before if (each.key, each.sha256) not in given and each.key not in certain]
    if not doubtful:
        return ""
    return f"held back: the Bronze log has lost records, and may have lost the newest one of {doubtful[0]}"


@contextmanager
def _fetched(context: StepContext, published: PublishedPartition) -> Iterator[Path | None]:
    """Yields a local path of a published file; None where the file is gone or damaged."""
    folder = context.work_folder / "former"
    folder.mkdir(exist_ok=True)
    try:
        path = verify_candidate(context.storage, published, folder)
        read_manifest(path)
    except PermanentError:
        yield None
        return
    yield path
    if path.is_relative_to(folder):
        # It is a download; a store in a folder gives the file itself.
        path.unlink()


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
    with _fetched(context, published) as former:
        if former is None:
            return []
        inputs = replaced_inputs(read_manifest(former), conformed.manifest)
        return compare_versions(conformed.partition, former, file, inputs) if inputs else []
