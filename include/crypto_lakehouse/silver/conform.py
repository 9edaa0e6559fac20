"""Bronze to Silver: the objects that cover some partitions become one Parquet file for each partition.

A pure function of its inputs in any order: the same inputs give the same rows and the same bytes. A row that cannot be
true is set aside, and an invalid input is left out of its partitions. The manifests record both, and the rest is used.
Every object is inflated once: small objects many at a time, parsed as one block, large objects as a stream of blocks.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from crypto_lakehouse.errors import ContentRefused, LakehouseError
from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.lake.bronze import covers
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import RefusedInput, RefusedRow
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.building import ConformedPartition, PartitionBuild
from crypto_lakehouse.silver.decode.blocks import Block
from crypto_lakehouse.silver.inputs import InputObject, Segment, identity
from crypto_lakehouse.silver.parse import SourceShape, parse_block
from crypto_lakehouse.silver.reading import ReadAhead, inflation_bounds, stream_blocks
from crypto_lakehouse.silver.routing import CheckedRows, route_streamed, route_whole, split_by_series
from crypto_lakehouse.silver.separate import ParsedLines, parse_lines
from crypto_lakehouse.silver.set_aside import BoundCheck, ReadLines
from crypto_lakehouse.silver.shape import shape_rows
from crypto_lakehouse.spec import Dataset

__all__ = ["ConformOutcome", "ConformedPartition", "InputObject", "conform"]

BATCH_BYTES = 16 << 20
"""Inflated bytes of small objects that are parsed at once."""

WholeInput = tuple[InputObject, Block]
SetAside = tuple[InputObject, RefusedRow]


@dataclass(frozen=True, slots=True)
class ConformOutcome:
    """What conform made.

    Args:
        partitions: The partitions, in the order asked for.
        refused: Every input that was left out.
    """

    partitions: list[ConformedPartition]
    refused: list[RefusedInput]


def conform(  # noqa: PLR0913, PLR0917 - the package's one entry; the sixth only listens
    dataset: Dataset,
    partitions: Sequence[Partition],
    inputs: Sequence[InputObject],
    workdir: Path,
    settings: ConformSettings,
    progress: Progress = no_progress,
) -> ConformOutcome:
    """Returns the partitions made from the inputs. Their files are in `workdir`, which the caller empties.

    Args:
        dataset: The dataset of all partitions and inputs.
        partitions: What to build.
        inputs: All Bronze objects that cover any of them, with local paths.
        workdir: Scratch space on a local disk.
        settings: Limits for one input.
        progress: Is called with the number of inputs read, of how many.

    Raises:
        LakehouseError: Never because of an input; refused inputs are in the outcome.
    """
    background = Background()
    try:
        work = _Conforming(dataset, settings, _builds(partitions, inputs, workdir, background), progress)
        work.read_all(inputs)
        pending = {build.partition.name: build.finish() for build in work.unfinished()} | work.finished
        conformed = {name: future.result() for name, future in pending.items()}
    finally:
        background.close()
    refused = sorted(work.refused.values(), key=lambda record: (record.key, record.sha256))
    return ConformOutcome([conformed[partition.name] for partition in partitions], refused)


def _builds(
    partitions: Sequence[Partition], inputs: Sequence[InputObject], workdir: Path, background: Background
) -> list[PartitionBuild]:
    distinct = {identity(input_object): input_object for input_object in inputs}.values()
    series: dict[tuple[str, str], list[InputObject]] = {}
    for input_object in distinct:
        series.setdefault((input_object.object.symbol, input_object.object.interval), []).append(input_object)
    return [
        PartitionBuild(
            partition,
            [given for given in series.get(_series(partition), []) if covers(given.object, partition)],
            workdir,
            background,
        )
        for partition in sorted(partitions, key=lambda partition: partition.name)
    ]


def _series(partition: Partition) -> tuple[str, str]:
    return partition.symbol, str(partition.interval or "")


@dataclass(slots=True)
class _Conforming:
    """The state of one call of `conform`.

    Args:
        dataset: The dataset of all partitions and inputs.
        settings: Limits for one input.
        builds: The builds of all partitions.
        progress: Listener.
        refused: Inputs left out, by identity.
        finished: Partitions whose inputs were all read, by name.
    """

    dataset: Dataset
    settings: ConformSettings
    builds: list[PartitionBuild]
    progress: Progress
    refused: dict[str, RefusedInput] = field(default_factory=dict)
    finished: dict[str, Future[ConformedPartition]] = field(default_factory=dict)
    _builds_of: dict[str, list[PartitionBuild]] = field(default_factory=dict)
    _unread: dict[str, int] = field(default_factory=dict)
    _read: int = 0
    _total: int = 0

    def __post_init__(self) -> None:
        for build in self.builds:
            self._unread[build.partition.name] = len(build.covering)
            for input_object in build.covering:
                self._builds_of.setdefault(identity(input_object), []).append(build)

    def unfinished(self) -> list[PartitionBuild]:
        """Returns the builds that were not finished while reading: no input covers their partitions."""
        return [build for build in self.builds if build.partition.name not in self.finished]

    def read_all(self, inputs: Sequence[InputObject]) -> None:
        """Reads every input that covers a partition, once, and finishes a partition after the last of its inputs."""
        distinct = {identity(given): given for given in inputs if identity(given) in self._builds_of}
        ordered = sorted(distinct.values(), key=_reading_order)
        self._total = len(ordered)
        batch: list[WholeInput] = []
        size = 0
        with ReadAhead(ordered, self.dataset, inflation_bounds(self.settings)) as ahead:
            for input_object, content in ahead:
                if isinstance(content, Block) and (not batch or _alike(batch[-1][1], content)) and size < BATCH_BYTES:
                    batch.append((input_object, content))
                    size += len(content.data)
                    continue
                self._take_batch(batch)
                batch, size = ([(input_object, content)], len(content.data)) if isinstance(content, Block) else ([], 0)
                if isinstance(content, LakehouseError):
                    self._refuse(input_object, content)
                    self._note_read([input_object])
                elif content is None:
                    self._stream(input_object)
            self._take_batch(batch)

    def _take_batch(self, batch: list[WholeInput]) -> None:
        if not batch:
            return
        try:
            rows, refused = self._checked(batch)
            self._route(rows)
            self._set_aside(refused)
        except LakehouseError as error:
            if len(batch) > 1:
                # Some input of the batch is at fault. Each is tried alone, so that only that one is refused.
                for whole_input in batch:
                    self._take_batch([whole_input])
                return
            self._refuse(batch[0][0], error)
        self._note_read([input_object for input_object, _ in batch])

    def _checked(self, batch: list[WholeInput]) -> tuple[CheckedRows, list[SetAside]]:
        first = batch[0][1]
        lines = [(input_object, block.data.count(b"\n")) for input_object, block in batch]
        for _, count in lines:
            self._check_rows(count)
        shape = SourceShape(self.dataset, first.sniffed.layout)
        if len(batch) == 1:
            # Lines that are no rows are looked for in one object at a time.
            data, parsed = first.data, parse_lines(first.data, shape)
            segments: tuple[Segment, ...] = (Segment(batch[0][0], parsed.frame.height),)
        else:
            data = b"".join(block.data for _, block in batch)
            parsed = ParsedLines(parse_block(data, shape))
            segments = tuple(Segment(*each) for each in lines)
        read = ReadLines(data, first.first_line, parsed, shape_rows(parsed.frame, shape, segments), segments)
        refused, sound = read.refused(), read.sound_segments()
        if len(batch) > 1 and len(refused) < len(parsed.frame) - len(read.shaped.frame):
            raise ContentRefused("too many bad rows to describe them together")
        for (input_object, count), segment in zip(lines, sound, strict=True):
            self._check_bound(count, segment, [row for given, row in refused if given is input_object])
        return CheckedRows(read.shaped.frame, sound, read.shaped.units, first.sniffed), refused

    def _check_bound(self, lines: int, sound: Segment, refused: list[RefusedRow]) -> None:
        check = BoundCheck(self.dataset.refusal_bound)
        check.add(lines, lines - sound.rows, refused)
        check.finish()

    def _set_aside(self, refused: Iterable[SetAside]) -> None:
        for input_object, row in refused:
            for build in self._builds_of[identity(input_object)]:
                build.set_aside(input_object, row)

    def _check_rows(self, rows: int) -> None:
        limit = self.settings.max_rows
        if rows > limit:
            raise ContentRefused(f"{rows} rows, the limit is {limit}", "See the setting conform.max_rows")

    def _route(self, checked: CheckedRows) -> None:
        for rows in split_by_series(checked):
            builds = {
                id(build): build for segment in rows.segments for build in self._builds_of[identity(segment.input)]
            }
            route_whole(rows, self.dataset, list(builds.values()))
            for segment in rows.segments:
                if not segment.rows:
                    self._note_header(segment.input, rows)

    def _note_header(self, input_object: InputObject, rows: CheckedRows) -> None:
        for build in self._builds_of[identity(input_object)]:
            build.contribution(input_object).has_header = rows.sniffed.has_header

    def _stream(self, input_object: InputObject) -> None:
        try:
            self._take_blocks(input_object)
        except LakehouseError as error:
            self._refuse(input_object, error)
        self._note_read([input_object])

    def _take_blocks(self, input_object: InputObject) -> None:
        builds, unit, earlier = self._builds_of[identity(input_object)], "", None
        check = BoundCheck(self.dataset.refusal_bound)
        blocks = stream_blocks(input_object, self.dataset, inflation_bounds(self.settings))
        try:
            for block in blocks:
                shape = SourceShape(self.dataset, block.sniffed.layout)
                parsed = parse_lines(block.data, shape)
                segments = (Segment(input_object, parsed.frame.height),)
                shaped = shape_rows(parsed.frame, shape, segments, unit)
                read = ReadLines(block.data, block.first_line, parsed, shaped, segments)
                refused = read.refused(earlier)
                sound = read.sound_segments()
                lines = parsed.frame.height + len(parsed.bad)
                check.add(lines, lines - sound[0].rows, [row for _, row in refused])
                self._check_rows(check.lines)
                unit = unit or shaped.units[0]
                if sound[0].rows:
                    earlier = microseconds(shaped.frame[self.dataset.event_time][-1])
                route_streamed(CheckedRows(shaped.frame, sound, shaped.units, block.sniffed), self.dataset, builds)
                self._set_aside(refused)
            check.finish()
        finally:
            blocks.close()

    def _refuse(self, input_object: InputObject, error: LakehouseError) -> None:
        record = input_object.refused(error)
        self.refused[identity(input_object)] = record
        for build in self._builds_of[identity(input_object)]:
            build.refuse(input_object, record)

    def _note_read(self, inputs: list[InputObject]) -> None:
        for input_object in inputs:
            self._read += 1
            for build in self._builds_of[identity(input_object)]:
                name = build.partition.name
                self._unread[name] -= 1
                if not self._unread[name]:
                    self.finished[name] = build.finish()
        self.progress("files", self._read, self._total)


def _reading_order(input_object: InputObject) -> tuple[str, str, object, str, str]:
    bronze_object = input_object.object
    # By series and day, so that partitions fill up one after the other; the version last, for a total order.
    return (
        bronze_object.symbol,
        bronze_object.interval,
        bronze_object.start,
        bronze_object.key,
        bronze_object.sha256,
    )


def _alike(first: Block, second: Block) -> bool:
    return first.sniffed.layout is second.sniffed.layout and first.sniffed.has_header is second.sniffed.has_header
