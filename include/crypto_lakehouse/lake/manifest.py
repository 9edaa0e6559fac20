"""The manifest inside a Silver file: what it was made from, in the Parquet key-value metadata."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.records import Manifest

MANIFEST_KEY = "crypto_lakehouse.manifest"
"""Where the manifest's JSON lies in the file's key-value metadata."""


def read_manifest(path: Path) -> Manifest:
    """Returns the manifest of a Silver file.

    Raises:
        CorruptObject: It is no Parquet file, or has no manifest that we wrote.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return Manifest.from_json(metadata[MANIFEST_KEY.encode()])
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        advice = "Rebuild the partition from Bronze; the file is not one that conform finished"
        raise CorruptObject(f"{path.name} holds no readable manifest", advice, partition=path.name) from error
