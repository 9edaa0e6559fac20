"""Compares the catalog with the lake, or rebuilds it from the files and the verdict log."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import CorruptObject, LakehouseError
from crypto_lakehouse.lake.partition import Partition, table_folder
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.spec import Table


def rebuild(catalog: Catalog, storage: Storage, table: Table) -> int:
    """Points the catalog at the newest version of each partition that passed the gate; returns how many.

    What the catalog holds beyond that is taken out: no verdict stands behind it, or its file is gone.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    # Before the verdicts are read: a partition that a run publishes meanwhile keeps the newer version of the run.
    seen = {record.partition: record.generation for record in catalog.partitions(table)}
    sizes = {file.key: file.size for file in storage.list(f"{table_folder(table)}/")}
    passed = VerdictLog(storage).latest_publishable(table)
    records = [
        _record(logged)
        for logged in passed.values()
        if sizes.get(logged.verdict.candidate.file) == logged.verdict.candidate.bytes
    ]
    catalog.ensure_table(table)
    if records:
        catalog.publish(records, seen)
    kept = {record.partition for record in records}
    for published in catalog.partitions(table):
        if published.partition not in kept:
            catalog.remove(Partition.parse(table, published.partition))
    return len(records)


def _record(logged: LoggedVerdict) -> PublishedPartition:
    return PublishedPartition(
        **asdict(logged.verdict.candidate),
        condition=logged.verdict.condition,
        reasons=logged.verdict.reasons,
        run_id=logged.run_id,
        published_at=logged.at,
    )


def verify(catalog: Catalog, storage: Storage, table: Table, deep: bool = False) -> list[LakehouseError]:
    """Returns what is wrong with a table's published files: missing, of another size, or of other bytes.

    Args:
        catalog: The catalog.
        storage: The lake.
        table: The table.
        deep: Whether to read every file and compare its sha256, not only its size.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    sizes = {file.key: file.size for file in storage.list(f"{table_folder(table)}/")}
    faults = []
    for published in catalog.partitions(table):
        fault = _fault(published, sizes.get(published.file), storage, deep=deep)
        if fault is not None:
            faults.append(fault)
    return faults


def _fault(published: PublishedPartition, size: int | None, storage: Storage, *, deep: bool) -> LakehouseError | None:
    if size != published.bytes:
        fault = "is missing" if size is None else f"has {size} bytes, published were {published.bytes}"
        return CorruptObject(f"{published.file} {fault}", "Run the partition again", partition=published.partition)
    if not deep:
        return None
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        try:
            verify_candidate(storage, published, Path(folder))
        except CorruptObject as error:
            return error
    return None
