"""Builds a mart's partition: reads what its inputs published, calls the mart's function, and writes the file.

The function is pure. It takes a frame for each input by the name of its table, in order of time. It has the event
time and the columns that the mart's row names. Rows before the partition are the lookback. The function returns the
columns of the mart without the symbol. Rows outside the partition are dropped: a function may compute them on its way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import cast

import polars as pl

from crypto_lakehouse import __version__
from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.gold.inputs import InputVersion
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.partition_file import PartitionWriter
from crypto_lakehouse.lake.records import Manifest, ManifestInput, inputs_digest
from crypto_lakehouse.lake.table_schema import polars_type
from crypto_lakehouse.marts import table
from crypto_lakehouse.spans import Span, clip, union
from crypto_lakehouse.spec import Column, Derivation, Mart, MartInput
from crypto_lakehouse.vocabulary import ChecksumStatus, Source

MartFunction = Callable[[Mapping[str, pl.DataFrame], Partition], pl.DataFrame]
"""Takes the rows of each input, by the name of its table, and the partition; returns the partition's rows."""


@dataclass(frozen=True, slots=True)
class BuiltPartition:
    """A new version of a mart's partition.

    Args:
        partition: The partition.
        file: The local file; None where it has no rows.
        manifest: What it was made from.
        first_time: Earliest event time, UTC.
        last_time: Latest event time, UTC.
    """

    partition: Partition
    file: Path | None
    manifest: Manifest
    first_time: datetime | None
    last_time: datetime | None


def build(
    mart: Mart, partition: Partition, versions: Sequence[tuple[InputVersion, Path]], folder: Path
) -> BuiltPartition:
    """Builds one partition. Its memory is bounded by the rows of the partition and of the lookback.

    Args:
        mart: The mart.
        partition: Its partition.
        versions: What it reads, each with a local path of its file.
        folder: Where the file is written.

    Raises:
        ContentRefused: The function returned other columns or types than the mart has.
        CorruptObject: A file of an input cannot be read.
    """
    frames = {
        read.table: _rows(read, partition, [path for version, path in versions if version.read is read])
        for read in mart.inputs
    }
    rows = _checked(mart, partition, _function(mart)(frames, partition))
    manifest = _manifest(partition, versions, sum(frame.height for frame in frames.values()), rows.height)
    if rows.is_empty():
        return BuiltPartition(partition, None, manifest, None, None)
    writer = PartitionWriter(folder / f"{partition.symbol}-{partition.first_day}.parquet", mart, partition.symbol)
    writer.append(rows)
    writer.close(manifest)
    times = rows[mart.event_time]
    return BuiltPartition(partition, writer.path, manifest, times[0], times[-1])


def _function(mart: Mart) -> MartFunction:
    module, _, name = mart.function.partition(":")
    return cast("MartFunction", getattr(import_module(module), name))


def _rows(read: MartInput, partition: Partition, paths: Sequence[Path]) -> pl.DataFrame:
    """Returns the rows of an input within the partition, after its lookback."""
    source = table(read.table)
    time = pl.col(source.event_time)
    names = list(dict.fromkeys((source.event_time, *read.columns)))
    if not paths:
        return pl.DataFrame(schema={name: polars_type(source.column(name)) for name in names})
    earliest = partition.start - timedelta(days=read.lookback_days)
    within = (
        pl.scan_parquet(list(paths), glob=False, hive_partitioning=False)
        .filter(time >= earliest, time < partition.end)
        .select(names)
    )
    rows = within.collect().sort(source.event_time, maintain_order=True)
    before = rows.filter(time < partition.start).height
    return rows.slice(max(0, before - read.lookback_rows))


def _checked(mart: Mart, partition: Partition, rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows within the partition, sorted, in the order of the mart's columns.

    Raises:
        ContentRefused: They have other columns or types than the mart.
    """
    columns = [column for column in mart.columns if column.derivation is not Derivation.OBJECT_SYMBOL]
    wanted = {column.name: polars_type(column) for column in columns}
    different = sorted(set(wanted.items()) ^ set(rows.schema.items()), key=str)
    if different:
        name, kind = different[0]
        raise ContentRefused(
            f"{mart.function} and the mart's row differ in {len(different)} columns or types, such as {name} {kind}",
            "Correct the function or the row of the mart",
            dataset=mart.name,
            partition=partition.name,
        )
    time = pl.col(mart.event_time)
    within = rows.filter(time >= partition.start, time < partition.end)
    return within.select(*wanted).sort(mart.event_time, *_key_columns(mart, columns))


def _key_columns(mart: Mart, columns: Sequence[Column]) -> list[str]:
    names = {column.name for column in columns}
    return [name for name in mart.key if name in names and name != mart.event_time]


def _manifest(
    partition: Partition, versions: Sequence[tuple[InputVersion, Path]], rows_in: int, rows_out: int
) -> Manifest:
    inputs = [(version, read_manifest(path)) for version, path in versions]
    return Manifest(
        dataset=partition.table.name,
        partition=partition.name,
        inputs=tuple(_manifest_input(version) for version, _ in inputs),
        refused=(),
        inputs_digest=inputs_digest(partition.table, (version.key for version, _ in inputs)),
        rows_in=rows_in,
        rows_out=rows_out,
        duplicates=0,
        overlaps=0,
        conflicts=0,
        inversions=0,
        covered=_covered(partition, inputs),
        code_version=__version__,
    )


def _manifest_input(version: InputVersion) -> ManifestInput:
    return ManifestInput(
        key=version.key.key,
        sha256=version.key.sha256,
        source=Source.PUBLISHED,
        start=version.partition.start.isoformat(),
        end=version.partition.end.isoformat(),
        checksum=ChecksumStatus.VERIFIED,
        rows=version.published.rows,
        unit="",
        header=False,
        inversions=0,
    )


def _covered(partition: Partition, inputs: Sequence[tuple[InputVersion, Manifest]]) -> tuple[tuple[str, str], ...]:
    """Returns the spans of the partition that every input covers."""
    covered = [Span(partition.start, partition.end)]
    for read in dict.fromkeys(version.read for version, _ in inputs):
        manifests = (manifest for version, manifest in inputs if version.read is read)
        spans = union(Span.from_iso(*pair) for manifest in manifests for pair in manifest.covered)
        covered = [part for span in spans for part in clip(covered, span)]
    return tuple((span.start.isoformat(), span.end.isoformat()) for span in covered)
