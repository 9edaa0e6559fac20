"""Uploads the synthetic archive to a bucket: `python -m crypto_lakehouse.demo.uploading`.

The settings `archive.endpoint_url` and `archive.bucket` name the bucket. It must exist and be readable without keys.
"""

import sys

from crypto_lakehouse.demo.requests import synthetic_requests
from crypto_lakehouse.demo.synthetic import build_archive
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.lake.s3 import S3Storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.ownership import scratch_folder
from crypto_lakehouse.settings import StorageSettings, load_settings

MARKER = "SYNTHETIC.txt"
"""The file that is uploaded last, so that an interrupted upload is not mistaken for a complete one."""


def main() -> int:
    """Uploads the archive unless it is there already, and returns the exit code."""
    try:
        archive = load_settings().archive
        place = StorageSettings(endpoint_url=archive.endpoint_url, region=archive.region)
        print(f"{upload(S3Storage(archive.bucket, '', place))} synthetic objects uploaded to {archive.bucket}")
    except LakehouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 65
    return 0


def upload(bucket: Storage) -> int:
    """Builds the archive and uploads it. Returns the number of uploaded files, 0 if the archive was there already.

    Raises:
        SourceUnavailable: The bucket did not answer.
    """
    if bucket.exists(MARKER):
        return 0
    with scratch_folder(None, "archive") as folder:
        build_archive(folder, synthetic_requests())
        keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in [*(key for key in keys if key != MARKER), MARKER]:
            bucket.put_file(folder / key, key)
    return len(keys)


if __name__ == "__main__":
    sys.exit(main())
