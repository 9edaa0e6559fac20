"""The coverage that publishing appends: the evidence of published partitions, and the days of unreadable ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from crypto_lakehouse.coverage.log import CoverageFrames, read_frames
from crypto_lakehouse.coverage.records import DayCoverage, PartitionVersion
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition, DayCondition


def published_coverage(storage: Storage, folder: str, verdicts: Sequence[Verdict]) -> CoverageFrames:
    """Returns the coverage that the gate left in a folder, of the partitions that their verdicts let readers see.

    Args:
        storage: The lake.
        folder: Where the gate left its evidence; empty where it judged nothing.
        verdicts: The verdicts of the gate.

    Raises:
        ArchiveFileMissing: The evidence is not there.
    """
    if not folder:
        return CoverageFrames.of()
    frames = read_frames(storage, folder)
    published = frames.of_partitions(
        verdict.candidate.partition for verdict in verdicts if verdict.condition.is_published
    )
    # Refused rows of a partition without a file are all that is known of it.
    without_file = [verdict.candidate.partition for verdict in verdicts if not verdict.candidate.file]
    refused = frames.refused_rows.filter(pl.col("partition").is_in(without_file))
    return replace(published, refused_rows=pl.concat([published.refused_rows, refused]))


def unreadable_days(
    dataset: Dataset, verdicts: Sequence[Verdict], objects: Mapping[str, Sequence[BronzeObject]]
) -> Iterator[DayCoverage]:
    """Yields the days of partitions that readers cannot see, where Bronze has objects of the days.

    Args:
        dataset: The dataset of the partitions.
        verdicts: Why each partition is not readable.
        objects: What Bronze holds, by partition name.
    """
    for verdict in verdicts:
        partition = Partition.parse(dataset, verdict.candidate.partition)
        expected = dataset.rows_per_day(partition.interval)
        # Where no number of rows is expected, an object without rows is sound.
        is_sound = verdict.condition is Condition.EMPTY and expected is None
        sources_by_day = _sources_by_day(partition, objects.get(partition.name, ()))
        for day, sources in sorted(sources_by_day.items()):
            yield DayCoverage(
                partition_version=PartitionVersion.of(partition, ""),
                day=day,
                condition=DayCondition.AVAILABLE if is_sound else DayCondition.MISSING,
                reason=_reason(verdict),
                rows=0,
                expected=expected,
                missing=expected,
                sources=", ".join(sources),
            )


def _reason(verdict: Verdict) -> str:
    if verdict.condition is Condition.EMPTY:
        return "its objects have no rows in the partition"
    return f"quarantined: {'; '.join(verdict.reasons)}"


def _sources_by_day(partition: Partition, objects: Sequence[BronzeObject]) -> dict[date, list[str]]:
    """Returns the sources of each day that an object covers, best first."""
    sources_by_day: dict[date, list[str]] = {}
    for bronze_object in sorted(objects, key=lambda bronze_object: bronze_object.source.rank):
        day = max(bronze_object.first_day, partition.first_day)
        while day <= min(bronze_object.last_day, partition.last_day):
            sources = sources_by_day.setdefault(day, [])
            if bronze_object.source.value not in sources:
                sources.append(bronze_object.source.value)
            day += timedelta(days=1)
    return sources_by_day
