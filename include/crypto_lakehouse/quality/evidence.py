"""What is known of partitions beyond their files: lifetimes, the start of three-day candles, refused objects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from crypto_lakehouse.coverage.grid import learned_anchor
from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.row_times import NO_EVIDENCE, SeriesEvidence
from crypto_lakehouse.instants import microseconds, midnight
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, RefusedInput
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import Interval


@dataclass(frozen=True, slots=True)
class PartitionEvidence:
    """What is known of a partition beyond its file.

    Args:
        series: What is known of its series.
        refused: The archive objects of its days that never came into Bronze, with reasons.
    """

    series: SeriesEvidence = NO_EVIDENCE
    refused: tuple[RefusedInput, ...] = ()


def partition_evidence(storage: Storage, table: Table, candidates: Sequence[Candidate]) -> dict[str, PartitionEvidence]:
    """Returns the evidence for the partitions of candidates, by the name of the partition; a mart has none.

    Raises:
        LakehouseError: The lake did not answer.
    """
    if not isinstance(table, Dataset):
        return {candidate.partition: PartitionEvidence() for candidate in candidates}
    coverage = CoverageLog(storage, skip_damage=True)
    lifetimes, refusals = LifetimeLog(storage, table.name).read(), BronzeLog(storage).refusals(table.name)
    partitions = [Partition.parse(table, candidate.partition) for candidate in candidates]
    needs_anchor = any(partition.interval is Interval.D3 for partition in partitions)
    candles = coverage.days(table.name).filter(pl.col("kline_interval") == Interval.D3.value) if needs_anchor else None
    evidence = {}
    for partition in partitions:
        lifetime = lifetimes.get((partition.symbol, str(partition.interval or "")), UNKNOWN_LIFETIME)
        series = SeriesEvidence(lifetime, _anchor(partition, candles))
        evidence[partition.name] = PartitionEvidence(series, tuple(_refused(partition, refusals)))
    return evidence


def _anchor(partition: Partition, candles: pl.DataFrame | None) -> int | None:
    """Returns the start of the series' three-day candles that the lake has of other partitions, None without any."""
    if partition.interval is not Interval.D3 or candles is None:
        return None
    others = (pl.col("symbol") == partition.symbol) & (pl.col("partition") != partition.name) & (pl.col("rows") > 0)
    return learned_anchor([microseconds(midnight(day)) for day in candles.filter(others)["day"].sort()])


def _refused(partition: Partition, refusals: Iterable[QuarantinedObject]) -> list[RefusedInput]:
    series = (partition.symbol, str(partition.interval or ""))
    return [
        RefusedInput(each.key, "", each.error, each.reason, each.start.isoformat(), each.end.isoformat())
        for each in refusals
        if (each.symbol, each.interval) == series and each.start and each.end
        if each.start < partition.end and each.end > partition.start
    ]
