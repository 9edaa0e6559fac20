"""The profile: one row of exact facts about a Silver partition, computed in one bounded pass over its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crypto_lakehouse.coverage.cover import Cover
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.quality.facts import IS_NEW, Fact, row_facts
from crypto_lakehouse.vocabulary import ChecksumStatus, MergeStrategy

Profile = dict[str, Any]
"""Fact names to values; every fact that counts faults is 0 in a sound partition."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The facts of a partition, and what was collected of its times."""

    facts: Profile
    cover: Cover


def profile(file: Path, partition: Partition, manifest: Manifest) -> Profile:
    """Returns the facts of a partition; see `examine`.

    Raises:
        CorruptObject: The file cannot be read.
    """
    return examine(file, partition, manifest).facts


def examine(file: Path, partition: Partition, manifest: Manifest) -> Examined:
    """Returns what one pass over a partition's file finds.

    Args:
        file: Its Silver file.
        partition: What the file should hold.
        manifest: The file's manifest.

    Raises:
        CorruptObject: The file cannot be read, or a page's checksum does not fit.
    """
    facts = row_facts(partition)
    cover = Cover(partition, manifest.covered)
    totals: Profile = {fact.name: 0 for fact in facts}
    rows, tail = 0, None
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as source:
            for group in range(source.num_row_groups):
                stretch = _frame(source.read_row_group(group))
                rows += stretch.height
                cover.add(stretch)
                _merge(totals, facts, _with_previous(stretch, tail))
                tail = stretch.tail(1)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptObject(
            f"{file.name} cannot be read back: {error}", "Rebuild it", partition=partition.name
        ) from error
    found = {"partition": partition.name, "rows": rows, **totals}
    return Examined({**found, **cover.facts(), **_manifest_facts(manifest, partition, rows)}, cover)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a row group is a table")
    return frame


def _with_previous(stretch: pl.DataFrame, tail: pl.DataFrame | None) -> pl.DataFrame:
    marked = stretch.with_columns(pl.lit(True).alias(IS_NEW))
    return marked if tail is None else pl.concat([tail.with_columns(pl.lit(False).alias(IS_NEW)), marked])


def _merge(totals: Profile, facts: list[Fact], rows: pl.DataFrame) -> None:
    values = rows.select(fact.expression.alias(str(number)) for number, fact in enumerate(facts)).row(0)
    for fact, value in zip(facts, values, strict=True):
        known = totals[fact.name]
        totals[fact.name] = max(known, value or 0) if fact.is_maximum else known + (value or 0)


def _manifest_facts(manifest: Manifest, partition: Partition, rows: int) -> Profile:
    revised = _revised(manifest) if partition.dataset.merge is not MergeStrategy.REFUSE_ON_CONFLICT else 0
    return {
        "row_difference": abs(rows - manifest.rows_out),
        "rows_in": manifest.rows_in,
        "duplicates": manifest.duplicates,
        "overlaps": manifest.overlaps,
        "conflicts": manifest.conflicts - revised,
        "rows_revised": revised,
        "inversions": manifest.inversions,
        "inputs_refused": len(manifest.refused),
        "inputs_unverified": sum(one.checksum is ChecksumStatus.ABSENT for one in manifest.inputs),
    }


def _revised(manifest: Manifest) -> int:
    """Returns how many rows of a delta the archive replaced by other ones: it is known to be the better source."""
    pairs = [pair for pair in manifest.reconciliations if pair.kept.is_archive and not pair.other.is_archive]
    return sum(pair.different for pair in pairs)
