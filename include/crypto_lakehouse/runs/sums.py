"""The digests of evidence: a sealed list of files with their sha256, next to the files that it is about."""

import json
from collections.abc import Iterator, Mapping

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.runs.codec import sealed, unsealed

ENDING = ".sha256"


def write_sums(storage: Storage, folder: str, name: str, sums: Mapping[str, str]) -> None:
    """Writes the digests of files.

    Args:
        storage: The lake.
        folder: The folder of the files.
        name: Who wrote them; the name of the list.
        sums: The sha256 of each file, by its path in the folder.
    """
    storage.write(f"{folder}/{name}{ENDING}", sealed(json.dumps(sums, sort_keys=True).encode()))


def read_sums(storage: Storage, key: str) -> Iterator[tuple[str, str]]:
    """Yields the key and the sha256 of each file of a list.

    Raises:
        CorruptObject: The list is damaged.
        ArchiveFileMissing: There is no such list.
    """
    sums = json.loads(unsealed(storage.read(key), key))
    if not isinstance(sums, dict):
        raise CorruptObject(f"{key} is no list of digests", "Run `crypto-lakehouse catalog verify --deep --repair`")
    folder = key.rpartition("/")[0]
    yield from ((f"{folder}/{name}", str(sha256)) for name, sha256 in sorted(sums.items()))
