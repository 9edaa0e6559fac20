"""A lake in a local folder."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.lake.storage import StoredObject

_UNFINISHED = ".unfinished-"
"""Prefix of files still being written; they are never listed and are left behind only by a killed process."""

_KEY = re.compile(r"[A-Za-z0-9_.=+-]+(/[A-Za-z0-9_.=+-]+)*")


def validated_key(key: str) -> str:
    """Returns `key` if it is a safe relative key: ASCII names between single slashes, no dot-names.

    Raises:
        InvalidRequest: It is not.
    """
    names = key.split("/")
    if not _KEY.fullmatch(key) or any(name in {".", ".."} or name.startswith(_UNFINISHED) for name in names):
        raise InvalidRequest(f"{key[:100]!r} is not a key of the lake", "Keys are ASCII names joined by single slashes")
    return key


class LocalStorage:
    """Storage in a folder; writes go to a neighbour file, are synced, and are then renamed into place."""

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
        """
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ArchiveFileMissing(f"the lake holds no {key}", f"Looked in {self._root}") from error

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Writes an object atomically; with `if_absent`, returns False and writes nothing if it exists."""
        target = self._path(key)
        unfinished = self._unfinished(target)
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if if_absent:
                return _link(unfinished, target)
            unfinished.replace(target)
            return True
        finally:
            unfinished.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def put_file(self, path: Path, key: str) -> None:
        """Stores a local file under `key`, atomically; the file is moved where it lies on the same device."""
        target = self._path(key)
        unfinished = self._unfinished(target)
        try:
            _move_or_copy(path, unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def fetch(self, key: str, folder: Path) -> Path:
        """Returns the store's own file: nothing is copied, and `folder` is not used.

        Raises:
            ArchiveFileMissing: There is none.
        """
        path = self._path(key)
        if not path.is_file():
            raise ArchiveFileMissing(f"the lake holds no {key}", f"Looked in {self._root}")
        return path

    def exists(self, key: str) -> bool:
        """Returns whether there is an object."""
        return self._path(key).is_file()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yields the objects whose key starts with `prefix`, in code point order of the key.

        Raises:
            ArchiveFileMissing: An object was removed during the listing. Its replacement may not be in the listing.
        """
        folder = self._root / (validated_key(prefix.rstrip("/")) if prefix.rstrip("/") else "")
        start = folder if prefix.endswith("/") or not prefix else folder.parent
        paths = [path for path in _files(start) if path.relative_to(self._root).as_posix().startswith(prefix)]
        for path in sorted(paths, key=lambda path: path.relative_to(self._root).as_posix()):
            status = _status(path)
            yield StoredObject(
                path.relative_to(self._root).as_posix(),
                status.st_size,
                f"{status.st_mtime_ns:x}-{status.st_size:x}",
                datetime.fromtimestamp(status.st_mtime, UTC),
            )

    def delete(self, key: str) -> None:
        """Removes an object. It is no error if the object does not exist."""
        self._path(key).unlink(missing_ok=True)

    def _unfinished(self, target: Path) -> Path:
        _make_folder(target.parent)
        # Long names would break the file system's limit, so the neighbour is named by a digest.
        digest = hashlib.sha256(target.name.encode()).hexdigest()[:16]
        return target.parent / f"{_UNFINISHED}{digest}-{secrets.token_hex(8)}"


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise ArchiveFileMissing(f"{path.name} was removed while being listed", "List again") from error


def _files(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        for name in names:
            if not name.startswith(_UNFINISHED):
                yield Path(base) / name


def _link(unfinished: Path, target: Path) -> bool:
    try:
        os.link(unfinished, target)
    except FileExistsError:
        return False
    return True


def _move_or_copy(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except OSError:
        # Another device: the scratch folder often is one.
        shutil.copyfile(path, target)


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
