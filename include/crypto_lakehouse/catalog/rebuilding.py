"""Compares the catalog with the lake, or rebuilds it. Only files and the verdict log count."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import CorruptObject, LakehouseError
from crypto_lakehouse.lake.partition import Partition, table_folder
from crypto_lakehouse.lake.records import Candidate, PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.spec import Table

_CANDIDATE_FIELDS = tuple(Candidate.__slots__)


def rebuild(catalog: Catalog, storage: Storage, table: Table) -> int:
    """Publishes the newest version of each partition that passed the gate. Returns the number of partitions.

    Other partitions are removed from the catalog: they have no verdict, or their file is missing.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    sizes = {file.key: file.size for file in storage.list(f"{table_folder(table)}/")}
    passed = VerdictLog(storage).latest_publishable(table)
    records = [
        _record(logged)
        for logged in passed.values()
        if sizes.get(logged.verdict.candidate.file) == logged.verdict.candidate.bytes
    ]
    catalog.ensure_table(table)
    if records:
        catalog.publish(records)
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
    """Returns the faults of a table's published files: missing, of another size, or with other bytes.

    Args:
        catalog: The catalog.
        storage: The lake.
        table: The table.
        deep: Read every file and compare its sha256, not only its size.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    sizes = {file.key: file.size for file in storage.list(f"{table_folder(table)}/")}
    faults = []
    for record in catalog.partitions(table):
        fault = _fault(record, sizes.get(record.file), storage, deep=deep)
        if fault is not None:
            faults.append(fault)
    return faults


def _fault(record: PublishedPartition, size: int | None, storage: Storage, *, deep: bool) -> LakehouseError | None:
    if size != record.bytes:
        problem = "is missing" if size is None else f"has {size} bytes, published were {record.bytes}"
        return CorruptObject(f"{record.file} {problem}", "Build the partition again", partition=record.partition)
    if not deep:
        return None
    candidate = Candidate(**{name: getattr(record, name) for name in _CANDIDATE_FIELDS})
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        try:
            verify_candidate(storage, candidate, Path(folder))
        except CorruptObject as error:
            return error
    return None
