"""The build of one partition: which objects cover it, the rows that they gave, its file and its manifest."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from crypto_lakehouse import __version__
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.partition_file import PartitionWriter
from crypto_lakehouse.lake.records import Manifest, ManifestInput, RefusedInput, RefusedRow, inputs_digest
from crypto_lakehouse.lake.staleness import Input, input_of
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.buffers import InputRows, RowBuffer
from crypto_lakehouse.silver.inputs import InputObject, identity, precedences
from crypto_lakehouse.silver.merge import MergeCounts
from crypto_lakehouse.silver.range_merge import merge_buffers
from crypto_lakehouse.spans import Span, union


@dataclass(frozen=True, slots=True)
class ConformedPartition:
    """A partition's new version as a local file, or its manifest alone if no row is left.

    Args:
        partition: The partition.
        file: Its Parquet file; None if no row is left.
        sha256: The sha256 of the file; empty if there is none.
        manifest: What it was made from.
        rows: Number of rows in the file.
        first_time: Earliest event time.
        last_time: Latest event time.
    """

    partition: Partition
    file: Path | None
    sha256: str
    manifest: Manifest
    rows: int
    first_time: datetime | None
    last_time: datetime | None


@dataclass(slots=True)
class Contribution:
    """What one input gave to one partition; see `ManifestInput`."""

    rows: int = 0
    inversions: int = 0
    unit: str = ""
    has_header: bool = False
    refused: list[RefusedRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PartitionRows:
    """Rows of one partition.

    Args:
        frame: The rows.
        inputs: Which inputs they come from, in order.
        is_ordered: Whether they are in order, with unique keys.
    """

    frame: pl.DataFrame
    inputs: list[InputRows]
    is_ordered: bool


@dataclass(slots=True)
class PartitionBuild:
    """The build of one partition.

    Args:
        partition: The partition.
        covering: All inputs that may hold rows of it; afterwards in order of precedence.
        folder: Where its files are written.
        background: The thread that writes them.
    """

    partition: Partition
    covering: list[InputObject]
    folder: Path
    background: Background
    refused: dict[str, RefusedInput] = field(default_factory=dict)
    contributions: dict[str, Contribution] = field(default_factory=dict)
    _shared: RowBuffer | None = None
    _own: dict[str, RowBuffer] = field(default_factory=dict)
    _files: int = 0
    _precedences: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._precedences = precedences(self.partition.dataset, self.covering)
        self.covering = sorted(self.covering, key=self.precedence)

    def precedence(self, input_object: InputObject) -> int:
        """Returns an input's precedence in this partition: of two rows with one key, the lower one is kept."""
        return self._precedences[identity(input_object)]

    def contribution(self, input_object: InputObject) -> Contribution:
        """Returns the record of what an input gave, which the caller adds to."""
        return self.contributions.setdefault(identity(input_object), Contribution())

    def append(self, rows: PartitionRows) -> None:
        """Adds rows of inputs that were checked whole."""
        if self._shared is None:
            self._shared = self._buffer()
        self._shared.append(rows.frame, rows.inputs, is_ordered=rows.is_ordered)

    def append_streamed(self, rows: PartitionRows, input_object: InputObject) -> None:
        """Adds rows of an input that may still be refused."""
        buffer = self._own.setdefault(identity(input_object), self._buffer())
        buffer.append(rows.frame, rows.inputs, is_ordered=rows.is_ordered)

    def pause(self, input_object: InputObject) -> None:
        """Notes that a streamed input now has rows of other partitions."""
        if identity(input_object) in self._own:
            self._own[identity(input_object)].pause()

    def set_aside(self, input_object: InputObject, row: RefusedRow) -> None:
        """Records a row that cannot be true, if its time is within the partition."""
        if self.partition.start <= datetime.fromisoformat(row.time) < self.partition.end:
            self.contribution(input_object).refused.append(row)

    def refuse(self, input_object: InputObject, record: RefusedInput) -> None:
        """Leaves an input out, with all rows that it gave."""
        self.refused[identity(input_object)] = record
        self.contributions.pop(identity(input_object), None)
        buffer = self._own.pop(identity(input_object), None)
        if buffer is not None:
            buffer.discard()

    def finish(self) -> "Future[ConformedPartition]":
        """Returns the finished partition, as a future: its file is closed in the background, after all its rows."""
        buffers = [buffer for buffer in (self._shared, *self._own.values()) if buffer is not None and buffer.rows]
        if not buffers:
            empty = ConformedPartition(self.partition, None, "", self._manifest(MergeCounts(), 0), 0, None, None)
            return self.background.submit(lambda: empty)
        if len(buffers) == 1 and buffers[0].is_ordered:
            writer, counts, rows = buffers[0].writer(), MergeCounts(), buffers[0].rows
        else:
            writer, counts, rows = self._merged(buffers)
        self._shared, self._own = None, {}
        manifest = self._manifest(counts, rows)
        first = min(buffer.first_time for buffer in buffers if buffer.first_time)
        last = max(buffer.last_time for buffer in buffers if buffer.last_time)

        def end() -> ConformedPartition:
            return ConformedPartition(self.partition, writer.path, writer.close(manifest), manifest, rows, first, last)

        return self.background.submit(end)

    def _merged(self, buffers: Sequence[RowBuffer]) -> tuple[PartitionWriter, MergeCounts, int]:
        for buffer in buffers:
            buffer.close()
        merged = merge_buffers(buffers, self.covering, self._writers(), self.background)
        self.background.drain()
        for buffer in buffers:
            buffer.path.unlink(missing_ok=True)
        return merged

    def _writers(self) -> Iterator[PartitionWriter]:
        while True:
            yield PartitionWriter(self._path(), self.partition.dataset, self.partition.symbol)

    def _buffer(self) -> RowBuffer:
        return RowBuffer(self.partition, self._path(), self.background)

    def _path(self) -> Path:
        self._files += 1
        name = hashlib.sha256(self.partition.path.encode()).hexdigest()[:20]
        return self.folder / f"{name}-{self._files}.parquet"

    def _input(self, input_object: InputObject) -> Input:
        refused = self.refused.get(identity(input_object))
        given = input_of(input_object.object)
        return given.damaged() if refused is not None and refused.is_damaged else given

    def _manifest(self, counts: MergeCounts, rows: int) -> Manifest:
        accepted = sorted((each for each in self.covering if identity(each) not in self.refused), key=identity)
        gave = [(input_object, self.contribution(input_object)) for input_object in accepted]
        return Manifest(
            dataset=self.partition.dataset.name,
            partition=self.partition.name,
            inputs=tuple(_manifest_input(input_object, contribution) for input_object, contribution in gave),
            refused=tuple(self.refused[name] for name in sorted(self.refused)),
            inputs_digest=inputs_digest(self.partition.table, map(self._input, self.covering)),
            rows_in=sum(contribution.rows for _, contribution in gave),
            rows_out=rows,
            duplicates=counts.duplicates,
            overlaps=counts.overlaps,
            conflicts=counts.conflicts,
            inversions=sum(contribution.inversions for _, contribution in gave),
            covered=_covered(self.partition, [each for each, contribution in gave if _covers(each, contribution)]),
            reconciliations=counts.reconciliations(),
            conflict_examples=tuple(counts.examples),
            refused_rows=tuple(row for _, contribution in gave for row in contribution.refused),
            code_version=__version__,
        )


def _manifest_input(input_object: InputObject, contribution: Contribution) -> ManifestInput:
    bronze_object = input_object.object
    return ManifestInput(
        bronze_object.key,
        bronze_object.sha256,
        bronze_object.source,
        bronze_object.start.isoformat(),
        bronze_object.end.isoformat(),
        bronze_object.checksum,
        contribution.rows,
        contribution.unit,
        contribution.has_header,
        contribution.inversions,
        len(contribution.refused),
    )


def _covers(input_object: InputObject, contribution: Contribution) -> bool:
    # An archive file covers its span even without rows. An answer without rows means that the exchange has none, so it
    # covers nothing; a stream without rows may have been cut off.
    return contribution.rows > 0 or input_object.object.source.is_archive


def _covered(partition: Partition, inputs: Sequence[InputObject]) -> tuple[tuple[str, str], ...]:
    """Returns the spans of the partition that the inputs cover; spans that touch are joined."""
    whole = Span(partition.start, partition.end)
    covered = union(Span(each.object.start, each.object.end).intersect(whole) for each in inputs)
    return tuple((span.start.isoformat(), span.end.isoformat()) for span in covered)
