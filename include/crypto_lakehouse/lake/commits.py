"""Commits to a log as lines of JSON, for processes without an engine, such as the image of a pull.

`AppendLog` reads them in addition to its Parquet files, and compaction merges both.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.storage import Storage

COMMIT_SUFFIX = ".jsonl"


def commit_name() -> str:
    """Returns a name, without a suffix, that no other commit has; names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(6)}"


def write_commit(storage: Storage, prefix: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Commits rows to the log under `prefix`, all or none; times become ISO texts."""
    if rows:
        lines = "".join(json.dumps(row, default=_text, ensure_ascii=False) + "\n" for row in rows)
        storage.write(f"{prefix}{commit_name()}{COMMIT_SUFFIX}", lines.encode(), if_absent=True)


def commit_rows(data: bytes) -> list[dict[str, object]]:
    """Returns the rows of one commit, times as ISO texts."""
    # Not splitlines: a text may hold a line separator of Unicode, which JSON does not escape.
    return [json.loads(line) for line in data.decode().split("\n") if line]


def recent_rows(storage: Storage, prefix: str) -> Iterator[dict[str, object]]:
    """Yields the rows of commits in JSON since the last compaction of the log, oldest first."""
    for file in storage.list(prefix):
        if file.key.endswith(COMMIT_SUFFIX):
            try:
                data = storage.read(file.key)
            except ArchiveFileMissing:
                # A compaction has replaced the file in the meantime.
                continue
            yield from commit_rows(data)


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} cannot be stored in a log")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
