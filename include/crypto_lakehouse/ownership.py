"""What belongs to a living process: scratch folders, and files that are not finished.

Their owner holds a lock on them. The kernel releases it when the process ends, however it ends, and no copy of it is
passed on to programs that the process starts. So a file or folder whose lock is free was left behind by a process that
was killed, and the next process removes it at once. Its age does not matter. Where a file system has no such locks,
nothing is removed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crypto_lakehouse.errors import PlaceUnusable

_PREFIX = "lakehouse-"


def claim(descriptor: int) -> bool:
    """Claims an open file or folder for this process until it is closed. Returns whether nobody else owns it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def arriving(folder: Path) -> Iterator[None]:
    """Protects what the block creates in a folder and then claims: nothing is removed from the folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path, pattern: str = "*") -> int:
    """Removes the files and folders in a folder whose owner does not live any more. Returns how many these were."""
    orphans = _claimed_orphans(folder, pattern)
    for path, descriptor in orphans:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        os.close(descriptor)
    return len(orphans)


def _claimed_orphans(folder: Path, pattern: str) -> list[tuple[Path, int]]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # While something arrives, it may be there without being claimed. The next process will look again.
        if not claim(descriptor):
            return []
        claimed = ((path, _claimed(path)) for path in sorted(folder.glob(pattern)))
        return [(path, lock) for path, lock in claimed if lock is not None]
    finally:
        os.close(descriptor)


def _claimed(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        # It was removed in the meantime, or belongs to another user.
        return None
    if claim(descriptor):
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def scratch_folder(base: Path | None, purpose: str) -> Iterator[Path]:
    """Yields a private scratch folder that is gone afterwards; folders of killed processes are removed first.

    Args:
        base: The folder for scratch folders; None for one of this user in the temporary folder of the system.
        purpose: What it is for; a part of its name.

    Raises:
        PlaceUnusable: Another user owns the folder for scratch folders.
        OSError: The folder cannot be made.
    """
    place = _users_folder() if base is None else base
    place.mkdir(parents=True, exist_ok=True)
    remove_abandoned(place, f"{_PREFIX}*")
    with arriving(place):
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=place))
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        claim(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _users_folder() -> Path:
    """Returns the folder of this user in the temporary folder, where another user cannot put or hold anything."""
    folder = Path(tempfile.gettempdir()) / f"crypto-{_PREFIX}{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PlaceUnusable(f"{folder} belongs to another user", "Set another work folder")
    return folder
