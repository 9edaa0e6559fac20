"""A lake in a local folder."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.lake.storage import StoredObject
from crypto_lakehouse.ownership import arriving, claim, remove_abandoned

_UNFINISHED = ".unfinished"
"""Folder of files still being written. They are never listed, and only a killed process leaves one behind."""

_UNFINISHED_DEPTH = 2
"""How deep in the lake these folders are: one for each dataset of an area, so that few places have to be searched."""

_COPY_BYTES = 1 << 20

_KEY = re.compile(r"[A-Za-z0-9_.=+-]+(/[A-Za-z0-9_.=+-]+)*")


def validated_key(key: str) -> str:
    """Returns `key` if it is a safe relative key: ASCII names between single slashes, no dot-names.

    Raises:
        InvalidRequest: It is not.
    """
    names = key.split("/")
    if not _KEY.fullmatch(key) or any(name in {".", "..", _UNFINISHED} for name in names):
        raise InvalidRequest(f"{key[:100]!r} is not a key of the lake", "Keys are ASCII names joined by single slashes")
    return key


class LocalStorage:
    """Storage in a folder; writes go to a file aside, are synced, and are then renamed into place."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __repr__(self) -> str:
        return f"LocalStorage({str(self._root)!r})"

    @property
    def uri(self) -> str:
        """The absolute path of the root."""
        return str(self._root)

    def _path(self, key: str) -> Path:
        return self._root / validated_key(key)

    def read(self, key: str) -> bytes:
        """Returns the object's bytes.

        Raises:
            ArchiveFileMissing: There is none.
            LakehouseError: The disk did not answer, or the file may not be read.
        """
        path = self._path(key)
        with translated(str(path)):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise ArchiveFileMissing(f"the lake holds no {key}", f"Looked in {self._root}") from error

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Writes an object atomically; with `if_absent`, returns False and writes nothing if it exists.

        Raises:
            LakehouseError: There is no space, or the folder may not be written; nothing was written.
        """
        with self._unfinished(key) as (unfinished, target), _created(unfinished) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if if_absent:
                return _link(unfinished, target)
            unfinished.replace(target)
            return True

    def put_file(self, path: Path, key: str) -> None:
        """Stores a local file under `key`, atomically; the file is moved where it lies on the same device.

        Raises:
            LakehouseError: There is no space, or the folder may not be written; nothing was written.
        """
        with self._unfinished(key) as (unfinished, target), _moved_or_copied(path, unfinished) as file:
            os.fsync(file.fileno())
            unfinished.replace(target)

    def fetch(self, key: str, folder: Path) -> Path:
        """Returns the store's own file: nothing is copied, and `folder` is not used.

        Raises:
            ArchiveFileMissing: There is none.
        """
        if not self.exists(key):
            raise ArchiveFileMissing(f"the lake holds no {key}", f"Looked in {self._root}")
        return self._path(key)

    def exists(self, key: str) -> bool:
        """Returns whether there is an object."""
        path = self._path(key)
        with translated(str(path)):
            return path.is_file()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yields the objects whose key starts with `prefix`, in code point order of the key.

        Raises:
            ArchiveFileMissing: An object was removed during the listing. Its replacement may not be in the listing.
            LakehouseError: A folder cannot be read. Its objects are not taken for missing.
        """
        folder = self._root / (validated_key(prefix.rstrip("/")) if prefix.rstrip("/") else "")
        start = folder if prefix.endswith("/") or not prefix else folder.parent
        with translated(str(start)):
            for key in sorted(key for key in _keys(self._root, start) if key.startswith(prefix)):
                status = _status(f"{self._root}/{key}")
                yield StoredObject(
                    key,
                    status.st_size,
                    f"{status.st_mtime_ns:x}-{status.st_size:x}",
                    datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def delete(self, key: str) -> None:
        """Removes an object. It is no error if the object does not exist."""
        path = self._path(key)
        with translated(str(path)):
            path.unlink(missing_ok=True)

    def remove_unfinished(self) -> int:
        """Removes the files that killed writers left behind, and no file of a living writer. Returns their number."""
        patterns = ("*/" * depth + _UNFINISHED for depth in range(_UNFINISHED_DEPTH + 1))
        with translated(str(self._root)):
            return sum(remove_abandoned(folder) for pattern in patterns for folder in self._root.glob(pattern))

    @contextmanager
    def _unfinished(self, key: str) -> Iterator[tuple[Path, Path]]:
        """Yields where a file is written, and where the block puts it then."""
        target = self._path(key)
        with translated(str(target)):
            _make_folder(target.parent)
            folder = self._root.joinpath(*key.split("/")[:-1][:_UNFINISHED_DEPTH], _UNFINISHED)
            folder.mkdir(exist_ok=True)
            unfinished = folder / secrets.token_hex(16)
            try:
                yield unfinished, target
            finally:
                unfinished.unlink(missing_ok=True)
            _sync_folder(target.parent)


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - see `_keys`: no paths here
    except FileNotFoundError as error:
        raise ArchiveFileMissing(f"{path} was removed while being listed", "List again") from error


def _keys(root: Path, folder: Path) -> Iterator[str]:
    """Yields the keys of the files below a folder, as texts: paths would take several times as long."""
    start = len(str(root).rstrip("/")) + 1
    for base, folders, names in os.walk(folder, onerror=_raise_unless_gone):
        folders[:] = [name for name in folders if name != _UNFINISHED]
        place = f"{base.rstrip('/')}/"[start:]
        for name in names:
            yield f"{place}{name}"


def _raise_unless_gone(error: OSError) -> None:
    # By default `os.walk` passes over a folder that it cannot read: a log in it would look empty.
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _created(unfinished: Path) -> BinaryIO:
    """Returns a new file that this process owns."""
    with arriving(unfinished.parent):
        file = unfinished.open("xb")
        claim(file.fileno())
    return file


def _moved_or_copied(path: Path, unfinished: Path) -> BinaryIO:
    """Returns the file at its new place, owned by this process."""
    file = path.open("rb+")
    # Claimed before the move, because it arrives where files without an owner are removed.
    claim(file.fileno())
    try:
        path.replace(unfinished)
    except OSError:
        # Another device: the scratch folder often is one.
        with file:
            return _copied(file, unfinished)
    return file


def _copied(file: BinaryIO, unfinished: Path) -> BinaryIO:
    copy = _created(unfinished)
    try:
        shutil.copyfileobj(file, copy, _COPY_BYTES)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    return copy


def _link(unfinished: Path, target: Path) -> bool:
    try:
        os.link(unfinished, target)
    except FileExistsError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it so that they outlive a loss of power, as the files in them do."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
