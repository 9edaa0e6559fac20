"""Makes a damaged file of a partition again, from the layer below, with the same bytes."""

import shutil
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.gold.build import build
from crypto_lakehouse.gold.inputs import input_versions
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.versions import file_sha256, verify_candidate
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import InputObject, conform
from crypto_lakehouse.spec import Mart, Table


def restore(catalog: Catalog, storage: Storage, table: Table, published: PublishedPartition, folder: Path) -> bool:
    """Builds the file of a published partition again. Returns whether it has the bytes that were published.

    Nothing is stored if it has not: other inputs or another version of the program make another file, which needs the
    verdict of the gate.

    Args:
        catalog: The catalog.
        storage: The lake.
        table: The table.
        published: What was published.
        folder: An empty folder for temporary files, which is emptied again.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    partition = Partition.parse(table, published.partition)
    try:
        if isinstance(table, Mart):
            made = _built(catalog, storage, table, partition, folder)
        else:
            made = _conformed(storage, partition, folder)
        if made is None or file_sha256(made) != published.sha256:
            return False
        storage.put_file(made, published.file)
        return True
    finally:
        shutil.rmtree(folder)
        folder.mkdir()


def _conformed(storage: Storage, partition: Partition, folder: Path) -> Path | None:
    objects = BronzeLog(storage).objects_by_partition(partition.dataset, [partition])[partition.name]
    try:
        inputs = [InputObject(known, storage.fetch(known.path, folder)) for known in objects]
    except ArchiveFileMissing:
        return None
    made = conform(partition.dataset, [partition], inputs, folder, ConformSettings())
    return made.partitions[0].file


def _built(catalog: Catalog, storage: Storage, mart: Mart, partition: Partition, folder: Path) -> Path | None:
    versions = input_versions(mart, [partition], catalog)[partition.name]
    downloads = folder / "inputs"
    downloads.mkdir()
    try:
        files = [(version, verify_candidate(storage, version.published, downloads)) for version in versions]
    except (ArchiveFileMissing, CorruptObject):
        return None
    return build(mart, partition, files, folder).file
