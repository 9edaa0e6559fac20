"""The manifest in a partition's file: what the file was made from, in the Parquet key-value metadata."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.foreign_errors import known_error
from crypto_lakehouse.lake.records import Manifest

MANIFEST_KEY = "crypto_lakehouse.manifest"
"""The key of the manifest's JSON in the file's key-value metadata."""


def read_manifest(path: Path) -> Manifest:
    """Returns the manifest of a partition's file.

    Raises:
        CorruptObject: It is not a Parquet file, or has no manifest of ours.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return Manifest.from_json(metadata[MANIFEST_KEY.encode()])
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        # Arrow uses OSError both for a failing disk and for bytes that are no Parquet.
        if (known := known_error(error, str(path))) is not error:
            raise known from error
        advice = "Rebuild the partition; the step that wrote the file did not finish it"
        raise CorruptObject(f"{path.name} has no readable manifest", advice, partition=path.name) from error
