"""A lake below a prefix of an S3 bucket."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from crypto_lakehouse.errors import (
    ArchiveFileMissing,
    LakehouseError,
    ObjectArchived,
    PlaceUnusable,
    SourceUnavailable,
)
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.lake.local import validated_key
from crypto_lakehouse.lake.storage import StoredObject
from crypto_lakehouse.settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MISSING = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_RACING = {"409", "ConditionalRequestConflict"}
_DENIED = {"401", "403", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "NoSuchBucket"}
_ARCHIVED = {"InvalidObjectState"}
_CONFLICT_ATTEMPTS = 5


class S3Storage:
    """Storage in S3; a single PUT of a new object is atomic, and readers after it see it.

    Args:
        bucket: The bucket.
        prefix: What every key starts with, without slashes at its ends; may be empty.
        settings: Endpoint, region and, where no role gives them, credentials.
    """

    def __init__(self, bucket: str, prefix: str, settings: StorageSettings) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        key, secret = settings.access_key_id, settings.secret_access_key
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 5},
                s3={"addressing_style": "path"},
                # None lets botocore read HTTPS_PROXY; an empty mapping is no proxy.
                proxies=None if settings.use_proxy else {},
            ),
            aws_access_key_id=key.get_secret_value() if key else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
        )

    def __repr__(self) -> str:
        return f"S3Storage({self.uri!r})"

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`, without a trailing slash."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def _key(self, key: str) -> str:
        return self._prefix + validated_key(key)

    def read(self, key: str) -> bytes:
        """Returns the object's bytes.

        Raises:
            ArchiveFileMissing: There is none.
            SourceUnavailable: The store did not answer.
        """
        with self._translated(key):
            return self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].read()

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Writes an object; with `if_absent`, returns False and writes nothing if it exists.

        Raises:
            SourceUnavailable: The store did not answer; whether it was written is not known.
        """
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                self._put(key, data, if_absent=if_absent)
            except ClientError as error:
                code = _code(error)
                if if_absent and code in _TAKEN:
                    return False
                # Another conditional write of the key was under way; which one won shows at the next attempt.
                if not (if_absent and code in _RACING):
                    raise self._error(key, error) from error
            except BotoCoreError as error:
                raise self._error(key, error) from error
            else:
                return True
        raise SourceUnavailable(f"{self.uri}/{key} was written by others all the time", "Try again")

    def _put(self, key: str, data: bytes, *, if_absent: bool) -> None:
        condition: Any = {"IfNoneMatch": "*"} if if_absent else {}
        checksum = b64encode(hashlib.sha256(data).digest()).decode()
        self._client.put_object(
            Bucket=self._bucket, Key=self._key(key), Body=data, ChecksumSHA256=checksum, **condition
        )

    def put_file(self, path: Path, key: str) -> None:
        """Stores a local file under `key`; the store proves with a sha256 that it got these bytes.

        Raises:
            SourceUnavailable: The store did not answer.
        """
        with self._translated(key):
            self._client.upload_file(str(path), self._bucket, self._key(key), ExtraArgs={"ChecksumAlgorithm": "SHA256"})

    def fetch(self, key: str, folder: Path) -> Path:
        """Downloads an object into `folder` and returns its path there.

        Raises:
            ArchiveFileMissing: There is none.
            SourceUnavailable: The store did not answer.
        """
        target = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{key.rpartition('/')[2]}"
        with self._translated(key):
            self._client.download_file(self._bucket, self._key(key), str(target))
        return target

    def exists(self, key: str) -> bool:
        """Returns whether there is an object.

        Raises:
            SourceUnavailable: The store did not answer.
        """
        try:
            with self._translated(key):
                self._client.head_object(Bucket=self._bucket, Key=self._key(key))
        except ArchiveFileMissing:
            return False
        return True

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yields the objects whose key starts with `prefix`, in code point order of the key.

        Raises:
            SourceUnavailable: The store did not answer.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with self._translated(prefix):
            for page in pages:
                for entry in page.get("Contents", ()):
                    key, etag = entry["Key"].removeprefix(self._prefix), entry["ETag"].strip('"')
                    yield StoredObject(key, entry["Size"], etag, entry["LastModified"])

    def delete(self, key: str) -> None:
        """Removes an object; removing what is not there is no error.

        Raises:
            SourceUnavailable: The store did not answer.
        """
        with self._translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def remove_unfinished(self) -> int:
        """Returns 0: nobody sees an upload that is not whole, and the lifecycle of the bucket removes its parts."""
        return 0

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        # The outer block is for the local disk of an upload or a download.
        with translated(f"{self.uri}/{key}"):
            try:
                yield
            except (ClientError, BotoCoreError, Boto3Error) as error:
                raise self._error(key, error) from error

    def _error(self, key: str, error: ClientError | BotoCoreError | Boto3Error) -> LakehouseError:
        # A transfer of files hides the answer of the store behind an error of its own.
        answer = error if isinstance(error, ClientError) else error.__context__
        if not isinstance(answer, ClientError):
            return SourceUnavailable(
                f"{self.uri} did not answer: {type(error).__name__}", "Check the endpoint; then repeat"
            )
        code = _code(answer)
        if code in _MISSING:
            return ArchiveFileMissing(f"the lake holds no {key}", f"Looked in {self.uri}")
        if code in _ARCHIVED:
            what = f"{self.uri} answered {code}: {key} lies in an archive tier"
            return ObjectArchived(what, "Restore it with `aws s3api restore-object`, and repeat when it is there")
        if code in _DENIED:
            return PlaceUnusable(
                f"{self.uri} answered {code} for {key}", "Check the bucket's name and the rights of the role"
            )
        return SourceUnavailable(f"{self.uri} answered {code} for {key}", "Check the endpoint; then repeat")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
