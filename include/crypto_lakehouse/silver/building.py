"""One partition in the making: which files cover it, the rows they gave, and the file and manifest that come of it."""

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
from crypto_lakehouse.lake.records import Manifest, ManifestInput, RefusedInput, inputs_digest
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.buffers import Run
from crypto_lakehouse.silver.inputs import InputObject, identity, precedence
from crypto_lakehouse.silver.merge import MergeCounts
from crypto_lakehouse.silver.range_merge import merge_runs
from crypto_lakehouse.vocabulary import Source


@dataclass(frozen=True, slots=True)
class ConformedPartition:
    """A partition's new version as a local file, or its manifest alone where no row is left.

    Args:
        sha256: Of the file; empty without one.
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
    """What one file gave to one partition."""

    rows: int = 0
    inversions: int = 0
    unit: str = ""
    has_header: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one partition: `places` are the precedence and row count of each file in them, in order."""

    frame: pl.DataFrame
    places: list[tuple[int, int]]
    is_ordered: bool


@dataclass(slots=True)
class Building:
    """See the module.

    Args:
        covering: All files whose names cover the partition, by precedence.
    """

    partition: Partition
    covering: list[InputObject]
    folder: Path
    background: Background
    refused: dict[str, RefusedInput] = field(default_factory=dict)
    contributions: dict[str, Contribution] = field(default_factory=dict)
    _shared: Run | None = None
    _own: dict[str, Run] = field(default_factory=dict)
    _files: int = 0

    def __post_init__(self) -> None:
        places = precedence(self.partition.dataset, self.covering)
        self.covering = sorted(self.covering, key=lambda one: places[identity(one)])
        self._place = {identity(one): place for place, one in enumerate(self.covering)}

    _place: dict[str, int] = field(init=False, default_factory=dict)

    def place(self, one: InputObject) -> int:
        """Returns a file's precedence here."""
        return self._place[identity(one)]

    def contribution(self, one: InputObject) -> Contribution:
        """Returns the record of what a file gave, to be added to."""
        return self.contributions.setdefault(identity(one), Contribution())

    def append(self, rows: Rows) -> None:
        """Adds rows of files that were checked whole."""
        if self._shared is None:
            self._shared = self._run()
        self._shared.append(rows.frame, rows.places, is_ordered=rows.is_ordered)

    def append_streamed(self, rows: Rows, one: InputObject) -> None:
        """Adds rows of a file that may yet be refused."""
        run = self._own.setdefault(identity(one), self._run())
        run.append(rows.frame, rows.places, is_ordered=rows.is_ordered)

    def rest(self, one: InputObject) -> None:
        """Notes that a streamed file has gone on to other partitions."""
        if identity(one) in self._own:
            self._own[identity(one)].rest()

    def refuse(self, one: InputObject, record: RefusedInput) -> None:
        """Leaves a file out, with all rows it gave."""
        self.refused[identity(one)] = record
        self.contributions.pop(identity(one), None)
        run = self._own.pop(identity(one), None)
        if run is not None:
            run.discard()

    def finish(self) -> "Future[ConformedPartition]":
        """Returns the finished partition to be: its file is ended in the background, after all writes before it."""
        runs = [run for run in (self._shared, *self._own.values()) if run is not None and run.rows]
        if not runs:
            empty = ConformedPartition(self.partition, None, "", self._manifest(MergeCounts(), 0), 0, None, None)
            return self.background.submit(lambda: empty)
        if len(runs) == 1 and runs[0].is_ordered:
            writer, counts, rows = runs[0].writer(), MergeCounts(), runs[0].rows
        else:
            writer, counts, rows = self._merged(runs)
        self._shared, self._own = None, {}
        manifest = self._manifest(counts, rows)
        first = min(run.first_time for run in runs if run.first_time)
        last = max(run.last_time for run in runs if run.last_time)

        def end() -> ConformedPartition:
            return ConformedPartition(self.partition, writer.path, writer.close(manifest), manifest, rows, first, last)

        return self.background.submit(end)

    def _merged(self, runs: Sequence[Run]) -> tuple[PartitionWriter, MergeCounts, int]:
        for run in runs:
            run.close()
        merged = merge_runs(runs, self.covering, self._writers(), self.background)
        self.background.drain()
        for run in runs:
            run.path.unlink(missing_ok=True)
        return merged

    def _writers(self) -> Iterator[PartitionWriter]:
        while True:
            yield PartitionWriter(self._path(), self.partition.dataset, self.partition.symbol)

    def _run(self) -> Run:
        return Run(self.partition, self._path(), self.background)

    def _path(self) -> Path:
        self._files += 1
        name = hashlib.sha256(self.partition.path.encode()).hexdigest()[:20]
        return self.folder / f"{name}-{self._files}.parquet"

    def _manifest(self, counts: MergeCounts, rows: int) -> Manifest:
        accepted = sorted((one for one in self.covering if identity(one) not in self.refused), key=identity)
        given = [(one, self.contribution(one)) for one in accepted]
        return Manifest(
            dataset=self.partition.dataset.name,
            partition=self.partition.name,
            inputs=tuple(_manifest_input(one, gave) for one, gave in given),
            refused=tuple(self.refused[name] for name in sorted(self.refused)),
            inputs_digest=inputs_digest((one.object.key, one.object.sha256) for one in self.covering),
            rows_in=sum(gave.rows for _, gave in given),
            rows_out=rows,
            duplicates=counts.duplicates,
            overlaps=counts.overlaps,
            conflicts=counts.conflicts,
            inversions=sum(gave.inversions for _, gave in given),
            covered=_covered(self.partition, [one for one, gave in given if gave.rows or not _is_delta(one)]),
            reconciliations=counts.reconciliations(),
            conflict_examples=tuple(counts.examples),
            code_version=__version__,
        )


def _manifest_input(one: InputObject, gave: Contribution) -> ManifestInput:
    held = one.object
    return ManifestInput(
        held.key,
        held.sha256,
        held.source,
        held.start.isoformat(),
        held.end.isoformat(),
        held.checksum,
        gave.rows,
        gave.unit,
        gave.has_header,
        gave.inversions,
    )


def _is_delta(one: InputObject) -> bool:
    # An answer without rows says that the exchange has none: nothing is covered by it.
    return one.object.source is Source.REST


def _covered(partition: Partition, inputs: Sequence[InputObject]) -> tuple[tuple[str, str], ...]:
    """Returns the stretches of the partition's span that the inputs cover, with those that touch made one."""
    stretches: list[tuple[datetime, datetime]] = []
    for start, end in sorted((one.object.start, one.object.end) for one in inputs):
        begin, stop = max(start, partition.start), min(end, partition.end)
        if begin >= stop:
            continue
        if stretches and begin <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stop, stretches[-1][1]))
        else:
            stretches.append((begin, stop))
    return tuple((begin.isoformat(), stop.isoformat()) for begin, stop in stretches)
