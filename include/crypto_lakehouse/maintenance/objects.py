"""Checks what Bronze stores: every object that the log lists, and every other file with a sha256 for its name."""

import re
from collections.abc import Iterator
from pathlib import Path

from crypto_lakehouse.lake.bronze import BronzeLog, bronze_object
from crypto_lakehouse.lake.faults import INGEST, REPAIR, REPAIR_DEEP, Fault, FileKind
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.versions import stored_sha256
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ObjectForm

_NAMED = re.compile(r"([0-9a-f]{64})\.[a-z.]+")


def object_faults(storage: Storage, dataset: Dataset, folder: Path, *, deep: bool) -> Iterator[Fault]:
    """Yields what is wrong with the objects of a dataset.

    Args:
        storage: The lake.
        dataset: The dataset.
        folder: Scratch space.
        deep: Whether to read every byte, and not only the sizes.

    Raises:
        CorruptObject: The Bronze log is damaged.
        LakehouseError: The lake did not answer.
    """
    sizes = stored_objects(storage, dataset)
    newest = {known.path: known for known in map(bronze_object, BronzeLog(storage).latest(dataset.name).to_dicts())}
    for path, known in newest.items():
        what = _fault(storage, known, sizes.get(path), folder, deep=deep)
        what = what or (f"is noted as damaged: {known.damage}" if known.damage else "")
        if what:
            repair = REPAIR if sizes.get(path) != known.size else REPAIR_DEEP
            yield Fault(kind_of(known), dataset.name, known.key, path, what, INGEST if known.damage else repair)
    for path in sorted(set(sizes) - set(newest)) if deep else ():
        if wrong_name(storage, path, folder):
            what = "no longer has the bytes of its name"
            yield Fault(FileKind.FORMER, dataset.name, "", path, what, REPAIR_DEEP)


def object_fault_of(storage: Storage, dataset: Dataset, path: str) -> Fault:
    """Returns the fault of a stored object whose bytes are wrong.

    Raises:
        LakehouseError: The lake did not answer.
    """
    what = "no longer has the bytes of its name"
    for known in map(bronze_object, BronzeLog(storage).latest(dataset.name).to_dicts()):
        if known.path == path:
            return Fault(kind_of(known), dataset.name, known.key, path, what, REPAIR_DEEP)
    return Fault(FileKind.FORMER, dataset.name, "", path, what, REPAIR_DEEP)


def stored_objects(storage: Storage, dataset: Dataset) -> dict[str, int]:
    """Returns the sizes of all stored objects of a dataset, of every version, by key."""
    folders = (f"bronze/{dataset.name}/{name}/" for name in ("objects", "rest"))
    return {listed.key: listed.size for folder in folders for listed in storage.list(folder)}


def kind_of(known: BronzeObject) -> FileKind:
    """Returns the kind of the newest version of an object."""
    return FileKind.BRONZE_ANSWER if known.source.form is ObjectForm.ANSWERS else FileKind.BRONZE_OBJECT


def wrong_name(storage: Storage, path: str, folder: Path) -> bool:
    """Returns whether an object no longer has the sha256 that its name gives."""
    named = _NAMED.fullmatch(path.rpartition("/")[2])
    return named is None or stored_sha256(storage, path, folder) != named[1]


def _fault(storage: Storage, known: BronzeObject, size: int | None, folder: Path, *, deep: bool) -> str:
    if size is None:
        return "is missing"
    if size != known.size:
        return f"has {size:,} bytes, Bronze recorded {known.size:,}"
    if deep and stored_sha256(storage, known.path, folder) != known.sha256:
        return "no longer has the bytes that Bronze recorded"
    return ""
