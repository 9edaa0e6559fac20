import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.errors import CorruptObject, SourceUnavailable
from crypto_lakehouse.lake import local
from crypto_lakehouse.lake.commits import write_commit
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import SEQUENCE, AppendLog
from tests.waiting import STANDSTILL_SECONDS

SCHEMA = pl.Schema({"key": pl.String(), "number": pl.Int64()})


def log(folder: Path) -> AppendLog:
    return AppendLog(LocalStorage(folder), "log/", SCHEMA)


def numbers(one: AppendLog) -> list[int]:
    return sorted(one.read()["number"].to_list())


def test_a_log_is_empty_until_something_is_appended(tmp_path: Path) -> None:
    one = log(tmp_path)
    assert one.read().schema == {**SCHEMA, SEQUENCE: pl.Int64()}
    one.append([])
    assert numbers(one) == []
    one.append([{"key": "a", "number": 1}, {"key": "b", "number": 2}])
    one.append([{"key": "a", "number": 3}])
    assert numbers(one) == [1, 2, 3]


def names(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (folder / "log").glob("[!.]*"))


def test_compaction_keeps_every_row_in_one_file(tmp_path: Path) -> None:
    one = log(tmp_path)
    for number in range(10):
        one.append([{"key": "a", "number": number}])
    before = one.read()
    assert one.compact(at_least=11) == 0
    assert one.compact(at_least=10) == 10
    assert one.read().equals(before)
    assert len(names(tmp_path)) == 11, "the commits are kept until the next compaction"
    for number in (10, 11):
        one.append([{"key": "a", "number": number}])
    assert one.compact(at_least=2) == 2
    assert numbers(one) == list(range(12))
    assert names(tmp_path) == ["000000000011.commit", "000000000012.commit", "compacted", "compacted"]
    one.append([{"key": "a", "number": 12}])
    assert one.compact(at_least=1) == 1
    assert names(tmp_path) == ["000000000013.commit", "compacted", "compacted"]


def test_a_compaction_that_died_before_removing_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = log(tmp_path)
    removed: list[str] = []
    monkeypatch.setattr(LocalStorage, "delete", lambda _self, key: removed.append(key))
    for _ in range(2):
        for number in range(5):
            one.append([{"key": "a", "number": number}])
        one.compact(at_least=5)
    assert len(removed) == 5
    assert len(names(tmp_path)) == 12
    assert numbers(one) == sorted([*range(5), *range(5)])


def test_a_damaged_compacted_file_costs_no_row(tmp_path: Path) -> None:
    one = log(tmp_path)
    for number in range(9):
        one.append([{"key": "a", "number": number}])
        if number % 3 == 2:
            one.compact(at_least=3)
    newest = max((tmp_path / "log").glob("compacted-*"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert numbers(one) == list(range(9))
    (fault,) = one.state().faults
    assert (fault.key, fault.what, fault.rows_lost) == (f"log/{newest.name}", "is damaged", False)
    one.append([{"key": "a", "number": 9}])
    assert one.compact(at_least=1) == 0, "damage is not forgotten before it is repaired"


@pytest.mark.parametrize("fault", ["damaged", "missing"])
def test_lost_rows_are_an_error_or_left_out_where_a_reader_can_do_without(fault: str, tmp_path: Path) -> None:
    one = AppendLog(LocalStorage(tmp_path), "bronze/set/log/", SCHEMA)
    for number in range(3):
        one.append([{"key": "a", "number": number}])
    path = tmp_path / "bronze/set/log/000000000002.commit"
    path.write_bytes(b"") if fault == "damaged" else path.unlink()
    with pytest.raises(CorruptObject, match=rf"set: bronze/set/log/000000000002.commit is {fault}\n.*verify --repair"):
        one.read()
    assert one.read(skip_damage=True)["number"].to_list() == [0, 2]


def test_a_rewrite_mends_a_damaged_log_and_keeps_the_order(tmp_path: Path) -> None:
    one = log(tmp_path)
    for number in range(3):
        one.append([{"key": "a", "number": number}])
    (tmp_path / "log" / "000000000002.commit").write_bytes(b"rotten")
    again = pl.DataFrame({"key": ["a"], "number": [1], SEQUENCE: [2]})
    one.rewrite(lambda valid: pl.concat([valid, again]))
    assert one.read()["number"].to_list() == [0, 1, 2]
    assert one.state().faults == []
    one.append([{"key": "a", "number": 3}])
    assert one.read()["number"].to_list() == [0, 1, 2, 3]


def test_a_log_that_gained_a_column_reads_its_old_files(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    write_commit(storage, "log/", [{"key": "a", "number": 1}])
    log(tmp_path).append([{"key": "b", "number": 2}])
    log(tmp_path).compact(at_least=2)
    log(tmp_path).append([{"key": "c", "number": 3}])
    wider = AppendLog(storage, "log/", pl.Schema({**SCHEMA, "note": pl.String()}))
    wider.append([{"key": "d", "number": 4, "note": "new"}])
    assert wider.read()["note"].to_list() == [None, None, None, "new"]


def write_numbers(folder: Path, first: int, count: int) -> None:
    one = log(folder)
    for number in range(first, first + count):
        one.append([{"key": "a", "number": number}])


def test_five_writers_at_once_lose_no_commit_and_leave_no_hole(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=write_numbers, args=(tmp_path, 100 * n, 20)) for n in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(STANDSTILL_SECONDS)
    assert [writer.exitcode for writer in writers] == [0] * 5
    rows = log(tmp_path).read()
    assert sorted(rows["number"]) == [100 * n + k for n in range(5) for k in range(20)]
    assert rows[SEQUENCE].to_list() == list(range(1, 101))
    for _, of_writer in rows.group_by(pl.col("number") // 100, maintain_order=True):
        assert of_writer["number"].is_sorted(), "each writer's own order is kept"


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
    true_keys, listed = local._keys, []

    def keys(root: Path, folder: Path) -> Iterator[str]:
        listed.append(folder)
        # Seen by the walk, gone before it is looked at.
        return iter([*true_keys(root, folder), *(["log/gone.parquet"] if len(listed) == 1 else [])])

    monkeypatch.setattr(local, "_keys", keys)
    assert numbers(one) == [1]
    assert len(listed) == 2
