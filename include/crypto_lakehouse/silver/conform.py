"""Bronze to Silver: the objects that cover some partitions become one Parquet file for each partition.

A pure function of its inputs in any order: the same inputs give the same rows and the same bytes. An invalid input is
left out of its partitions, and their manifests record it; the other inputs are used. Every object is inflated once:
small objects many at a time, parsed as one block, large objects as a stream of blocks.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from crypto_lakehouse.errors import ContentRefused, LakehouseError
from crypto_lakehouse.lake.bronze import covers
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import RefusedInput
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.building import ConformedPartition, PartitionBuild
from crypto_lakehouse.silver.decode.blocks import Block
from crypto_lakehouse.silver.inputs import InputObject, Segment, identity
from crypto_lakehouse.silver.parse import SourceShape, parse_block
from crypto_lakehouse.silver.reading import ReadAhead, inflation_bounds, stream_blocks
from crypto_lakehouse.silver.routing import CheckedRows, route_streamed, route_whole, split_by_series
from crypto_lakehouse.silver.shape import shape_rows
from crypto_lakehouse.spec import Dataset

__all__ = ["ConformOutcome", "ConformedPartition", "InputObject", "conform"]

BATCH_BYTES = 16 << 20
"""Inflated bytes of small objects that are parsed at once."""

WholeInput = tuple[InputObject, Block]


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
            self._route(self._checked(batch))
        except LakehouseError as error:
            if len(batch) > 1:
                # Some input of the batch is at fault. Each is tried alone, so that only that one is refused.
                for whole_input in batch:
                    self._take_batch([whole_input])
                return
            self._refuse(batch[0][0], error)
        self._note_read([input_object for input_object, _ in batch])

    def _checked(self, batch: list[WholeInput]) -> CheckedRows:
        first = batch[0][1]
        segments = tuple(Segment(input_object, block.data.count(b"\n")) for input_object, block in batch)
        for segment in segments:
            self._check_rows(segment.rows)
        data = first.data if len(batch) == 1 else b"".join(block.data for _, block in batch)
        shape = SourceShape(self.dataset, first.sniffed.layout)
        shaped = shape_rows(parse_block(data, shape, first.first_line), shape, segments)
        return CheckedRows(shaped.frame, segments, shaped.units, first.sniffed)

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
        builds, unit, rows = self._builds_of[identity(input_object)], "", 0
        blocks = stream_blocks(input_object, self.dataset, inflation_bounds(self.settings))
        try:
            for block in blocks:
                shape = SourceShape(self.dataset, block.sniffed.layout)
                frame = parse_block(block.data, shape, block.first_line)
                rows += frame.height
                self._check_rows(rows)
                segments = (Segment(input_object, frame.height),)
                shaped = shape_rows(frame, shape, segments)
                if unit and shaped.units[0] not in {unit, ""}:
                    raise ContentRefused(f"time stamps in {unit} and then in {shaped.units[0]} in one file")
                unit = unit or shaped.units[0]
                route_streamed(CheckedRows(shaped.frame, segments, shaped.units, block.sniffed), self.dataset, builds)
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
