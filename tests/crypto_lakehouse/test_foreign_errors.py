"""Errors of the machine and of libraries: each has a name of ours, says whether a retry helps, and names the place."""

import errno
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import botocore.exceptions
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3.exceptions

from crypto_lakehouse.errors import (
    CorruptObject,
    LakehouseError,
    MissingExtra,
    PlaceUnusable,
    ResourcesExhausted,
    SourceUnavailable,
)
from crypto_lakehouse.foreign_errors import known_error, translated

SYSTEM = {
    "ENOSPC": (ResourcesExhausted, "no space is left for /lake/a"),
    "EDQUOT": (ResourcesExhausted, "no space is left for /lake/a"),
    "EFBIG": (ResourcesExhausted, "no space is left for /lake/a"),
    "EMFILE": (ResourcesExhausted, "no more handles for /lake/a"),
    "ENFILE": (ResourcesExhausted, "no more handles for /lake/a"),
    "ENOMEM": (ResourcesExhausted, "no memory is left for /lake/a"),
    "EIO": (SourceUnavailable, "/lake/a did not answer"),
    "EINTR": (SourceUnavailable, "/lake/a did not answer"),
    "ESTALE": (SourceUnavailable, "/lake/a did not answer"),
    "ECONNREFUSED": (SourceUnavailable, "/lake/a did not answer"),
    "EROFS": (PlaceUnusable, "/lake/a cannot be used: Read-only file system"),
    "EACCES": (PlaceUnusable, "/lake/a cannot be used: Permission denied"),
    "EPERM": (PlaceUnusable, "/lake/a cannot be used"),
    "ENOTDIR": (PlaceUnusable, "/lake/a cannot be used: Not a directory"),
    "EEXIST": (PlaceUnusable, "/lake/a cannot be used: File exists"),
}
CLASSES = [name for name in SYSTEM if name not in {"ENFILE", "EDQUOT"}]


@pytest.mark.parametrize("name", SYSTEM)
def test_an_error_of_a_system_call_names_the_path_and_what_to_do(name: str) -> None:
    number = getattr(errno, name)
    kind, words = SYSTEM[name]
    known = known_error(OSError(number, os.strerror(number), "/lake/a"), "elsewhere")
    assert type(known) is kind
    assert words in str(known)
    assert len(str(known).splitlines()) == 2


@pytest.mark.parametrize("name", SYSTEM)
@pytest.mark.parametrize(
    "told",
    [
        lambda number: OSError(f"{os.strerror(number)} (os error {number})"),
        lambda number: OSError(f"[Errno {number}] Error writing bytes to file"),
        lambda number: pl.exceptions.ComputeError(f"{os.strerror(number)} (os error {number})"),
        lambda number: duckdb.IOException(f"IO Error: Could not write to the file: {os.strerror(number)}"),
    ],
    ids=["polars by its number", "arrow", "polars as its own class", "duckdb in words"],
)
def test_what_an_engine_tells_in_words_is_known_too(name: str, told: Callable[[int], Exception]) -> None:
    known = known_error(told(getattr(errno, name)), "/work")
    assert type(known) is SYSTEM[name][0]
    assert "/work" in str(known)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            pl.exceptions.ComputeError("parquet: File out of specification: Invalid thrift: transport error"),
            SourceUnavailable,
        ),
        (MemoryError(), ResourcesExhausted),
        (pa.ArrowMemoryError("malloc of size 64 failed"), ResourcesExhausted),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), ResourcesExhausted),
        (BrokenProcessPool("a worker died"), ResourcesExhausted),
        (RuntimeError("can't start new thread"), ResourcesExhausted),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://glue"), SourceUnavailable),
        (urllib3.exceptions.ProtocolError("cut"), SourceUnavailable),
        (TimeoutError("slow"), SourceUnavailable),
        (ConnectionResetError("cut"), SourceUnavailable),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), PlaceUnusable),
        (ModuleNotFoundError("No module named 'ccxt'", name="ccxt"), MissingExtra),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else given.__name__,
)
def test_errors_of_libraries_are_known(error: Exception, kind: type[LakehouseError]) -> None:
    assert type(known_error(error, "/work")) is kind


def sqlite_error(act: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as raised:
        act()
    return raised.value


def test_sqlite_tells_a_full_disk_a_lock_damage_and_a_wrong_statement_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path, isolation_level=None, timeout=0) as one:
        one.execute("PRAGMA max_page_count = 2")
        one.execute("CREATE TABLE t (a)")
        full = sqlite_error(lambda: one.execute("INSERT INTO t VALUES (zeroblob(100000))"))
        one.execute("BEGIN EXCLUSIVE")
        with sqlite3.connect(path, timeout=0) as other:
            locked = sqlite_error(lambda: other.execute("SELECT * FROM t"))
        other.close()
        one.execute("COMMIT")
        wrong = sqlite_error(lambda: one.execute("SELECT nonsense FROM t"))
    one.close()
    path.write_bytes(b"no database at all" * 100)
    with sqlite3.connect(path) as damaged:
        corrupt = sqlite_error(lambda: damaged.execute("SELECT * FROM sqlite_master"))
    damaged.close()
    kinds = [type(known_error(error, str(path))) for error in (full, locked, corrupt)]
    assert kinds == [ResourcesExhausted, SourceUnavailable, CorruptObject]
    assert known_error(wrong, str(path)) is wrong, "a wrong statement is a bug"


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("x"), KeyError("x"), FileNotFoundError(2, "No such file", "/a"), ValueError("os error 28")],
)
def test_a_bug_stays_a_bug(error: Exception) -> None:
    assert known_error(error, "/work") is error
    with pytest.raises(type(error)) as raised, translated("/work"):
        raise error
    assert raised.value is error


class PanicException(BaseException):
    """As an engine in Rust raises it."""


def test_a_panic_of_an_engine_is_an_error_like_others() -> None:
    words = "called `Result::unwrap()` on an `Err` value: Os { code: 24, kind: TooManyOpenFiles }"
    with pytest.raises(ResourcesExhausted, match="no more handles for /work"), translated("/work"):
        raise PanicException(words)
    with pytest.raises(RuntimeError, match="panicked") as raised, translated("/work"):
        raise PanicException("index out of bounds")
    assert isinstance(raised.value.__cause__, PanicException)
    with pytest.raises(KeyboardInterrupt), translated("/work"):
        raise KeyboardInterrupt


def test_an_error_that_a_library_wrapped_is_known_by_its_cause() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/work/a")
        except OSError as cause:
            raise ValueError("the checkpoint failed") from cause
    except ValueError as error:
        assert "no space is left for /work/a" in str(known_error(error, "/work"))


def test_an_error_of_ours_is_not_translated_again() -> None:
    ours = CorruptObject("x")
    with pytest.raises(CorruptObject) as raised, translated("/work"):
        raise ours
    assert raised.value is ours
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("write", ["polars", "pyarrow", "stdlib"])
def test_a_really_full_device_is_known_whatever_writes_to_it(write: str, tmp_path: Path) -> None:
    # A link, because Arrow removes what it could not finish.
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    frame = pl.DataFrame({"a": list(range(200_000))})
    writers: dict[str, Callable[[], object]] = {
        "polars": lambda: frame.write_parquet(full, compression="uncompressed"),
        "pyarrow": lambda: pq.write_table(frame.to_arrow(), full, compression="none"),
        "stdlib": lambda: full.write_bytes(b"x" * 100_000),
    }
    with pytest.raises(ResourcesExhausted, match="no space is left for"), translated(str(full)):
        writers[write]()
