"""The conform step: one batch of partitions from Bronze into candidates that no reader sees yet."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.records import record_json
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Candidate, PublishedPartition, inputs_digest, record_to_json
from crypto_lakehouse.lake.versions import store_candidate
from crypto_lakehouse.lake.work import StepResult, read_transform_order
from crypto_lakehouse.silver.conform import ConformedPartition, InputObject
from crypto_lakehouse.silver.conform import conform as conform_partitions
from crypto_lakehouse.steps.context import Outcome, StepContext, result
from crypto_lakehouse.steps.former import compare_with_former
from crypto_lakehouse.vocabulary import Step

FETCH_THREADS = 8
"""Bronze objects fetched at once from a remote store."""


def conform(context: StepContext) -> StepResult:
    """Builds the batch's stale partitions from what Bronze holds now, and stores them as candidates.

    Raises:
        LakehouseError: The lake did not answer; bad objects do not raise but are named in the result.
    """
    order = read_transform_order(context.storage, context.order_key)
    row = dataset_row(order.dataset)
    partitions = [Partition.parse(row, name) for name in order.partitions]
    objects = BronzeLog(context.storage).objects_by_partition(row, partitions)
    published = _published(context, partitions)
    stale = _still_stale(partitions, objects, published)
    inputs = _fetch(context, {one.path: one for partition in stale for one in objects[partition.name]})
    outcome = conform_partitions(row, stale, inputs, context.work_folder, context.settings.conform, context.progress)
    republished = compare_with_former(context, outcome.partitions, published)
    candidates = [_store(context, one) for one in outcome.partitions if one.file is not None]
    refused = [record_to_json(one) for one in outcome.refused]
    empty = [_without_rows(one) for one in outcome.partitions if one.file is None]
    counts = {
        "candidates": len(candidates),
        "rows": sum(one.rows for one in candidates),
        "objects_refused": len(refused),
        "partitions_without_rows": len(empty),
        "unchanged": len(partitions) - len(stale),
        "days_republished": len(republished),
    }
    payload = {
        "candidates": [record_to_json(one) for one in candidates],
        "refused": refused,
        "without_rows": empty,
        "republished": [record_json(one) for one in republished],
    }
    return result(Step.CONFORM, order, Outcome(counts, payload=payload, idle=not outcome.partitions))


def _published(context: StepContext, partitions: list[Partition]) -> dict[str, PublishedPartition]:
    row, symbols = partitions[0].dataset, {one.symbol for one in partitions}
    return {one.partition: one for one in open_catalog(context.settings).partitions(row, symbols=symbols)}


def _still_stale(
    partitions: list[Partition], objects: dict[str, list[BronzeObject]], published: dict[str, PublishedPartition]
) -> list[Partition]:
    """Returns those that Bronze has objects for and that the catalog does not already show as made from them."""
    digests = {name: one.inputs_digest for name, one in published.items()}
    return [
        one
        for one in partitions
        if objects.get(one.name)
        and digests.get(one.name) != inputs_digest((held.key, held.sha256) for held in objects[one.name])
    ]


def _fetch(context: StepContext, objects: dict[str, BronzeObject]) -> list[InputObject]:
    def fetch(one: BronzeObject) -> InputObject:
        return InputObject(one, context.storage.fetch(one.path, context.work_folder))

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        return list(pool.map(fetch, objects.values()))


def _store(context: StepContext, one: ConformedPartition) -> Candidate:
    if one.file is None:
        raise ValueError("a partition without rows has no file to store")
    times = (one.first_time, one.last_time)
    candidate = store_candidate(context.storage, one.partition, one.file, one.manifest, times)
    one.file.unlink(missing_ok=True)
    return candidate


def _without_rows(one: ConformedPartition) -> dict[str, Any]:
    return {
        "partition": one.partition.name,
        "inputs_digest": one.manifest.inputs_digest,
        # None refused: the objects are sound and hold no row of it.
        "reasons": [f"{refused.key}: {refused.error}: {refused.reason}" for refused in one.manifest.refused],
    }
