"""Bronze to Silver: the zips that cover some partitions become one Parquet file per partition.

A pure function of its inputs, whatever their order: the same rows and the same bytes. An input that is not sound is
left out of its partitions, which say so in their manifests; the others go on. Every file is inflated once: small ones
many at a time, parsed as one block, large ones as a stream of blocks.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from crypto_lakehouse.errors import ContentRefused, LakehouseError
from crypto_lakehouse.lake.bronze import covers
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import RefusedInput
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.building import Building, ConformedPartition
from crypto_lakehouse.silver.decode.zips import ZipBounds
from crypto_lakehouse.silver.inputs import InputObject, Segment, identity
from crypto_lakehouse.silver.parse import SourceShape, parse_block
from crypto_lakehouse.silver.reading import Block, ReadAhead, stream_blocks, zip_bounds
from crypto_lakehouse.silver.routing import CheckedRows, route_streamed, route_whole, split_by_series
from crypto_lakehouse.silver.shape import shape_rows
from crypto_lakehouse.spec import Dataset

__all__ = ["ConformOutcome", "ConformedPartition", "InputObject", "conform"]

BATCH_BYTES = 16 << 20
"""Inflated bytes of small files parsed at once."""

Progress = Callable[[str, int, int], None]
Whole = tuple[InputObject, Block]


@dataclass(frozen=True, slots=True)
class ConformOutcome:
    """The partitions, in the order asked for, and every input that was left out of one."""

    partitions: list[ConformedPartition]
    refused: list[RefusedInput]


def conform(  # noqa: PLR0913, PLR0917 - the package's one entry; the sixth only listens
    dataset: Dataset,
    partitions: Sequence[Partition],
    inputs: Sequence[InputObject],
    workdir: Path,
    settings: ConformSettings,
    progress: Progress | None = None,
) -> ConformOutcome:
    """Returns the partitions made from the inputs; files lie in `workdir`, which the caller empties.

    Args:
        dataset: The dataset of all partitions and inputs.
        partitions: What to build.
        inputs: All Bronze objects that cover any of them, with local paths.
        workdir: Scratch space on a local disk.
        settings: Bounds of one input.
        progress: Listener: files read, of how many.

    Raises:
        LakehouseError: Nothing that is an input's fault; those are in the outcome.
    """
    background = Background()
    try:
        work = _Work(dataset, settings, _buildings(partitions, inputs, workdir, background), progress)
        work.read_all(inputs)
        pending = {building.partition.name: building.finish() for building in work.left()} | work.finished
        done = {name: future.result() for name, future in pending.items()}
    finally:
        background.close()
    refused = sorted(work.refused.values(), key=lambda one: (one.key, one.sha256))
    return ConformOutcome([done[one.name] for one in partitions], refused)


def _buildings(
    partitions: Sequence[Partition], inputs: Sequence[InputObject], workdir: Path, background: Background
) -> list[Building]:
    distinct = {identity(one): one for one in inputs}.values()
    series: dict[tuple[str, str], list[InputObject]] = {}
    for one in distinct:
        series.setdefault((one.object.symbol, one.object.interval), []).append(one)
    return [
        Building(
            partition,
            [one for one in series.get(_series(partition), []) if covers(one.object, partition)],
            workdir,
            background,
        )
        for partition in sorted(partitions, key=lambda one: one.name)
    ]


def _series(partition: Partition) -> tuple[str, str]:
    return partition.symbol, str(partition.interval or "")


@dataclass(slots=True)
class _Work:
    dataset: Dataset
    settings: ConformSettings
    buildings: list[Building]
    progress: Progress | None
    refused: dict[str, RefusedInput] = field(default_factory=dict)
    finished: dict[str, Future[ConformedPartition]] = field(default_factory=dict)
    _covered: dict[str, list[Building]] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)
    _read: int = 0
    _total: int = 0

    def __post_init__(self) -> None:
        for building in self.buildings:
            self._waiting[building.partition.name] = len(building.covering)
            for one in building.covering:
                self._covered.setdefault(identity(one), []).append(building)

    @property
    def bounds(self) -> ZipBounds:
        return zip_bounds(self.settings)

    def left(self) -> list[Building]:
        """Returns what was not finished while reading: partitions that nothing covers."""
        return [one for one in self.buildings if one.partition.name not in self.finished]

    def read_all(self, inputs: Sequence[InputObject]) -> None:
        """Reads every input that covers a partition, once, and finishes partitions as soon as they have all theirs."""
        distinct = {identity(one): one for one in inputs if identity(one) in self._covered}
        ordered = sorted(distinct.values(), key=_reading_order)
        self._total = len(ordered)
        batch: list[Whole] = []
        size = 0
        with ReadAhead(ordered, self.dataset, self.bounds) as ahead:
            for one, found in ahead:
                if isinstance(found, Block) and (not batch or _alike(batch[-1][1], found)) and size < BATCH_BYTES:
                    batch.append((one, found))
                    size += len(found.data)
                    continue
                self._take_batch(batch)
                batch, size = ([(one, found)], len(found.data)) if isinstance(found, Block) else ([], 0)
                if isinstance(found, LakehouseError):
                    self._refuse(one, found)
                    self._done([one])
                elif found is None:
                    self._stream(one)
            self._take_batch(batch)

    def _take_batch(self, batch: list[Whole]) -> None:
        if not batch:
            return
        try:
            self._route(self._checked(batch))
        except LakehouseError as error:
            if len(batch) > 1:
                # Someone in the batch is at fault: each alone says who, and the others go on.
                for one in batch:
                    self._take_batch([one])
                return
            self._refuse(batch[0][0], error)
        self._done([one for one, _ in batch])

    def _checked(self, batch: list[Whole]) -> CheckedRows:
        sniffed = batch[0][1].sniffed
        segments = tuple(Segment(one, block.data.count(b"\n")) for one, block in batch)
        for segment in segments:
            self._check_rows(segment.rows)
        data = batch[0][1].data if len(batch) == 1 else b"".join(block.data for _, block in batch)
        shape = SourceShape(self.dataset, sniffed.layout)
        shaped = shape_rows(parse_block(data, shape, batch[0][1].first_line), shape, segments)
        return CheckedRows(shaped.frame, segments, shaped.units, sniffed)

    def _check_rows(self, rows: int) -> None:
        if rows > self.settings.max_rows:
            raise ContentRefused(f"{rows} rows, at most are {self.settings.max_rows}", "See conform.max_rows")

    def _route(self, checked: CheckedRows) -> None:
        for rows in split_by_series(checked):
            covered = {id(one): one for segment in rows.segments for one in self._covered[identity(segment.input)]}
            route_whole(rows, self.dataset, list(covered.values()))
            for segment in rows.segments:
                if not segment.rows:
                    self._note_header(segment.input, rows)

    def _note_header(self, one: InputObject, rows: CheckedRows) -> None:
        for building in self._covered[identity(one)]:
            building.contribution(one).has_header = rows.sniffed.has_header

    def _stream(self, one: InputObject) -> None:
        try:
            self._take_blocks(one)
        except LakehouseError as error:
            self._refuse(one, error)
        self._done([one])

    def _take_blocks(self, one: InputObject) -> None:
        covered, unit, rows = self._covered[identity(one)], "", 0
        blocks = stream_blocks(one, self.dataset, self.bounds)
        try:
            for block in blocks:
                shape = SourceShape(self.dataset, block.sniffed.layout)
                frame = parse_block(block.data, shape, block.first_line)
                rows += frame.height
                self._check_rows(rows)
                segments = (Segment(one, frame.height),)
                shaped = shape_rows(frame, shape, segments)
                if unit and shaped.units[0] not in {unit, ""}:
                    raise ContentRefused(f"time stamps in {unit} and then in {shaped.units[0]} in one file")
                unit = unit or shaped.units[0]
                route_streamed(CheckedRows(shaped.frame, segments, shaped.units, block.sniffed), self.dataset, covered)
        finally:
            blocks.close()

    def _refuse(self, one: InputObject, error: LakehouseError) -> None:
        record = one.refused(error)
        self.refused[identity(one)] = record
        for building in self._covered[identity(one)]:
            building.refuse(one, record)

    def _done(self, inputs: list[InputObject]) -> None:
        for one in inputs:
            self._read += 1
            for building in self._covered[identity(one)]:
                name = building.partition.name
                self._waiting[name] -= 1
                if not self._waiting[name]:
                    self.finished[name] = building.finish()
        if self.progress is not None:
            self.progress("files", self._read, self._total)


def _reading_order(one: InputObject) -> tuple[str, str, object, str, str]:
    held = one.object
    # By series and day, so that partitions fill up one after the other; the version last, for a total order.
    return held.symbol, held.interval, held.start, held.key, held.sha256


def _alike(first: Block, second: Block) -> bool:
    return first.sniffed.layout is second.sniffed.layout and first.sniffed.has_header is second.sniffed.has_header
