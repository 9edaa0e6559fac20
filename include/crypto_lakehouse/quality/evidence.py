"""What is known of partitions beyond their files: lifetimes, the start of three-day candles, refused objects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from crypto_lakehouse.archive.lifetimes import listed_lifetimes
from crypto_lakehouse.archive.listing import FolderDays
from crypto_lakehouse.coverage.grid import DAY_US, HOUR_US, learned_anchor
from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME, Bounds, Lifetime
from crypto_lakehouse.coverage.lifetimes import LifetimeLog, Series
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.row_times import NO_EVIDENCE, SeriesEvidence
from crypto_lakehouse.instants import microseconds, midnight
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.instruments.naming import parse_symbol
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, RefusedInput
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import Exchange, Interval

DELIVERY_HOUR = 8
"""Delivery contracts end at 08:00 UTC of the day in their name."""


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


def known_lifetimes(
    storage: Storage, dataset: Dataset, folders: Iterable[FolderDays], today: date
) -> dict[Series, Lifetime]:
    """Returns what is known of the start and the end of series, by symbol and interval.

    The name of a delivery contract and the instrument master know the end better than the listing. The listing knows
    the start better: types of data began at different times.

    Args:
        storage: The lake.
        dataset: The dataset.
        folders: The days of the listed folders.
        today: The day, UTC.
    """
    days_of = list(folders)
    former, listed = LifetimeLog(storage, dataset.name).read(), listed_lifetimes(days_of, today)
    seen = {(days.folder.symbol, str(days.folder.interval or "")) for days in days_of}
    series = seen | former.keys()
    traded = _instrument_lifetimes(storage, dataset, {symbol for symbol, _ in series})
    lifetimes = {}
    for key in series:
        before, now = former.get(key, UNKNOWN_LIFETIME), listed.get(key, UNKNOWN_LIFETIME)
        instrument = traded.get(key[0], UNKNOWN_LIFETIME)
        # A listing of later days does not show the start again. The end that it shows replaces what was there before.
        ends = now.ends if key in seen else before.ends
        lifetimes[key] = Lifetime(now.starts or before.starts or instrument.starts, instrument.ends or ends)
    return lifetimes


def _instrument_lifetimes(storage: Storage, dataset: Dataset, symbols: Iterable[str]) -> dict[str, Lifetime]:
    """Returns the lifetimes of symbols by the instrument master, and by the names of delivery contracts."""
    lifetimes: dict[str, Lifetime] = {}
    if dataset.exchange is Exchange.BINANCE:
        master = InstrumentLog(storage).latest(dataset.market)
        spans = master.group_by("symbol").agg(
            pl.col("valid_from").min(), pl.when(pl.col("valid_to").null_count() == 0).then(pl.col("valid_to").max())
        )
        for symbol, first, last in spans.iter_rows():
            lifetimes[symbol] = Lifetime(_on(first) if first else None, _on(last) if last else None)
    for symbol in symbols:
        day = parse_symbol(dataset.market, symbol).delivery_day
        if day is not None:
            start = lifetimes.get(symbol, UNKNOWN_LIFETIME).starts
            lifetimes[symbol] = Lifetime(start, (_on(day)[0] + DELIVERY_HOUR * HOUR_US, _on(day)[1]))
    return lifetimes


def _on(day: date) -> Bounds:
    start = microseconds(midnight(day))
    return start, start + DAY_US


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
