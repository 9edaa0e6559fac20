"""Numbered commits: the files of a log, for processes with and without an engine, such as the image of a pull.

A commit is a file named by the next number: `000000000042.commit`. It is written only if no other writer has that
number, so the numbers are the order of the log, and no clock is. A writer that loses the race reads what came in
between, and takes the next number. Numbers have no holes: a hole shows that a commit was lost.

The first line of a commit has the sha256 of its name and of all that follows: lines of JSON, or Parquet. A compacted
file, `compacted-000000000042-<sha256>.parquet`, has the rows up to its number. Any reader finds damage in either.
"""

import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject, SourceUnavailable
from crypto_lakehouse.lake.faults import REPAIR
from crypto_lakehouse.lake.storage import Storage

READ_THREADS = 16

_HEADER = b"crypto-lakehouse commit sha256="
_HEADER_BYTES = len(_HEADER) + 64 + 1
_PARQUET = b"PAR1"
_NAME = re.compile(r"(?P<number>\d{12})\.commit|compacted-(?P<covered>\d{12})-(?P<sha256>[0-9a-f]{64})\.parquet")
_LISTINGS = 20
_APPENDS = 200
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CompactedFile:
    """A file with the rows of all commits up to a number."""

    number: int
    key: str
    sha256: str


@dataclass(slots=True)
class LogListing:
    """The files of a log.

    Args:
        commits: Keys of the commits, by number.
        compacted: The compacted files, newest first.
        foreign: Keys that no log has given.
    """

    commits: dict[int, str] = field(default_factory=dict)
    compacted: list[CompactedFile] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @property
    def head(self) -> int:
        """The number of the newest commit; 0 for an empty log."""
        return max([*self.commits, *(file.number for file in self.compacted)], default=0)

    @property
    def covered(self) -> int:
        """The highest number that a compacted file covers."""
        return self.compacted[0].number if self.compacted else 0

    def missing(self, after: int) -> list[tuple[int, int]]:
        """Returns the ranges of numbers after a number that no commit has: first and last."""
        numbers = [after, *sorted(number for number in self.commits if number > after), self.head + 1]
        return [(low + 1, high - 1) for low, high in pairwise(numbers) if high - low > 1]


@dataclass(frozen=True, slots=True)
class LogFault:
    """What is wrong with a log: a damaged file, numbers without a file, or a file that is not the log's.

    Args:
        key: The file; for missing numbers, the first file that is not there.
        what: What is wrong with it.
        number: The number of the newest commit that is lost; 0 where none is.
    """

    key: str
    what: str
    number: int = 0

    @property
    def rows_lost(self) -> bool:
        """Whether rows are lost. A damaged compacted file loses none where all the commits before it are there."""
        return self.number > 0

    @property
    def error(self) -> CorruptObject:
        """The error that names the dataset, the file and what to do."""
        return CorruptObject(f"{self.key} {self.what}", REPAIR, dataset=self.key.split("/")[1])


def commit_key(prefix: str, number: int) -> str:
    """Returns the key of the commit with a number in the log under `prefix`."""
    return f"{prefix}{number:012}.commit"


def list_log(storage: Storage, prefix: str, beginning: str = "") -> LogListing:
    """Returns the files of the log under `prefix`.

    Args:
        storage: The lake.
        prefix: Folder of the log, ending in a slash.
        beginning: How the names begin; by default all files.

    Raises:
        SourceUnavailable: Files disappeared during each attempt to list them.
    """
    for _ in range(_LISTINGS):
        try:
            return _listing([file.key for file in storage.list(f"{prefix}{beginning}")], prefix)
        except ArchiveFileMissing:
            # A compaction removed a file during the listing, which may therefore lack the compacted file.
            continue
    raise SourceUnavailable(f"the log {prefix} changed {_LISTINGS} times while it was listed", "Try again")


def _listing(keys: Sequence[str], prefix: str) -> LogListing:
    listing = LogListing()
    for key in keys:
        name = _NAME.fullmatch(key.removeprefix(prefix))
        if name is None:
            listing.foreign.append(key)
        elif name["number"]:
            listing.commits[int(name["number"])] = key
        else:
            listing.compacted.append(CompactedFile(int(name["covered"]), key, name["sha256"]))
    listing.compacted.sort(key=lambda file: (-file.number, file.key))
    return listing


def fault_of(storage: Storage, key: str) -> LogFault | None:
    """Returns what is wrong with one file of a log, or None if its bytes are the bytes that were written.

    Raises:
        ArchiveFileMissing: There is no such file.
    """
    name = _NAME.fullmatch(key.rpartition("/")[2])
    if name is None:
        return LogFault(key, "is not a file of the log")
    data = storage.read(key)
    if name["number"]:
        return None if body_of(key, data) is not None else LogFault(key, "is damaged", int(name["number"]))
    return None if hashlib.sha256(data).hexdigest() == name["sha256"] else LogFault(key, "is damaged")


def log_faults(storage: Storage, prefix: str) -> list[LogFault]:
    """Returns everything that is wrong with the log under `prefix`: damaged files, missing numbers, foreign files.

    Files that a sound compacted file has made superfluous are not looked at.
    """
    listing, faults, base = list_log(storage, prefix), list[LogFault](), 0
    for file in listing.compacted:
        fault = fault_of(storage, file.key)
        if fault is None:
            base = file.number
            break
        faults.append(fault)
    keys = [listing.commits[number] for number in sorted(listing.commits) if number > base]
    with ThreadPoolExecutor(READ_THREADS) as pool:
        faults += [fault for fault in pool.map(lambda key: fault_of(storage, key), keys) if fault is not None]
    return [*faults, *missing_faults(listing, prefix, base), *foreign_faults(listing)]


def foreign_faults(listing: LogListing) -> list[LogFault]:
    """Returns a fault for each file that no log has given."""
    return [LogFault(key, "is not a file of the log") for key in listing.foreign]


def missing_faults(listing: LogListing, prefix: str, after: int) -> list[LogFault]:
    """Returns a fault for each range of numbers after a number that no commit has."""
    faults = []
    for first, last in listing.missing(after):
        what = "is missing" if first == last else f"and {last - first:,} after it are missing"
        faults.append(LogFault(commit_key(prefix, first), what, last))
    return faults


def sealed(key: str, body: bytes) -> bytes:
    """Returns the content of a commit: its digest, then its body."""
    return _HEADER + _digest(key, body).encode() + b"\n" + body


def body_of(key: str, data: bytes) -> bytes | None:
    """Returns the body of a commit, or None if the commit is damaged."""
    body = data[_HEADER_BYTES:]
    return body if data[:_HEADER_BYTES] == _HEADER + _digest(key, body).encode() + b"\n" else None


def _digest(key: str, body: bytes) -> str:
    # With the name: a commit under another number, or in another log, is no commit.
    return hashlib.sha256(key.encode() + b"\n" + body).hexdigest()


def append(storage: Storage, prefix: str, body_after: Callable[[int], bytes | None]) -> int | None:
    """Writes the next commit. Returns its number, or None if there is nothing to write.

    Args:
        storage: The lake.
        prefix: Folder of the log, ending in a slash.
        body_after: Returns the body, given the number of the newest commit. It is called again after each lost race.

    Raises:
        SourceUnavailable: The store did not answer, or other writers were faster all the time.
    """
    for attempt in range(_APPENDS):
        head = list_log(storage, prefix).head
        body = body_after(head)
        if body is None:
            return None
        key = commit_key(prefix, head + 1)
        data = sealed(key, body)
        is_mine = storage.write(key, data, if_absent=True) or _is_written(storage, key, data)
        # A writer that slept may take a number that a compaction has made free: what is covered is never read.
        if is_mine and list_log(storage, prefix, "compacted-").covered <= head:
            return head + 1
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.01 * (attempt + 1))))  # noqa: S311 - not a secret
    raise SourceUnavailable(f"other writers of {prefix} were faster {_APPENDS} times", "Try again")


def _is_written(storage: Storage, key: str, data: bytes) -> bool:
    """Returns whether a commit that "exists already" is ours: the store wrote it, and its answer was lost."""
    try:
        return storage.read(key) == data
    except ArchiveFileMissing:
        return False


def write_commit(storage: Storage, prefix: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Commits rows to the log under `prefix`, all or none; times become ISO texts."""
    append(storage, prefix, lambda _: json_body(rows))


def json_body(rows: Sequence[Mapping[str, object]]) -> bytes | None:
    """Returns rows as the body of a commit; None if there are none."""
    return "".join(json.dumps(row, default=_text, ensure_ascii=False) + "\n" for row in rows).encode() or None


def is_parquet(body: bytes) -> bool:
    """Returns whether the body of a commit is Parquet, and not lines of JSON."""
    return body.startswith(_PARQUET)


def commit_rows(body: bytes) -> list[dict[str, object]]:
    """Returns the rows of a body of JSON lines, times as ISO texts."""
    # Not splitlines: a text may hold a line separator of Unicode, which JSON does not escape.
    return [json.loads(line) for line in body.decode().split("\n") if line]


def recent_rows(storage: Storage, prefix: str) -> Iterator[dict[str, object]]:
    """Yields the rows of sound commits in JSON since the last compaction of the log, oldest first."""
    listing = list_log(storage, prefix)
    numbers = [number for number in sorted(listing.commits) if number > listing.covered]
    yield from _rows(storage, [listing.commits[number] for number in numbers])


def rows_since(storage: Storage, prefix: str, since: int, head: int) -> Iterator[dict[str, object]]:
    """Yields the rows of the commits in JSON after the number `since`, up to `head`, oldest first.

    Raises:
        SourceUnavailable: A compaction has removed some of them; what they held cannot be read without an engine.
    """
    listing = list_log(storage, prefix) if head > since else LogListing()
    keys = [listing.commits.get(number, "") for number in range(since + 1, head + 1)]
    if not all(keys):
        raise SourceUnavailable(
            f"the log {prefix} was compacted during the step", "Repeat the step: it looks at what is there now"
        )
    yield from _rows(storage, keys)


def _rows(storage: Storage, keys: Sequence[str]) -> Iterator[dict[str, object]]:
    def rows(key: str) -> list[dict[str, object]]:
        try:
            body = body_of(key, storage.read(key))
        except ArchiveFileMissing:
            # A compaction has replaced the file in the meantime.
            return []
        return [] if body is None or is_parquet(body) else commit_rows(body)

    with ThreadPoolExecutor(READ_THREADS) as pool:
        for members in pool.map(rows, keys):
            yield from members


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} cannot be stored in a log")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
