"""Checks that what readers see can be traced: to its days in the coverage log, and to the objects in Bronze."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.records import VERSION_DIGITS
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.faults import REPAIR, REPAIR_DEEP, Fault, FileKind
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.versions import discard_download
from crypto_lakehouse.spec import Dataset, Table


def trace_faults(catalog: Catalog, storage: Storage, table: Table, folder: Path, *, deep: bool) -> Iterator[Fault]:
    """Yields the published partitions whose coverage or whose objects the logs do not know.

    The newest commits of a log leave no hole when they are lost. This is how their loss is noticed.

    Args:
        catalog: The catalog.
        storage: The lake.
        table: The table.
        folder: Scratch space.
        deep: Whether to read the manifests of all published files.

    Raises:
        CorruptObject: The coverage log is damaged.
        LakehouseError: The lake or the catalog did not answer.
    """
    entries = catalog.partitions(table)
    newest = CoverageLog(storage).days(table.name).select("partition", "version", "at").unique().iter_rows()
    covered = {partition: (version, at) for partition, version, at in newest}
    for entry in entries:
        version, at = covered.get(entry.partition, ("", entry.published_at))
        # A publication logs the days first. Where it ended before the catalog's call, the log is ahead.
        if version != entry.sha256[:VERSION_DIGITS] and at <= entry.published_at:
            what = "lacks the days of the published version"
            yield Fault(FileKind.LOG, table.name, entry.partition, f"coverage/{table.name}/", what, REPAIR)
    if not isinstance(table, Dataset):
        return
    if entries and BronzeLog(storage).latest(table.name).is_empty():
        what = "is gone, and there are published partitions"
        yield Fault(FileKind.LOG, table.name, "", f"bronze/{table.name}/log/", what, REPAIR)
    if not deep:
        return
    committed = BronzeLog(storage).versions(table.name)
    for partition, inputs in published_inputs(storage, entries, folder).items():
        unknown = [key for key, sha256 in inputs if (key, sha256) not in committed]
        if unknown:
            what = f"lacks {len(unknown)} objects that the partition is made from, such as {unknown[0]}"
            yield Fault(FileKind.LOG, table.name, partition, f"bronze/{table.name}/log/", what, REPAIR_DEEP)


def published_inputs(
    storage: Storage, entries: Sequence[PublishedPartition], folder: Path
) -> dict[str, list[tuple[str, str]]]:
    """Returns key and sha256 of what each published file was made from; a file that cannot be read is left out."""
    inputs: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        try:
            path = storage.fetch(entry.file, folder)
            manifest = read_manifest(path)
        except PermanentError:
            continue
        discard_download(path, folder)
        inputs[entry.partition] = [(given.key, given.sha256) for given in manifest.inputs]
    return inputs
