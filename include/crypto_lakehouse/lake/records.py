"""The facts that travel between steps: what to bring, Bronze objects, Silver manifests, verdicts. Plain data."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.spans import Span
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.vocabulary import ChecksumStatus, Condition, Source

TRANSFORM_VERSION = 4
"""Raise it when conform makes other rows or bytes from the same objects: every partition is then rebuilt."""


@dataclass(frozen=True, slots=True)
class ObjectToPull:
    """One archive object that a pull batch is to bring, as the listing showed it.

    `checksum_etag` is the entity tag of its CHECKSUM object; empty where there is none.
    """

    key: str
    size: int
    etag: str
    last_modified: str
    checksum_etag: str
    reason: str

    @property
    def has_checksum(self) -> bool:
        """Whether the archive has a CHECKSUM for it."""
        return bool(self.checksum_etag)


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """A span of time of one symbol and interval to request from the exchange; the interval is empty without one."""

    symbol: str
    interval: str
    span: Span

    def __str__(self) -> str:
        """Its parts as words: `BTCUSDT 1m 2025-01-01T00:00:00+00:00 2025-01-02T00:00:00+00:00`."""
        times = (self.span.start.isoformat(), self.span.end.isoformat())
        return " ".join(part for part in (self.symbol, self.interval, *times) if part)


@dataclass(frozen=True, slots=True)
class BronzeObject:
    """One version of one source object, as the Bronze log records it: an archive's zip, or the bodies of REST answers.

    Args:
        key: The archive key of the zip, or `rest/...` for a window that was requested from the exchange.
        path: Where its bytes lie, relative to the lake.
        source: Where it came from.
        start: First instant it covers, inclusive, UTC.
        end: First instant after what it covers, UTC.
        etag: The bucket's, without quotes; empty where there is no bucket.
        last_modified: The bucket's, or the exchange's time when it answered; UTC.
        size: Bytes of the object.
        sha256: Of the object, hexadecimal.
        checksum: Whether the source's own checksum vouches for it.
        seen_at: When this version was committed, UTC; for people, because the log has the order.
        checksum_etag: The bucket's tag of the CHECKSUM that it was compared with; empty where there was none.
        damage: What is wrong with its stored bytes; empty where nothing is. A plan brings a damaged object again.
    """

    dataset: str
    key: str
    symbol: str
    interval: str
    source: Source
    start: datetime
    end: datetime
    etag: str
    last_modified: datetime
    size: int
    sha256: str
    checksum: ChecksumStatus
    seen_at: datetime
    path: str
    checksum_etag: str = ""
    damage: str = ""

    @property
    def version(self) -> str:
        """What a partition made from it depends on: its bytes, and whether a CHECKSUM vouches for them."""
        return f"{self.sha256} {self.checksum}" if self.checksum is ChecksumStatus.ABSENT else self.sha256

    @property
    def first_day(self) -> date:
        """First UTC day it covers."""
        return self.start.date()

    @property
    def last_day(self) -> date:
        """Last UTC day it covers, inclusive."""
        return (self.end - timedelta(microseconds=1)).date()


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a Bronze object that cannot be true. It was set aside: the partition does not have it.

    Args:
        key: The object.
        sha256: Of the object.
        line: Number of its line in the object, from 1 and with the header; in answers of an exchange, of its row.
        time: The instant that places it, ISO: its own event time, or the time of the row before it.
        reason: Why it cannot be true.
        text: The line as published, at most `MAX_TEXT` characters of it.
    """

    key: str
    sha256: str
    line: int
    time: str
    reason: str
    text: str

    MAX_TEXT: ClassVar[int] = 1000

    def __str__(self) -> str:
        """Where it is and why it was set aside."""
        return f"line {self.line} of {self.key}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ManifestInput:
    """What one Bronze object, or one published version of another partition, gave to a partition.

    `start` and `end` are what it covers, ISO. `rows` counts its rows within the partition's span. `unit` is the epoch
    unit found (`ms`, `us`, or `text`), `header` whether the file had a header line, `inversions` how many rows came
    before an earlier one, `refused_rows` how many rows were set aside.
    """

    key: str
    sha256: str
    source: Source
    start: str
    end: str
    checksum: ChecksumStatus
    rows: int
    unit: str
    header: bool
    inversions: int
    refused_rows: int = 0


@dataclass(frozen=True, slots=True)
class RefusedInput:
    """A Bronze object that was left out of its partition, and why. `start` and `end` are what it covers, ISO."""

    key: str
    sha256: str
    error: str
    reason: str
    start: str = ""
    end: str = ""

    @property
    def is_damaged(self) -> bool:
        """Whether its stored bytes are not the ones that Bronze recorded; else its content was refused."""
        return self.error == CorruptObject.__name__


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """How one column differed between two sources: in how many rows, and by how much at most.

    `largest` is a number in the column's unit (microseconds for times), empty for texts and flags.
    """

    column: str
    rows: int
    largest: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How two objects with the same keys agree about one day.

    Args:
        day: UTC day, ISO.
        kept: Source of the rows that were kept.
        other: Source of the rows that were dropped for them.
        equal: Rows that are equal in both.
        different: Rows that did not.
        columns: What differed, by column.
    """

    day: str
    kept: Source
    other: Source
    equal: int
    different: int
    columns: tuple[ColumnDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a Silver partition was made from; written into the Parquet file's own metadata.

    Holds no clock time and no run: the same inputs and code give the same bytes.

    Args:
        inputs_digest: See `inputs_digest`; equal digests mean nothing has to be rebuilt.
        rows_in: Rows read from all inputs within the span.
        rows_out: Rows written.
        duplicates: Rows dropped because an equal row of the same source is kept.
        overlaps: Rows dropped because an equal row of a better-ranked source is kept: the sources agree.
        conflicts: Rows dropped because a better-ranked row with the same key and other values is kept.
        conflict_examples: At most 20 of them: key, what was kept, what was dropped.
        refused_rows: Rows of its inputs that cannot be true, by input and line: they were set aside.
        inversions: Rows that came before an earlier one in their file.
        covered: Stretches of the span that accepted inputs cover: start and end, ISO, ascending, not touching.
        reconciliations: How objects with the same keys agree, by day and pair of sources.
    """

    dataset: str
    partition: str
    inputs: tuple[ManifestInput, ...]
    refused: tuple[RefusedInput, ...]
    inputs_digest: str
    rows_in: int
    rows_out: int
    duplicates: int
    overlaps: int
    conflicts: int
    inversions: int
    covered: tuple[tuple[str, str], ...]
    reconciliations: tuple[Reconciliation, ...] = ()
    conflict_examples: tuple[dict[str, str], ...] = ()
    refused_rows: tuple[RefusedRow, ...] = ()
    transform_version: int = TRANSFORM_VERSION
    code_version: str = ""

    def to_json(self) -> str:
        """Returns it as JSON with sorted keys: the same manifest, the same text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """Returns the manifest that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw["inputs"] = tuple(
            ManifestInput(
                **{
                    **fields,
                    "source": Source(fields["source"]),
                    "checksum": ChecksumStatus(fields["checksum"]),
                }
            )
            for fields in raw["inputs"]
        )
        raw["refused"] = tuple(RefusedInput(**fields) for fields in raw["refused"])
        raw["covered"] = tuple((start, end) for start, end in raw["covered"])
        raw["reconciliations"] = tuple(_reconciliation(fields) for fields in raw["reconciliations"])
        raw["conflict_examples"] = tuple(raw["conflict_examples"])
        raw["refused_rows"] = tuple(RefusedRow(**fields) for fields in raw["refused_rows"])
        return cls(**raw)


def _reconciliation(raw: dict[str, Any]) -> Reconciliation:
    columns = tuple(ColumnDifference(**fields) for fields in raw["columns"])
    return Reconciliation(**{**raw, "kept": Source(raw["kept"]), "other": Source(raw["other"]), "columns": columns})


def inputs_digest(table: Table, inputs: Iterable[tuple[str, str]]) -> str:
    """Returns a digest of what a partition is made from and of the version of the code that makes it.

    A partition is stale if the digest of its published version differs from the digest of what is there now.

    Args:
        table: The partition's table.
        inputs: Key and sha256 of each input, in any order: Bronze objects, or published versions of partitions.
    """
    maker = f"{table.name} {table.version}" if isinstance(table, Mart) else f"transform {TRANSFORM_VERSION}"
    lines = [f"{key} {sha256}\n" for key, sha256 in sorted(inputs)]
    return hashlib.sha256("".join([f"{maker}\n", *lines]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partition version that was written and read back, and that no reader sees yet.

    Args:
        dataset: Its dataset.
        partition: The partition's name.
        location: Folder of the version, relative to the lake: `<partition path>/version=<sha256[:16]>`.
        file: The Parquet file, relative to the lake.
        sha256: Of the file.
        bytes: Size of the file.
        rows: Rows in the file.
        inputs_digest: From its manifest.
        first_time: Earliest event time, UTC; None where it has no rows.
        last_time: Latest event time, UTC.
    """

    dataset: str
    partition: str
    location: str
    file: str
    sha256: str
    bytes: int
    rows: int
    inputs_digest: str
    first_time: datetime | None
    last_time: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of the gate on a candidate.

    `reasons` are sentences for people, one per broken expectation, rejected input or note. Empty if available.
    """

    candidate: Candidate
    condition: Condition
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedPartition:
    """The entry of a partition in the catalog: the version that readers see."""

    dataset: str
    partition: str
    location: str
    file: str
    sha256: str
    bytes: int
    rows: int
    inputs_digest: str
    first_time: datetime | None
    last_time: datetime | None
    condition: Condition
    reasons: tuple[str, ...]
    run_id: str
    published_at: datetime
    schema_version: str = field(default="1")
    generation: int = field(default=0, compare=False)
    """Raised by every publication of the partition; the catalog sets it. 0 where it was never published."""
