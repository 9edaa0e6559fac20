"""Where the lake's bytes lie: one protocol, a local folder or an S3 prefix.

Keys are relative to the lake's root, ASCII, with forward slashes. Every write is atomic: a reader sees the old
bytes, the new bytes or nothing, and never a part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One listed object: its key, size in bytes, entity tag, and when it was last written, UTC."""

    key: str
    size: int
    etag: str
    modified_at: datetime


class Storage(Protocol):
    """What the lake needs of a store. `tests/contract` holds every implementation to the same behaviour."""

    @property
    def uri(self) -> str:
        """The root: an absolute path or `s3://bucket/prefix`, without a trailing slash."""

    def read(self, key: str) -> bytes:
        """Returns the object's bytes. Raises ArchiveFileMissing if there is none, SourceUnavailable on failure."""

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Writes an object atomically and durably; with `if_absent`, returns False and writes nothing if it exists."""

    def put_file(self, path: Path, key: str) -> None:
        """Stores a local file under `key`, atomically and durably; the local file may be moved away."""

    def fetch(self, key: str, folder: Path) -> Path:
        """Returns a local path with the object's bytes: the store's own file, or a download into `folder`."""

    def exists(self, key: str) -> bool:
        """Returns whether there is an object."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yields the objects below a prefix, by key in code point order; leftovers of broken writes are not listed."""

    def delete(self, key: str) -> None:
        """Removes an object; removing what is not there is no error."""

    def remove_unfinished(self) -> int:
        """Removes what killed writers left behind, and nothing of living ones. Returns the number of files."""
