"""Reads the stored files again, a part at a time, so that a bit that rots is noticed while another copy is there."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import ArchiveFileMissing, ObjectArchived
from crypto_lakehouse.lake.faults import Fault
from crypto_lakehouse.lake.storage import Storage, StoredObject
from crypto_lakehouse.lake.versions import stored_sha256
from crypto_lakehouse.maintenance.objects import object_fault_of
from crypto_lakehouse.maintenance.published import version_fault_of
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import MaintenanceSettings
from crypto_lakehouse.spec import Dataset

PLACE = "maintenance/scrub.json"
"""Where the lake keeps the key of the last file that was read."""

DAYS_BETWEEN = 7
"""The DAG starts a scrub once a week."""

_NAMED = re.compile(
    r"(?:silver|gold)/[^/]+/.+/version=(?P<version>[0-9a-f]{16})/data\.parquet"
    r"|bronze/[^/]+/(?:objects|rest)/.+/(?P<object>[0-9a-f]{64})\.[a-z.]+"
)


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a scrub read.

    Args:
        read: The files that were read.
        stored: All files that there are to read.
        faults: The files without the bytes of their names.
        is_end: Whether the last file was read.
    """

    read: tuple[StoredObject, ...]
    stored: tuple[StoredObject, ...]
    faults: tuple[Fault, ...]
    is_end: bool


def scrub(
    catalog: Catalog, storage: Storage, settings: MaintenanceSettings, folder: Path, progress: Progress = no_progress
) -> Scrubbed:
    """Reads the files after the last one that was read, and starts again after the end.

    At least one file is read, and so many bytes that a weekly scrub reads all files in the set number of days, but no
    more than the set limit.

    Args:
        catalog: The catalog.
        storage: The lake.
        settings: How much to read.
        folder: Scratch space.
        progress: Is called with the number of files, of how many.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    stored = [file for layer in ("bronze/", "gold/", "silver/") for file in _named_files(storage, layer)]
    after = _place(storage)
    waiting = [file for file in stored if file.key > after] or stored
    share = math.ceil(sum(file.size for file in stored) * DAYS_BETWEEN / settings.scrub_days)
    part = _part(waiting, min(share, settings.scrub_mib * 2**20))
    faults = []
    for number, file in enumerate(part):
        progress("files", number, len(part))
        if not _has_named_bytes(storage, file.key, folder):
            faults.append(_fault(catalog, storage, file.key))
    is_end = len(part) == len(waiting)
    storage.write(PLACE, json.dumps({"after": "" if is_end else part[-1].key}).encode())
    return Scrubbed(tuple(part), tuple(stored), tuple(faults), is_end)


def _named_files(storage: Storage, layer: str) -> Iterator[StoredObject]:
    return (file for file in storage.list(layer) if _NAMED.fullmatch(file.key))


def _place(storage: Storage) -> str:
    try:
        return str(json.loads(storage.read(PLACE))["after"])
    except (ArchiveFileMissing, ValueError, KeyError, TypeError):
        # A place that cannot be read costs nothing: the scrub starts with the first file.
        return ""


def _part(waiting: Sequence[StoredObject], limit: int) -> list[StoredObject]:
    """Returns the first files up to a limit of bytes, at least one."""
    part: list[StoredObject] = []
    size = 0
    for file in waiting:
        if part and size + file.size > limit:
            break
        part.append(file)
        size += file.size
    return part


def _has_named_bytes(storage: Storage, key: str, folder: Path) -> bool:
    match = _NAMED.fullmatch(key)
    try:
        sha256 = stored_sha256(storage, key, folder)
    except ArchiveFileMissing:
        # A collection removed it meanwhile. A verification knows which files must be there.
        return True
    except ObjectArchived:
        # Only a restore of hours could read it. Such a store checks its own bytes.
        return True
    return match is not None and sha256.startswith(match["version"] or match["object"])


def _fault(catalog: Catalog, storage: Storage, key: str) -> Fault:
    table = table_of_name(key.split("/")[1])
    if key.startswith("bronze/") and isinstance(table, Dataset):
        return object_fault_of(storage, table, key)
    return version_fault_of(catalog, storage, table, key)
