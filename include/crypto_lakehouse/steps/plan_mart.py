"""The partitions that a run of a mart must build, because a new version of an input was published."""

from fnmatch import fnmatchcase

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.gold.inputs import input_versions, partitions_to_make
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.staleness import stale_partitions
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.spec import Mart
from crypto_lakehouse.steps.context import StepContext


def compare_mart(context: StepContext, mart: Mart, request: PlanRequest) -> tuple[list[Partition], dict[str, int]]:
    """Returns the partitions to build, and the bytes that each of them reads, by its name.

    Raises:
        LakehouseError: The lake or the catalog did not answer, or the request is not acceptable.
    """
    selection, catalog = request.selection(), open_catalog(context.settings)
    days = (selection.first_day, selection.last_day)
    wanted = [
        partition
        for partition in partitions_to_make(mart, None, days, catalog)
        if _is_wanted(partition, selection.symbols, selection.intervals)
    ]
    versions = input_versions(mart, wanted, catalog)
    inputs = {name: [version.key for version in of_partition] for name, of_partition in versions.items()}
    published = {record.partition: record.inputs_digest for record in catalog.partitions(mart)}
    stale = stale_partitions(wanted, inputs, published, VerdictLog(context.storage))
    sizes = {name: sum(version.published.bytes for version in of_partition) for name, of_partition in versions.items()}
    return stale, sizes


def _is_wanted(partition: Partition, symbols: tuple[str, ...], intervals: tuple[str, ...]) -> bool:
    is_symbol = not symbols or any(fnmatchcase(partition.symbol, pattern) for pattern in symbols)
    return is_symbol and (not intervals or partition.interval in intervals)
