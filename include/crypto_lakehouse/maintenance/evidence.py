"""Checks the records of runs, and what gates and reports left."""

from collections.abc import Iterator
from pathlib import Path

from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.lake.faults import REPAIR_DEEP, Fault, FileKind
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.versions import stored_sha256
from crypto_lakehouse.runs.codec import unsealed
from crypto_lakehouse.runs.sums import ENDING, read_sums


def evidence_faults(storage: Storage, subject: str, folder: Path) -> Iterator[Fault]:
    """Yields the damaged orders, results and evidence of the runs of a table, a market or the lake.

    Args:
        storage: The lake.
        subject: What the runs are about.
        folder: Scratch space.

    Raises:
        LakehouseError: The lake did not answer.
    """
    for listed in list(storage.list(f"runs/{subject}/")):
        if listed.key.endswith(".json") and not _is_sealed(storage, listed.key):
            yield _fault(subject, listed.key, "is damaged")
    for listed in list(storage.list(f"quality/{subject}/")):
        if not listed.key.endswith(ENDING):
            continue
        try:
            sums = list(read_sums(storage, listed.key))
        except (ArchiveFileMissing, CorruptObject):
            yield _fault(subject, listed.key, "is damaged")
            continue
        for key, sha256 in sums:
            what = _difference(storage, key, sha256, folder)
            if what:
                yield _fault(subject, key if what != "is missing" else listed.key, f"{what}: {key}")


def _is_sealed(storage: Storage, key: str) -> bool:
    try:
        unsealed(storage.read(key), key)
    except CorruptObject:
        return False
    except ArchiveFileMissing:
        # A step that is repeated removes its old result.
        return True
    return True


def _difference(storage: Storage, key: str, sha256: str, folder: Path) -> str:
    try:
        return "" if stored_sha256(storage, key, folder) == sha256 else "no longer has its bytes"
    except ArchiveFileMissing:
        return "is missing"


def _fault(subject: str, key: str, what: str) -> Fault:
    return Fault(FileKind.EVIDENCE, subject, "", key, what, REPAIR_DEEP)
