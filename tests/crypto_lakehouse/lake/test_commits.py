"""Commits that need no engine: what is written as JSON is read as if it were Parquet, before and after compaction."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.lake.commits import append, body_of, json_body, log_faults, recent_rows, rows_since, write_commit
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import SEQUENCE, AppendLog

SCHEMA = pl.Schema({"key": pl.String(), "number": pl.Int64(), "at": pl.Datetime("us", "UTC")})
AT = datetime(2025, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
ROWS = [
    {"key": "币安人生USDT", "number": 2**60, "at": AT},
    {"key": "a line\u2028separator and a\nbreak", "number": None, "at": AT.astimezone(timezone(timedelta(hours=9)))},
]
LOADED = """
import sys
import crypto_lakehouse.cli.step, crypto_lakehouse.steps.{verb}
print([name for name in ("polars", "pyarrow", "numpy", "duckdb", "pandas") if name in sys.modules])
"""


def both(folder: Path) -> AppendLog:
    write_commit(LocalStorage(folder), "log/", ROWS)
    one = AppendLog(LocalStorage(folder), "log/", SCHEMA)
    one.append(ROWS)
    return one


def test_both_kinds_of_commits_read_the_same(tmp_path: Path) -> None:
    found = both(tmp_path).read()
    assert found.schema == {**SCHEMA, SEQUENCE: pl.Int64()}
    assert found[SEQUENCE].to_list() == [1, 1, 2, 2]
    assert found.drop(SEQUENCE).unique().height == 2
    assert set(found["at"]) == {AT}
    assert set(found["key"]) == {row["key"] for row in ROWS}


def test_compaction_folds_both_kinds_into_one(tmp_path: Path) -> None:
    one = both(tmp_path)
    before = one.read()
    assert one.compact(at_least=2) == 2
    assert one.read().equals(before)


def test_what_was_committed_since_the_last_compaction_is_read_without_an_engine(tmp_path: Path) -> None:
    one = both(tmp_path)
    assert [row["number"] for row in recent_rows(LocalStorage(tmp_path), "log/")] == [2**60, None]
    one.compact(at_least=2)
    assert list(recent_rows(LocalStorage(tmp_path), "log/")) == []


def test_names_are_numbers_without_holes_and_a_lost_race_takes_the_next(tmp_path: Path) -> None:
    storage, heads = LocalStorage(tmp_path), list[int]()

    def body(head: int) -> bytes:
        heads.append(head)
        if len(heads) == 1:
            # Between the look at the log and the write, another writer commits.
            write_commit(storage, "log/", ROWS)
        return b"{}\n"

    assert append(storage, "log/", body) == 2
    assert heads == [0, 1]
    assert sorted(path.name for path in (tmp_path / "log").glob("[!.]*")) == [
        "000000000001.commit",
        "000000000002.commit",
    ]


def test_a_write_whose_answer_was_lost_is_not_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_write, answers = LocalStorage.write, list[bool]()

    def write(self: LocalStorage, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        # As after a client's own retry: it is there, and the store answers that it was there before.
        answers.append(true_write(self, key, data, if_absent=if_absent))
        return False

    monkeypatch.setattr(LocalStorage, "write", write)
    assert append(LocalStorage(tmp_path), "log/", lambda _: b"{}\n") == 1
    assert answers == [True]


def test_a_number_that_a_compaction_made_free_is_not_used(tmp_path: Path) -> None:
    """A writer stops after its look at the log; it wakes after two compactions, when its number is free again."""
    storage, one = LocalStorage(tmp_path), AppendLog(LocalStorage(tmp_path), "log/", SCHEMA)
    one.append(ROWS[:1])
    heads: list[int] = []

    def body(head: int) -> bytes | None:
        heads.append(head)
        if len(heads) == 1:
            for _ in range(2):
                one.append(ROWS[:1])
                one.append(ROWS[:1])
                one.compact(at_least=2)
            assert not (tmp_path / "log" / "000000000002.commit").exists(), "the injector fired: the number is free"
        return json_body(ROWS)

    number = append(storage, "log/", body)
    assert number == 6
    assert one.read().filter(pl.col(SEQUENCE) == number).height == len(ROWS)


def test_rows_since_a_commit_are_the_rows_of_later_commits_and_never_fewer(tmp_path: Path) -> None:
    storage, one = LocalStorage(tmp_path), AppendLog(LocalStorage(tmp_path), "log/", SCHEMA)
    for number in range(4):
        write_commit(storage, "log/", [{"key": "a", "number": number, "at": AT}])
    assert [row["number"] for row in rows_since(storage, "log/", 2, 4)] == [2, 3]
    assert list(rows_since(storage, "log/", 4, 4)) == []
    one.compact(at_least=2)
    assert [row["number"] for row in rows_since(storage, "log/", 2, 4)] == [2, 3], "kept until the next compaction"
    for number in range(4, 6):
        write_commit(storage, "log/", [{"key": "a", "number": number, "at": AT}])
    one.compact(at_least=2)
    with pytest.raises(SourceUnavailable, match="compacted during the step"):
        list(rows_since(storage, "log/", 2, 6))


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_every_flipped_byte_of_a_commit_is_found(kind: str, tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    if kind == "json":
        write_commit(storage, "log/", ROWS)
    else:
        AppendLog(storage, "log/", SCHEMA).append(ROWS)
    (file,) = storage.list("log/")
    data = storage.read(file.key)
    assert body_of(file.key, data) is not None
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        assert body_of(file.key, bytes(flipped)) is None
    for length in range(len(data)):
        assert body_of(file.key, data[:length]) is None
    assert body_of("log/000000000002.commit", data) is None, "a commit under another number is none"
    assert body_of(file.key.replace("log/", "other/"), data) is None, "nor is one of another log"


def test_the_faults_of_a_log_are_named_by_file(tmp_path: Path) -> None:
    storage, one = LocalStorage(tmp_path), AppendLog(LocalStorage(tmp_path), "bronze/set/log/", SCHEMA)
    for _ in range(6):
        one.append(ROWS)
    assert log_faults(storage, "bronze/set/log/") == []
    storage.write("bronze/set/log/000000000002.commit", b"other bytes")
    for number in (3, 4, 5):
        storage.delete(f"bronze/set/log/{number:012}.commit")
    storage.write("bronze/set/log/notes.txt", b"")
    faults = log_faults(storage, "bronze/set/log/")
    assert [(fault.key.rpartition("/")[2], fault.what, fault.rows_lost) for fault in faults] == [
        ("000000000002.commit", "is damaged", True),
        ("000000000003.commit", "and 2 after it are missing", True),
        ("notes.txt", "is not a file of the log", False),
    ]
    assert str(faults[0].error) == (
        "set: bronze/set/log/000000000002.commit is damaged\nRun `crypto-lakehouse catalog verify --repair`"
    )
    assert faults == one.state().faults


def test_no_rows_make_no_commit_and_strange_values_are_refused(tmp_path: Path) -> None:
    write_commit(LocalStorage(tmp_path), "log/", [])
    with pytest.raises(TypeError, match="set cannot be stored in a log"):
        write_commit(LocalStorage(tmp_path), "log/", [{"key": {1}}])
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(("verb", "is_light"), [("pull", True), ("conform", False)], ids=["pull", "control: conform"])
def test_a_pull_loads_no_engine(verb: str, is_light: bool) -> None:
    code = LOADED.format(verb=verb)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=os.environ, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip() == "[]") is is_light
