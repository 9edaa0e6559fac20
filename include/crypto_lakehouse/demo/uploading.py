"""Puts the synthetic archive into a bucket of its own: `python -m crypto_lakehouse.demo.uploading`.

The settings say where: `archive.endpoint_url` and `archive.bucket`. The bucket must be there and open to readers.
"""

import sys
import tempfile
from pathlib import Path

from crypto_lakehouse.demo.requests import synthetic_requests
from crypto_lakehouse.demo.synthetic import build_archive
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.lake.s3_storage import S3Storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.settings import StorageSettings, load_settings

MARKER = "SYNTHETIC.txt"
"""Comes last, so that an interrupted upload is not taken for a whole one."""


def main() -> int:
    """Uploads what is not there yet; returns the exit code."""
    try:
        archive = load_settings().archive
        place = StorageSettings(endpoint_url=archive.endpoint_url, region=archive.region)
        print(f"{upload(S3Storage(archive.bucket, '', place))} synthetic objects uploaded to {archive.bucket}")
    except LakehouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 65
    return 0


def upload(bucket: Storage) -> int:
    """Builds the archive and stores it; returns how many files were stored, none where it is there already.

    Raises:
        SourceUnavailable: The bucket did not answer.
    """
    if bucket.exists(MARKER):
        return 0
    with tempfile.TemporaryDirectory(prefix="archive-") as place:
        folder = Path(place)
        build_archive(folder, synthetic_requests())
        keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in [*(one for one in keys if one != MARKER), MARKER]:
            bucket.put_file(folder / key, key)
    return len(keys)


if __name__ == "__main__":
    sys.exit(main())
