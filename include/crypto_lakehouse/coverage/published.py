"""The coverage that publishing appends: the evidence of published partitions, and the days of unreadable ones."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from crypto_lakehouse.coverage.identifiers import IDENTIFIED
from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME, Lifetime, bounds_of_days, clipped
from crypto_lakehouse.coverage.log import CoverageFrames, read_frames
from crypto_lakehouse.coverage.records import EMPTY_DAY, DayCoverage, PartitionVersion
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition, DayCondition, Source, Witness


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
    dataset: Dataset,
    verdicts: Sequence[Verdict],
    objects: Mapping[str, Sequence[BronzeObject]],
    lifetimes: Mapping[tuple[str, str], Lifetime],
) -> Iterator[DayCoverage]:
    """Yields the days of partitions that readers cannot see, where Bronze has objects of the days.

    Args:
        dataset: The dataset of the partitions.
        verdicts: Why each partition is not readable.
        objects: What Bronze holds, by partition name.
        lifetimes: What is known of the start and the end of series: days outside are left out.
    """
    for verdict in verdicts:
        partition = Partition.parse(dataset, verdict.candidate.partition)
        expected = dataset.rows_per_day(partition.interval)
        life = lifetimes.get((partition.symbol, str(partition.interval or "")), UNKNOWN_LIFETIME).bounds(None, None)
        for day, sources in sorted(_sources_by_day(partition, objects.get(partition.name, ())).items()):
            if not clipped([bounds_of_days(day, day)], life):
                continue
            is_proven = verdict.condition is Condition.EMPTY and proves_emptiness(dataset, sources)
            yield DayCoverage(
                partition_version=PartitionVersion.of(partition, ""),
                day=day,
                condition=DayCondition.AVAILABLE if is_proven else DayCondition.MISSING,
                reason="" if is_proven else _reason(verdict),
                rows=0,
                expected=expected,
                missing=0 if is_proven else expected,
                sources=", ".join(sources),
            )


def proves_emptiness(dataset: Dataset, sources: Collection[Source]) -> bool:
    """Returns whether sources that cover a day prove by themselves that rows which they do not have never were.

    A daily file proves it where rows are rare, and an answer of the exchange where its endpoint returns rows of any age
    and no grid requires some. Nothing else does: files are known to end in the middle.
    """
    is_rare = dataset.witness is Witness.OBJECT
    if is_rare and Source.ARCHIVE_DAILY in sources:
        return True
    rest = dataset.rest
    returns_all = rest is not None and rest.reach_days is None and rest.reach_rows is None
    return Source.REST in sources and returns_all and (is_rare or dataset.witness in IDENTIFIED)


def _reason(verdict: Verdict) -> str:
    if verdict.condition is Condition.EMPTY:
        return EMPTY_DAY
    return f"quarantined: {'; '.join(verdict.reasons)}"


def _sources_by_day(partition: Partition, objects: Sequence[BronzeObject]) -> dict[date, list[Source]]:
    """Returns the sources of each day that an object covers, best first."""
    sources_by_day: dict[date, list[Source]] = {}
    for bronze_object in sorted(objects, key=lambda bronze_object: bronze_object.source.rank):
        day = max(bronze_object.first_day, partition.first_day)
        while day <= min(bronze_object.last_day, partition.last_day):
            sources = sources_by_day.setdefault(day, [])
            if bronze_object.source not in sources:
                sources.append(bronze_object.source)
            day += timedelta(days=1)
    return sources_by_day
