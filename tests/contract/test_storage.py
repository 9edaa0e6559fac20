"""One behaviour for every store: a local folder and S3."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from crypto_lakehouse.errors import (
    ArchiveFileMissing,
    InvalidRequest,
    LakehouseError,
    ObjectArchived,
    PlaceUnusable,
    SourceUnavailable,
)
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.s3 import S3Storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.settings import StorageSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BUCKETS = (f"lake-{number}" for number in itertools.count())


def s3_storage(aws: str) -> S3Storage:
    bucket = next(BUCKETS)
    boto3.client("s3", endpoint_url=aws, region_name="us-east-1").create_bucket(Bucket=bucket)
    secrets = {"access_key_id": SecretStr("AKIACANARY"), "secret_access_key": SecretStr("canary-secret")}
    return S3Storage(bucket, "some/prefix", StorageSettings(endpoint_url=aws, **secrets))


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return LocalStorage(tmp_path / "lake")
    return s3_storage(request.getfixturevalue("aws"))


def test_what_is_written_is_read(storage: Storage) -> None:
    assert storage.write("a/b.json", b"one")
    assert storage.read("a/b.json") == b"one"
    assert storage.write("a/b.json", b"two")
    assert storage.read("a/b.json") == b"two"


def test_if_absent_never_replaces(storage: Storage) -> None:
    assert storage.write("a", b"first", if_absent=True)
    assert not storage.write("a", b"second", if_absent=True)
    assert storage.read("a") == b"first"


def test_a_missing_object_is_said_to_be_missing(storage: Storage, tmp_path: Path) -> None:
    assert not storage.exists("none")
    with pytest.raises(ArchiveFileMissing, match="holds no none"):
        storage.read("none")
    with pytest.raises(ArchiveFileMissing):
        storage.fetch("none", tmp_path)
    storage.write("a", b"x")
    with pytest.raises(ArchiveFileMissing):
        storage.read("a/below/an/object")


def test_a_file_is_stored_and_fetched_whole(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100_000)
    storage.put_file(source, "deep/er/file.parquet")
    assert storage.exists("deep/er/file.parquet")
    assert storage.fetch("deep/er/file.parquet", tmp_path).read_bytes() == b"x" * 100_000


def test_listing_is_by_prefix_in_order_with_sizes(storage: Storage) -> None:
    for key in ("b/2", "b/10", "b/1", "a/1", "bb/1", "b-1"):
        storage.write(key, b"x" * len(key))
    assert [(one.key, one.size) for one in storage.list("b/")] == [("b/1", 3), ("b/10", 4), ("b/2", 3)]
    assert [one.key for one in storage.list("b")] == ["b-1", "b/1", "b/10", "b/2", "bb/1"]
    assert [one.key for one in storage.list("")] == ["a/1", "b-1", "b/1", "b/10", "b/2", "bb/1"]
    assert list(storage.list("nothing/")) == []
    assert all(one.etag for one in storage.list(""))


def test_deleting_twice_is_no_error(storage: Storage) -> None:
    storage.write("a", b"x")
    storage.delete("a")
    storage.delete("a")
    assert not storage.exists("a")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", "ключ", "a\\b", "a b", "a\n", "."]
)
def test_a_key_that_could_lead_elsewhere_is_refused(key: str, storage: Storage) -> None:
    for act in (storage.read, storage.delete, storage.exists, lambda one: storage.write(one, b"x")):
        with pytest.raises(InvalidRequest):
            act(key)


def test_what_a_killed_writer_left_is_never_listed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/b", b"x")
    (tmp_path / "a" / ".unfinished" / "0123").write_bytes(b"half")
    assert [one.key for one in storage.list("a/")] == ["a/b"]
    assert [one.key for one in storage.list("")] == ["a/b"]


def test_nothing_unfinished_is_left_by_writers_that_ended(storage: Storage) -> None:
    storage.write("a/b", b"x")
    storage.write("a/b", b"y", if_absent=True)
    assert storage.remove_unfinished() == 0
    assert storage.read("a/b") == b"x"


class Injector:
    """Makes S3 calls of one operation fail with a status, a number of times."""

    def __init__(self, storage: S3Storage, operation: str, code: str, times: int) -> None:
        self.fired, self._code, self._times, self._operation = 0, code, times, operation
        client: Any = storage._client
        client.meta.events.register_first(f"before-call.s3.{operation}", self)

    def __call__(self, **_: Any) -> None:
        if self.fired < self._times:
            self.fired += 1
            raise ClientError({"Error": {"Code": self._code}}, self._operation)


def test_a_racing_conditional_write_is_tried_again(aws: str) -> None:
    storage = s3_storage(aws)
    injector = Injector(storage, "PutObject", "ConditionalRequestConflict", 2)
    assert storage.write("a", b"x", if_absent=True)
    assert injector.fired == 2
    lasting = Injector(storage, "PutObject", "ConditionalRequestConflict", 99)
    with pytest.raises(SourceUnavailable, match="written by others"):
        storage.write("b", b"x", if_absent=True)
    assert lasting.fired > 2


ANSWERS = {
    "SlowDown": SourceUnavailable,
    "InternalError": SourceUnavailable,
    "AccessDenied": PlaceUnusable,
    "InvalidObjectState": ObjectArchived,
}


@pytest.mark.parametrize("code", ANSWERS)
@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject"])
def test_a_store_that_says_no_is_a_known_error_in_every_call_and_no_secret_is_told(
    code: str, operation: str, aws: str, tmp_path: Path
) -> None:
    storage = s3_storage(aws)
    (tmp_path / "source").write_bytes(b"x")
    calls: dict[str, list[Callable[[], object]]] = {
        "GetObject": [lambda: storage.read("a")],
        "PutObject": [lambda: storage.write("a", b"x"), lambda: storage.put_file(tmp_path / "source", "a")],
        "HeadObject": [lambda: storage.exists("a"), lambda: storage.fetch("a", tmp_path)],
    }
    for call in calls[operation]:
        injector = Injector(storage, operation, code, 1)
        with pytest.raises(LakehouseError, match=code) as raised:
            call()
        assert (injector.fired, type(raised.value)) == (1, ANSWERS[code])
        assert "canary" not in f"{raised.value}{raised.value!r}{storage!r}".lower()


def test_a_download_to_a_folder_that_cannot_be_written_is_no_fault_of_the_store(aws: str, tmp_path: Path) -> None:
    storage = s3_storage(aws)
    storage.write("a", b"x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlaceUnusable, match="Not a directory"):
        storage.fetch("a", tmp_path / "file")


def test_a_store_that_does_not_answer_is_unavailable() -> None:
    storage = S3Storage(
        "bucket",
        "",
        StorageSettings(
            endpoint_url="http://127.0.0.1:9", access_key_id=SecretStr("a"), secret_access_key=SecretStr("b")
        ),
    )
    with pytest.raises(SourceUnavailable, match="did not answer"):
        storage.read("a")
