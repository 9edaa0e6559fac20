"""Commits that need no engine: what is written as JSON is read as if it were Parquet, before and after compaction."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.lake.commits import recent_rows, write_commit
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import AppendLog

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
    assert found.schema == SCHEMA
    assert found.height == 4
    assert found.unique().height == 2
    assert set(found["at"]) == {AT}
    assert set(found["key"]) == {row["key"] for row in ROWS}


def test_compaction_folds_both_kinds_into_one(tmp_path: Path) -> None:
    one = both(tmp_path)
    before = one.read().sort("key")
    assert one.compact(at_least=2) == 2
    assert [path.suffix for path in (tmp_path / "log").iterdir()] == [".parquet"]
    assert one.read().sort("key").equals(before)


def test_what_was_committed_since_the_last_compaction_is_read_without_an_engine(tmp_path: Path) -> None:
    one = both(tmp_path)
    assert [row["number"] for row in recent_rows(LocalStorage(tmp_path), "log/")] == [2**60, None]
    one.compact(at_least=2)
    assert list(recent_rows(LocalStorage(tmp_path), "log/")) == []


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
