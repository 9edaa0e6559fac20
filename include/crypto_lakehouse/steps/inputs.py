"""The current inputs of partitions in each layer: Bronze objects, or published versions."""

from collections.abc import Mapping, Sequence

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.gold.inputs import input_versions
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.staleness import Inputs, input_of
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset, Mart, Table


def inputs_of(table: Table, partitions: Sequence[Partition], storage: Storage, catalog: Catalog) -> Inputs:
    """Returns what each partition of a table is made from now, by the partition's name.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    if isinstance(table, Mart):
        versions = input_versions(table, partitions, catalog)
        return {name: [version.key for version in of_partition] for name, of_partition in versions.items()}
    if not isinstance(table, Dataset):
        raise TypeError(f"{table.name} is neither a dataset nor a mart")
    return bronze_inputs(BronzeLog(storage).objects_by_partition(table, partitions))


def bronze_inputs(objects: Mapping[str, Sequence[BronzeObject]]) -> Inputs:
    """Returns Bronze objects, by the name of the partition that they cover, as its inputs."""
    return {name: list(map(input_of, of_partition)) for name, of_partition in objects.items()}
