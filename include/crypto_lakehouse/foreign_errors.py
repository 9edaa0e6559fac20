"""Errors of the machine and of libraries, as errors of the lake.

A full disk, a read-only mount or a killed worker is no bug in the program. `known_error` is the one place that decides
what such an error is called, and whether trying again may help. The stores, the catalog, the steps and the command line
use it. An error that it does not know is a bug.
"""

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from pathlib import Path

from crypto_lakehouse.errors import (
    CorruptObject,
    LakehouseError,
    PlaceUnusable,
    ResourcesExhausted,
    SourceUnavailable,
)
from crypto_lakehouse.extras import as_missing_extra
from crypto_lakehouse.termination import raise_if_ended

_Make = Callable[[str, str], LakehouseError]


def _no_space(place: str, reason: str) -> LakehouseError:
    return ResourcesExhausted(
        f"no space is left for {place}: {reason}", "Free space there, or raise the quota; then repeat"
    )


def _no_handles(place: str, reason: str) -> LakehouseError:
    return ResourcesExhausted(
        f"the process has no more handles for {place}: {reason}", "Raise its limits (ulimit -n, ulimit -u); then repeat"
    )


def _no_memory(place: str, reason: str) -> LakehouseError:
    return ResourcesExhausted(
        f"no memory is left for {place}: {reason}", "Give the step more memory, or smaller batches; then repeat"
    )


def _failed(place: str, reason: str) -> LakehouseError:
    return SourceUnavailable(f"{place} did not answer: {reason}", "Check the disk, mount or network; then repeat")


def _unusable(place: str, reason: str) -> LakehouseError:
    return PlaceUnusable(f"{place} cannot be used: {reason}", "Set another folder, or change its mount or its rights")


def _damaged(place: str, reason: str) -> LakehouseError:
    return CorruptObject(f"{place} is damaged: {reason}", "Restore it, or build it again: see `catalog rebuild`")


_ERRNOS: dict[int, _Make] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _no_space),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOLCK), _no_handles),
    **dict.fromkeys((errno.ENOMEM, errno.ENOBUFS), _no_memory),
    **dict.fromkeys(
        (
            *(errno.EIO, errno.EINTR, errno.EBUSY, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT),
            *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN),
            *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN),
        ),
        _failed,
    ),
    **dict.fromkeys(
        (
            *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
            # A file, or a link to nothing, where a folder must be made. What is created once checks this by itself.
            errno.EEXIST,
        ),
        _unusable,
    ),
}
"""What the errors of system calls mean. ENOENT is left out: our own code asks for files that must be there."""

_SQLITE: dict[int, _Make] = {
    sqlite3.SQLITE_FULL: _no_space,
    sqlite3.SQLITE_NOMEM: _no_memory,
    **dict.fromkeys((sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), _unusable),
    **dict.fromkeys((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), _damaged),
    **dict.fromkeys(
        (
            *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL),
            *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT),
        ),
        _failed,
    ),
}

_NUMBER = re.compile(r"(?:os error |errno:? ?|os \{ code: )(\d+)", re.IGNORECASE)
_REASONS = {os.strerror(number).lower(): number for number in _ERRNOS}
_PANIC = "PanicException"
_NO_THREAD = "can't start new thread"
_REASONS[_NO_THREAD] = errno.EAGAIN
_BROKEN_PARQUET = "Invalid thrift: transport error"
"""The error of Polars if a system call fails at the end of a Parquet file; it does not name the system call."""
_NO_MEMORY: dict[type[BaseException], str] = {
    MemoryError: "an allocation failed",
    BrokenExecutor: "a worker process was killed",
}
_ENGINES = frozenset({"polars", "pyarrow", "duckdb", "_duckdb"})
"""Libraries that tell an error of a system call in words."""
_CLIENTS = frozenset({"botocore", "boto3", "s3transfer", "urllib3"})
"""Libraries that only talk to services: each error of theirs is one of the service or of the network."""


def known_error(error: Exception, place: str = "") -> Exception:
    """Returns an error of the lake for one of the machine or of a library, and any other error as it is.

    Args:
        error: The error.
        place: The path or the work that it is about, where the error names none.
    """
    if isinstance(error, LakehouseError):
        return error
    named = _named_place(error) or place or "the process"
    known = _known(error, named)
    if known is None and isinstance(error.__cause__, Exception):
        known = _known(error.__cause__, _named_place(error.__cause__) or named)
    return as_missing_extra(error) if known is None else known


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Translates errors of the machine and of libraries in the block.

    Raises:
        LakehouseError: The block raised such an error.
        RuntimeError: An engine panicked for a reason of its own.
        SystemExit: SIGTERM came, and the block made an error of it.
        KeyboardInterrupt: The same for SIGINT.
    """
    try:
        yield
    # This is an edge: what is not known stays as it is.
    except Exception as error:
        raise_if_ended(error)
        known = known_error(error, place)
        if known is error:
            raise
        raise known from error
    # A panic of an engine in Rust is no `Exception`: it would pass all that handles errors.
    except BaseException as panic:
        if type(panic).__name__ != _PANIC:
            raise
        raise_if_ended(panic)
        raise _of_system(panic, place) or RuntimeError("an engine panicked") from panic


def error_in_words(text: str, place: str) -> LakehouseError | None:
    """Returns the fault of this machine that another program names in words; None where it names none.

    Args:
        text: What it printed; nothing of it is passed on.
        place: The path that it worked with.
    """
    known = _of_system(OSError(text), place)
    # An address that did not answer is another place than this one.
    return None if isinstance(known, SourceUnavailable) else known


def _named_place(error: BaseException) -> str:
    """Returns the file that an error of a system call names."""
    name = error.filename if isinstance(error, OSError) else None
    return os.fsdecode(name) if isinstance(name, str | bytes) else ""


def _known(error: BaseException, place: str) -> LakehouseError | None:
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, place)
    if library in _CLIENTS:
        return _failed(place, type(error).__name__)
    for kind, reason in _NO_MEMORY.items():
        if isinstance(error, kind):
            return _no_memory(place, reason)
    is_of_system = isinstance(error, OSError) or library in _ENGINES or _NO_THREAD in str(error)
    return _of_system(error, place) if is_of_system else None


def _of_sqlite(error: sqlite3.Error, place: str) -> LakehouseError | None:
    # The first byte is the kind, the rest a detail. A wrong statement has another kind, and is a bug.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    make = _SQLITE.get(code)
    if code == sqlite3.SQLITE_CANTOPEN and not os.access(Path(place).parent, os.W_OK):
        make = _unusable
    return make(place, str(error)) if make else None


def _of_system(error: BaseException, place: str) -> LakehouseError | None:
    number = _number(error)
    if number in _ERRNOS:
        return _ERRNOS[number](place, os.strerror(number))
    if isinstance(error, PermissionError) or "No usable temporary directory" in str(error):
        return _unusable(place, "it may not be written")
    if isinstance(error, TimeoutError | ConnectionError):
        return _failed(place, type(error).__name__)
    if _BROKEN_PARQUET in str(error):
        return _failed(place, "a Parquet file could not be written or read whole")
    if type(error).__name__ == "OutOfMemoryException":
        return _no_memory(place, "the engine's limit is reached")
    return None


def _number(error: BaseException) -> int:
    """Returns the number of a failed system call, which engines tell in words only; 0 where there is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    text = str(error)
    if match := _NUMBER.search(text):
        return int(match.group(1))
    return next((number for reason, number in _REASONS.items() if reason in text.lower()), 0)
