"""Partition versions: content-addressed files that no reader sees until the catalog points at them."""

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Manifest, PublishedPartition
from crypto_lakehouse.lake.storage import Storage

DATA_FILE = "data.parquet"
DAMAGED_FOLDER = "damaged/"
"""Where a repair keeps damaged files: nothing of it is read, and a later collection removes it."""


def file_sha256(path: Path) -> str:
    """Returns the hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored_sha256(storage: Storage, key: str, folder: Path) -> str:
    """Returns the sha256 of an object of the lake, read in full.

    Args:
        storage: The lake.
        key: The object.
        folder: Scratch space for a download, which is removed at once.

    Raises:
        ArchiveFileMissing: There is no such object.
    """
    path = storage.fetch(key, folder)
    try:
        return file_sha256(path)
    finally:
        discard_download(path, folder)


def discard_download(path: Path, folder: Path) -> None:
    """Removes what was fetched into a folder; a store in a folder gives its own file, which stays."""
    if path.is_relative_to(folder):
        path.unlink()


def set_aside(storage: Storage, key: str, folder: Path) -> str:
    """Moves a damaged object out of the way, to a name that shows it, and returns that name.

    Args:
        storage: The lake.
        key: The object.
        folder: Scratch space.

    Raises:
        ArchiveFileMissing: There is no such object.
    """
    copy = folder / "damaged"
    shutil.copyfile(storage.fetch(key, folder), copy)
    aside = f"{DAMAGED_FOLDER}{file_sha256(copy)[:16]}/{key}"
    storage.put_file(copy, aside)
    storage.delete(key)
    return aside


def store_candidate(
    storage: Storage,
    partition: Partition,
    file: Path,
    manifest: Manifest,
    times: tuple[datetime | None, datetime | None],
) -> Candidate:
    """Stores a conformed file under the name its bytes give it; the same bytes are stored once.

    Args:
        storage: The lake.
        partition: What the file holds.
        file: The Parquet file; it may be moved away.
        manifest: The file's own manifest.
        times: First and last event time.
    """
    sha256, size = file_sha256(file), file.stat().st_size
    location = f"{partition.path}/version={sha256[:16]}"
    candidate = Candidate(
        dataset=partition.table.name,
        partition=partition.name,
        location=location,
        file=f"{location}/{DATA_FILE}",
        sha256=sha256,
        bytes=size,
        rows=manifest.rows_out,
        inputs_digest=manifest.inputs_digest,
        first_time=times[0],
        last_time=times[1],
    )
    # Always written, even if it exists: a damaged file would otherwise stay damaged in every run.
    storage.put_file(file, candidate.file)
    return candidate


def verify_candidate(storage: Storage, candidate: Candidate | PublishedPartition, folder: Path) -> Path:
    """Returns a local path with the verified bytes of a version, published or not.

    Raises:
        CorruptObject: The file is gone, or its bytes differ from the bytes that were written.
    """
    place = folder / candidate.sha256
    place.mkdir(parents=True, exist_ok=True)
    try:
        path = storage.fetch(candidate.file, place)
    except ArchiveFileMissing as error:
        raise _corrupt(candidate, "is gone") from error
    size = path.stat().st_size
    if size != candidate.bytes:
        raise _corrupt(candidate, f"has {size} bytes, written were {candidate.bytes}")
    actual = file_sha256(path)
    if actual != candidate.sha256:
        raise _corrupt(candidate, f"has sha256 {actual[:16]}..., written was {candidate.sha256[:16]}...")
    return path


def _corrupt(candidate: Candidate | PublishedPartition, what: str) -> CorruptObject:
    return CorruptObject(
        f"{candidate.file} {what}",
        "Run the partition again: it is rebuilt from the layer below",
        dataset=candidate.dataset,
        partition=candidate.partition,
    )
