"""The build step: one batch of a mart's partitions from published inputs, as candidates that no reader sees yet."""

from collections.abc import Sequence
from pathlib import Path

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.gold.build import BuiltPartition
from crypto_lakehouse.gold.build import build as build_partition
from crypto_lakehouse.gold.inputs import InputVersion, input_versions
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.lake.staleness import behind_inputs
from crypto_lakehouse.lake.versions import store_candidate, verify_candidate
from crypto_lakehouse.marts import mart as mart_of_name
from crypto_lakehouse.runs.figures import BuildFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.results import BuildOutcome, PartitionWithoutRows
from crypto_lakehouse.spec import Mart
from crypto_lakehouse.steps.context import StepContext


def build(context: StepContext, order: TransformOrder) -> BuildOutcome:
    """Builds the batch's stale partitions from what is published now, and stores them as candidates.

    Raises:
        CorruptObject: A published file of an input no longer has its bytes.
        LakehouseError: The lake or the catalog did not answer, or the mart's function and its row differ.
    """
    mart, catalog = mart_of_name(order.dataset), open_catalog(context.settings)
    partitions = [Partition.parse(mart, name) for name in order.partitions]
    versions = input_versions(mart, partitions, catalog)
    records = catalog.partitions(mart, symbols={partition.symbol for partition in partitions})
    published = {record.partition: record.inputs_digest for record in records}
    candidates: list[Candidate] = []
    without_rows: list[PartitionWithoutRows] = []
    inputs = {name: [version.key for version in of_partition] for name, of_partition in versions.items()}
    stale = behind_inputs(partitions, inputs, published)
    for number, partition in enumerate(stale):
        context.progress("partitions", number, len(stale))
        built = _build(context, mart, partition, versions[partition.name])
        if built.file is None:
            without_rows.append(PartitionWithoutRows(partition.name, built.manifest.inputs_digest))
        else:
            candidates.append(_store(context, built, built.file))
    figures = BuildFigures(
        candidates_built=len(candidates),
        rows_built=sum(candidate.rows for candidate in candidates),
        partitions_without_result=len(without_rows),
        partitions_current=len(partitions) - len(stale),
    )
    return BuildOutcome(figures, tuple(candidates), tuple(without_rows))


def _build(context: StepContext, mart: Mart, partition: Partition, versions: Sequence[InputVersion]) -> BuiltPartition:
    downloads = context.work_folder / "inputs"
    downloads.mkdir(exist_ok=True)
    files = [(version, verify_candidate(context.storage, version.published, downloads)) for version in versions]
    return build_partition(mart, partition, files, context.work_folder)


def _store(context: StepContext, built: BuiltPartition, file: Path) -> Candidate:
    times = (built.first_time, built.last_time)
    candidate = store_candidate(context.storage, built.partition, file, built.manifest, times)
    file.unlink(missing_ok=True)
    return candidate
