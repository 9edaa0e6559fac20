"""The conform step: one batch of partitions from Bronze into candidates that no reader sees yet."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset as dataset_of_name
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Candidate, PublishedPartition, RefusedInput
from crypto_lakehouse.lake.staleness import behind_inputs
from crypto_lakehouse.lake.versions import store_candidate
from crypto_lakehouse.runs.figures import ConformFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.outcomes import ConformOutcome, PartitionWithoutRows
from crypto_lakehouse.silver.conform import ConformedPartition, InputObject
from crypto_lakehouse.silver.conform import conform as conform_partitions
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.inputs import bronze_inputs
from crypto_lakehouse.steps.rebuilt import compare_with_former, held_back_partitions

FETCH_THREADS = 8
"""Bronze objects fetched at once from a remote store."""


def conform(context: StepContext, order: TransformOrder) -> ConformOutcome:
    """Builds the batch's stale partitions from what Bronze holds now, and stores them as candidates.

    Raises:
        LakehouseError: The lake did not answer; bad objects do not raise but are named in the outcome.
    """
    dataset = dataset_of_name(order.dataset)
    partitions = [Partition.parse(dataset, name) for name in order.partitions]
    bronze = BronzeLog(context.storage)
    mark = bronze.mark(dataset.name)
    objects = bronze.objects_by_partition(dataset, partitions)
    published = _published(context, partitions)
    digests = {name: record.inputs_digest for name, record in published.items()}
    stale = behind_inputs(partitions, bronze_inputs(objects), digests)
    inputs = _fetch(
        context,
        {bronze_object.path: bronze_object for partition in stale for bronze_object in objects[partition.name]},
    )
    made = conform_partitions(dataset, stale, inputs, context.work_folder, context.settings.conform, context.progress)
    bronze.note_damage(_damaged(inputs, made.refused), mark)
    held_back = held_back_partitions(context, made.partitions, published)
    fit = [conformed for conformed in made.partitions if conformed.partition.name not in held_back]
    republished = compare_with_former(context, fit, published)
    candidates = tuple(_store(context, conformed) for conformed in fit if conformed.file is not None)
    without_rows = tuple(_without_rows(conformed) for conformed in fit if conformed.file is None)
    figures = ConformFigures(
        candidates=len(candidates),
        rows=sum(candidate.rows for candidate in candidates),
        objects_refused=len(made.refused),
        rows_refused=sum(len(conformed.manifest.refused_rows) for conformed in made.partitions),
        partitions_without_rows=len(without_rows),
        partitions_held_back=len(held_back),
        unchanged=len(partitions) - len(stale),
        days_republished=len(republished),
    )
    without = (*without_rows, *held_back.values())
    return ConformOutcome(figures, candidates, tuple(made.refused), without, tuple(republished))


def _published(context: StepContext, partitions: list[Partition]) -> dict[str, PublishedPartition]:
    dataset, symbols = partitions[0].dataset, {partition.symbol for partition in partitions}
    records = open_catalog(context.settings).partitions(dataset, symbols=symbols)
    return {record.partition: record for record in records}


def _fetch(context: StepContext, objects: dict[str, BronzeObject]) -> list[InputObject]:
    def fetch(bronze_object: BronzeObject) -> InputObject:
        """Returns an object with a local path."""
        try:
            return InputObject(bronze_object, context.storage.fetch(bronze_object.path, context.work_folder))
        except ArchiveFileMissing:
            # Conform refuses an object without bytes; the other objects of the batch are used.
            return InputObject(bronze_object, context.work_folder / "missing")

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        return list(pool.map(fetch, objects.values()))


def _damaged(inputs: Sequence[InputObject], refused: Sequence[RefusedInput]) -> dict[BronzeObject, str]:
    """Returns the stored objects that turned out to be damaged, with the reason; the next plan brings them again."""
    reasons = {(record.key, record.sha256): record.reason for record in refused if record.is_damaged}
    objects = {(given.object.key, given.object.sha256): given.object for given in inputs if not given.object.damage}
    return {known: reasons[identity] for identity, known in objects.items() if identity in reasons}


def _store(context: StepContext, conformed: ConformedPartition) -> Candidate:
    if conformed.file is None:
        raise ValueError("a partition without rows has no file to store")
    times = (conformed.first_time, conformed.last_time)
    candidate = store_candidate(context.storage, conformed.partition, conformed.file, conformed.manifest, times)
    conformed.file.unlink(missing_ok=True)
    return candidate


def _without_rows(conformed: ConformedPartition) -> PartitionWithoutRows:
    manifest = conformed.manifest
    reasons = (f"{refused.key}: {refused.error}: {refused.reason}" for refused in manifest.refused)
    name = conformed.partition.name
    return PartitionWithoutRows(name, manifest.inputs_digest, tuple(reasons), manifest.refused_rows)
