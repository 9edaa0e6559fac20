"""One behaviour of a log on every store: numbers without holes, whoever else writes, and whatever a store answers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from botocore.exceptions import ClientError

from crypto_lakehouse.lake.commits import append, list_log
from crypto_lakehouse.lake.log import SEQUENCE, AppendLog
from crypto_lakehouse.lake.s3 import S3Storage
from crypto_lakehouse.lake.storage import Storage
from tests.contract.test_storage import Injector, s3_storage, storage  # noqa: F401 - a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SCHEMA = pl.Schema({"key": pl.String(), "number": pl.Int64()})


def log(store: Storage) -> AppendLog:
    return AppendLog(store, "bronze/set/log/", SCHEMA)


def test_writers_at_once_lose_nothing(storage: Storage) -> None:  # noqa: F811 - the fixture
    def write(writer: int) -> None:
        for number in range(5):
            log(storage).append([{"key": str(writer), "number": number}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    rows = log(storage).read()
    assert rows[SEQUENCE].to_list() == list(range(1, 21))
    assert sorted(rows.select("key", "number").rows()) == [(str(w), n) for w in range(4) for n in range(5)]


def test_what_is_compacted_twice_is_read_as_before_and_takes_no_old_number(storage: Storage) -> None:  # noqa: F811
    for number in range(6):
        log(storage).append([{"key": "a", "number": number}])
        if number % 2:
            assert log(storage).compact(at_least=2) == 2
    assert log(storage).read()["number"].to_list() == list(range(6))
    assert sorted(list_log(storage, "bronze/set/log/").commits) == [5, 6]
    log(storage).append([{"key": "a", "number": 6}])
    assert log(storage).read()[SEQUENCE].to_list() == list(range(1, 8))


def test_a_conflict_is_told_from_a_taken_number(aws: str) -> None:
    store = s3_storage(aws)
    injector = Injector(store, "PutObject", "ConditionalRequestConflict", 2)
    log(store).append([{"key": "a", "number": 1}])
    assert injector.fired == 2
    taken = Injector(store, "PutObject", "PreconditionFailed", 1)
    log(store).append([{"key": "a", "number": 2}])
    assert taken.fired == 1
    assert log(store).read()["number"].to_list() == [1, 2]


def test_a_commit_whose_answer_was_lost_counts_once(aws: str) -> None:
    store = s3_storage(aws)
    client: Any = store._client
    fired: list[bool] = []

    def lose(**_: Any) -> None:
        if not fired:
            fired.append(True)
            # The store has written, and the client that repeats the request is told that it exists.
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")

    client.meta.events.register("after-call.s3.PutObject", lose)
    assert append(store, "log/", lambda _: b"{}\n") == 1
    assert fired
    assert list(list_log(store, "log/").commits) == [1]


def test_damage_is_found_on_every_store(storage: Storage) -> None:  # noqa: F811
    for number in range(3):
        log(storage).append([{"key": "a", "number": number}])
    key = list_log(storage, "bronze/set/log/").commits[2]
    storage.write(key, storage.read(key).replace(b"a", b"b"))
    assert [(fault.key, fault.what, fault.number) for fault in log(storage).state().faults] == [(key, "is damaged", 2)]
    assert isinstance(storage, S3Storage) or storage.exists(key), "nothing is removed before it is repaired"
