"""Opens the store that a deployment's settings name."""

from pathlib import Path

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.extras import require
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.settings import Settings


def open_storage(settings: Settings) -> Storage:
    """Returns the lake's store: a folder, or an S3 prefix where `settings.lake` starts with `s3://`.

    Raises:
        MissingExtra: The lake is in S3, and the extra `s3` is not installed.
        InvalidRequest: The lake's address is of no known kind, or a file.
    """
    address = settings.lake
    if address.startswith("s3://"):
        require("s3")
        from crypto_lakehouse.lake.s3 import S3Storage

        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        return S3Storage(bucket, prefix.strip("/"), settings.storage)
    if "://" in address.removeprefix("file://"):
        raise InvalidRequest(
            f"lake {address!r} is neither a folder nor s3://bucket/prefix", "Set CRYPTO_LAKEHOUSE_LAKE"
        )
    folder = Path(address.removeprefix("file://"))
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"lake {address!r} is a file", "A lake is a folder: set CRYPTO_LAKEHOUSE_LAKE")
    return LocalStorage(folder)
