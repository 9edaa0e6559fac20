"""Partitions that conform made of synthetic rows, for tests of the gate."""

from datetime import date
from pathlib import Path

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.lake.partition import Partition, span_start
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import ConformedPartition, conform
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import input_at

DAY = date(2024, 1, 10)


def made(dataset: Dataset, folder: Path, day: date = DAY) -> ConformedPartition:
    """Returns a conformed day, or month, of synthetic rows."""
    monthly = dataset.frequencies == (Frequency.MONTHLY,)
    interval = Interval.M1 if dataset.has_interval else None
    key = ArchiveKey(
        dataset,
        Frequency.MONTHLY if monthly else Frequency.DAILY,
        dataset.sample_symbol,
        interval,
        day.replace(day=1) if monthly else day,
    )
    path = write_object(folder / "archive", key, synthetic_csv(key))
    partition = Partition(dataset, key.symbol, span_start(dataset.span_of(interval), day), interval)
    work = folder / "work"
    work.mkdir()
    return conform(dataset, [partition], [input_at(key, path)], work, ConformSettings()).partitions[0]


def candidate_of(conformed: ConformedPartition) -> Candidate:
    """Returns a candidate of a conformed partition; it lies nowhere."""
    return Candidate(
        dataset=conformed.partition.dataset.name,
        partition=conformed.partition.name,
        location="",
        file="",
        sha256=conformed.sha256,
        bytes=0,
        rows=conformed.rows,
        inputs_digest=conformed.manifest.inputs_digest,
        first_time=conformed.first_time,
        last_time=conformed.last_time,
    )
