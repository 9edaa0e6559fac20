"""Checks what readers see: the files of published partitions, and the catalog against the verdict log."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.rebuilding import published_record
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.faults import REBUILD, REPAIR, REPAIR_DEEP, Fault, FileKind
from crypto_lakehouse.lake.partition import table_folder
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import DATA_FILE, stored_sha256
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Step

_VERSION = re.compile(rf"(?P<partition>.+)/version=(?P<sha256>[0-9a-f]{{16}})/{DATA_FILE}")


def stored_versions(storage: Storage, table: Table) -> dict[str, int]:
    """Returns the sizes of all versions of a table's partitions, by key."""
    return {
        listed.key: listed.size
        for listed in storage.list(f"{table_folder(table)}/")
        if listed.key.endswith(f"/{DATA_FILE}")
    }


def published_faults(catalog: Catalog, storage: Storage, table: Table, folder: Path, *, deep: bool) -> Iterator[Fault]:
    """Yields what is wrong with the catalog's entries of a table, and with the files of all its versions.

    Args:
        catalog: The catalog.
        storage: The lake.
        table: The table.
        folder: Scratch space.
        deep: Whether to read every byte, and not only the sizes.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    sizes = stored_versions(storage, table)
    passed = {name: published_record(logged) for name, logged in VerdictLog(storage).latest_publishable(table).items()}
    try:
        entries = {record.partition: record for record in catalog.partitions(table)}
    except CorruptObject as error:
        yield Fault(FileKind.CATALOG, table.name, "", "catalog", error.what, REBUILD)
        entries = {}
    if sizes and not entries and not VerdictLog(storage).head(table) and was_published(storage, table):
        what = "is gone, and there are versions of partitions"
        yield Fault(FileKind.LOG, table.name, "", f"{table_folder(table)}/verdicts/", what, REPAIR)
    seen = {record.file: record for record in (*passed.values(), *entries.values())}
    for file, record in seen.items():
        what = _fault(storage, record, sizes.get(file), folder, deep=deep)
        if what:
            action = REPAIR if sizes.get(file) != record.bytes else REPAIR_DEEP
            yield Fault(FileKind.PUBLISHED, table.name, record.partition, file, what, action)
    for name in sorted(entries | passed):
        entry, verdict = entries.get(name), passed.get(name)
        what = _disagreement(entry, verdict)
        shown = entry or verdict
        # Readers do not see a partition whose file is gone. The missing file is a fault already.
        if what and shown is not None and (entry is not None or sizes.get(shown.file) == shown.bytes):
            yield Fault(FileKind.CATALOG, table.name, name, shown.file, what, REPAIR)
    for file in sorted(set(sizes) - set(seen)) if deep else ():
        version = _VERSION.fullmatch(file)
        if version is None or not stored_sha256(storage, file, folder).startswith(version["sha256"]):
            what = "no longer has the bytes of its name"
            yield Fault(FileKind.FORMER, table.name, "", file, what, REPAIR_DEEP)


def version_fault_of(catalog: Catalog, storage: Storage, table: Table, file: str) -> Fault:
    """Returns the fault of a version whose bytes are wrong.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    what = "no longer has the bytes of its name"
    passed = VerdictLog(storage).latest_publishable(table, skip_damage=True)
    for record in (*catalog.partitions(table), *map(published_record, passed.values())):
        if record.file == file:
            return Fault(FileKind.PUBLISHED, table.name, record.partition, file, what, REPAIR_DEEP)
    return Fault(FileKind.FORMER, table.name, "", file, what, REPAIR_DEEP)


def was_published(storage: Storage, table: Table) -> bool:
    """Returns whether a run published partitions of a table, or nothing is known of its runs.

    A run that was stopped before its first publication leaves versions, too, and its own files.
    """
    names = [listed.key for listed in storage.list(f"runs/{table.name}/")]
    return not names or any(name.endswith(f".{Step.PUBLISH}.result.json") for name in names)


def _disagreement(entry: PublishedPartition | None, passed: PublishedPartition | None) -> str:
    """Returns how the catalog's entry differs from the newest verdict that let the partition be published."""
    if entry is None:
        return "was published by the verdict log, and the catalog lacks it"
    if passed is None:
        return "is in the catalog, and the verdict log has no verdict on it"
    # The generation counts publications, and belongs to the catalog alone.
    names = [field.name for field in fields(PublishedPartition) if field.name != "generation"]
    differing = [name for name in names if getattr(entry, name) != getattr(passed, name)]
    return f"differs between catalog and verdict log in {', '.join(differing)}" if differing else ""


def _fault(storage: Storage, record: PublishedPartition, size: int | None, folder: Path, *, deep: bool) -> str:
    if size is None:
        return "is missing"
    if size != record.bytes:
        return f"has {size:,} bytes, published were {record.bytes:,}"
    if deep and stored_sha256(storage, record.file, folder) != record.sha256:
        return "no longer has the bytes that were published"
    return ""
