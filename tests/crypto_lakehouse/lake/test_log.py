import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.lake import local
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import AppendLog

SCHEMA = pl.Schema({"key": pl.String(), "number": pl.Int64()})


def log(folder: Path) -> AppendLog:
    return AppendLog(LocalStorage(folder), "log/", SCHEMA)


def numbers(one: AppendLog) -> list[int]:
    return sorted(one.read()["number"].to_list())


def test_a_log_is_empty_until_something_is_appended(tmp_path: Path) -> None:
    one = log(tmp_path)
    assert one.read().schema == SCHEMA
    one.append([])
    assert numbers(one) == []
    one.append([{"key": "a", "number": 1}, {"key": "b", "number": 2}])
    one.append([{"key": "a", "number": 3}])
    assert numbers(one) == [1, 2, 3]


def test_compaction_keeps_every_row_in_one_file(tmp_path: Path) -> None:
    one = log(tmp_path)
    for number in range(10):
        one.append([{"key": "a", "number": number}])
    assert one.compact(at_least=11) == 0
    assert one.compact(at_least=10) == 10
    assert numbers(one) == list(range(10))
    assert len(list((tmp_path / "log").iterdir())) == 1
    one.append([{"key": "a", "number": 10}])
    assert one.compact(at_least=2) == 2
    assert numbers(one) == list(range(11))


def test_a_compaction_that_died_before_removing_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = log(tmp_path)
    for number in range(5):
        one.append([{"key": "a", "number": number}])
    removed: list[str] = []
    monkeypatch.setattr(LocalStorage, "delete", lambda _self, key: removed.append(key))
    one.compact(at_least=5)
    assert len(removed) == 5
    assert len(list((tmp_path / "log").iterdir())) == 6
    assert numbers(one) == list(range(5))


def test_a_reader_beside_writers_and_compactions_never_misses_a_row(tmp_path: Path) -> None:
    one, done = log(tmp_path), threading.Event()

    def write() -> None:
        for number in range(60):
            one.append([{"key": "a", "number": number}])
            if number % 7 == 6:
                one.compact(at_least=2)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set():
        found = set(numbers(one))
        assert found == set(range(len(found)))
        assert len(found) >= seen
        seen = len(found)
    writer.join()
    assert numbers(one) == list(range(60))


def test_a_log_whose_files_keep_vanishing_is_unavailable_and_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = log(tmp_path)
    one.append([{"key": "a", "number": 1}])
    storage = LocalStorage(tmp_path)
    listed = [*storage.list("log/"), *storage.list("log/")]
    monkeypatch.setattr(LocalStorage, "list", lambda _self, _prefix: iter(listed))
    storage.delete(listed[0].key)
    with pytest.raises(SourceUnavailable, match="changed 20 times"):
        one.read()


def test_a_file_that_vanishes_while_being_listed_makes_the_log_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = log(tmp_path)
    one.append([{"key": "a", "number": 1}])
    true_files, listed = local._files, []

    def files(folder: Path) -> Iterator[Path]:
        listed.append(folder)
        # Seen by the walk, gone before it is looked at.
        return iter([*true_files(folder), *([folder / "gone.parquet"] if len(listed) == 1 else [])])

    monkeypatch.setattr(local, "_files", files)
    assert numbers(one) == [1]
    assert len(listed) == 2
