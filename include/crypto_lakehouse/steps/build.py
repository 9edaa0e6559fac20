"""The build step: one batch of a mart's partitions from published inputs, as candidates that no reader sees yet."""

from collections.abc import Sequence
from pathlib import Path

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.gold.build import BuiltPartition
from crypto_lakehouse.gold.build import build as build_partition
from crypto_lakehouse.gold.inputs import InputVersion, input_versions
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, PublishedPartition, inputs_digest
from crypto_lakehouse.lake.staleness import behind_inputs
from crypto_lakehouse.lake.versions import store_candidate, verify_candidate
from crypto_lakehouse.marts import mart as mart_of_name
from crypto_lakehouse.runs.figures import BuildFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.outcomes import BuildOutcome, PartitionWithoutRows
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.former import loss_of


def build(context: StepContext, order: TransformOrder) -> BuildOutcome:
    """Builds the batch's stale partitions from what is published now, and stores them as candidates.

    Raises:
        LakehouseError: The lake or the catalog did not answer, or the mart's function and its row differ. A damaged
            input does not raise: its partitions have no candidate, with the reason.
    """
    mart, catalog = mart_of_name(order.dataset), open_catalog(context.settings)
    partitions = [Partition.parse(mart, name) for name in order.partitions]
    versions = input_versions(mart, partitions, catalog)
    records = catalog.partitions(mart, symbols={partition.symbol for partition in partitions})
    published = {record.partition: record for record in records}
    digests = {name: record.inputs_digest for name, record in published.items()}
    inputs = {name: [version.key for version in of_partition] for name, of_partition in versions.items()}
    stale = behind_inputs(partitions, inputs, digests)
    made: list[Candidate | PartitionWithoutRows] = []
    for number, partition in enumerate(stale):
        context.progress("partitions", number, len(stale))
        made.append(_made(context, partition, versions[partition.name], published.get(partition.name)))
    candidates = tuple(each for each in made if isinstance(each, Candidate))
    without = tuple(each for each in made if isinstance(each, PartitionWithoutRows))
    not_built = sum(bool(each.reasons) for each in without)
    figures = BuildFigures(
        candidates_built=len(candidates),
        rows_built=sum(candidate.rows for candidate in candidates),
        partitions_without_result=len(without) - not_built,
        partitions_not_built=not_built,
        partitions_current=len(partitions) - len(stale),
    )
    return BuildOutcome(figures, candidates, without)


def _made(
    context: StepContext, partition: Partition, versions: Sequence[InputVersion], published: PublishedPartition | None
) -> Candidate | PartitionWithoutRows:
    """Returns the candidate of a partition, or why it has none."""
    files, faults = _files(context, versions)
    if faults:
        # The digest is of damaged inputs, so that the partition is tried again when they are mended.
        keys = [version.key.damaged() if version in faults else version.key for version in versions]
        reasons = tuple(f"{version.key.key} cannot be read: {fault}" for version, fault in faults.items())
        return PartitionWithoutRows(partition.name, inputs_digest(partition.table, keys), reasons)
    built = build_partition(mart_of_name(partition.table.name), partition, files, context.work_folder)
    if built.file is None:
        return PartitionWithoutRows(partition.name, built.manifest.inputs_digest)
    loss = loss_of(context, built.manifest, published) if published else ""
    if loss:
        built.file.unlink()
        return PartitionWithoutRows(partition.name, built.manifest.inputs_digest, (loss,))
    return _store(context, built, built.file)


def _files(
    context: StepContext, versions: Sequence[InputVersion]
) -> tuple[list[tuple[InputVersion, Path]], dict[InputVersion, str]]:
    """Returns the versions with a local path of their verified files, and the versions without sound bytes."""
    downloads = context.work_folder / "inputs"
    downloads.mkdir(exist_ok=True)
    files: list[tuple[InputVersion, Path]] = []
    faults: dict[InputVersion, str] = {}
    for version in versions:
        try:
            files.append((version, verify_candidate(context.storage, version.published, downloads)))
        except (ArchiveFileMissing, CorruptObject) as error:
            faults[version] = error.what
    return files, faults


def _store(context: StepContext, built: BuiltPartition, file: Path) -> Candidate:
    times = (built.first_time, built.last_time)
    candidate = store_candidate(context.storage, built.partition, file, built.manifest, times)
    file.unlink(missing_ok=True)
    return candidate
