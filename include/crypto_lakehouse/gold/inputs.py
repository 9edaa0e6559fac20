"""What a mart's partitions read: published partitions of its inputs, with the lookback before their first instant."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.lake.partition import Partition, partitions_between
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.staleness import Input
from crypto_lakehouse.marts import table
from crypto_lakehouse.spec import Mart, MartInput
from crypto_lakehouse.vocabulary import Interval


@dataclass(frozen=True, slots=True)
class InputVersion:
    """A published version that a mart's partition reads.

    Args:
        read: The input of the mart that it belongs to.
        partition: The partition of the input's table.
        published: The version that readers see.
    """

    read: MartInput
    partition: Partition
    published: PublishedPartition

    @property
    def key(self) -> Input:
        """What names it in the digest of the mart's partition."""
        return Input(f"{self.read.table}/{self.published.partition}", self.published.sha256)


def input_versions(mart: Mart, partitions: Sequence[Partition], catalog: Catalog) -> dict[str, list[InputVersion]]:
    """Returns what each partition of a mart reads now, by the partition's name, in the order of the mart's inputs.

    A partition of which no input has a version within its own days has nothing to read: the lookback alone makes no
    rows.

    Args:
        mart: The mart.
        partitions: Its partitions.
        catalog: The catalog.

    Raises:
        LakehouseError: The catalog did not answer.
    """
    versions: dict[str, list[InputVersion]] = {partition.name: [] for partition in partitions}
    for read in mart.inputs:
        published = _published(read, partitions, catalog)
        for partition in partitions:
            first, last = partition.first_day - timedelta(days=read.lookback_days), partition.last_day
            versions[partition.name] += [
                version
                for version in published[partition.symbol, _interval_of(read, partition)]
                if version.partition.first_day <= last and version.partition.last_day >= first
            ]
    return {
        partition.name: versions[partition.name] if _has_own(partition, versions[partition.name]) else []
        for partition in partitions
    }


def partitions_to_make(
    mart: Mart, symbols: Sequence[str] | None, days: tuple[date, date], catalog: Catalog
) -> list[Partition]:
    """Returns the partitions of a mart that published partitions of its inputs have rows for, in order.

    Args:
        mart: The mart.
        symbols: The symbols; None for all that are published.
        days: First and last UTC day, both inclusive.
        catalog: The catalog.

    Raises:
        LakehouseError: The catalog did not answer.
    """
    first, last = days
    made: dict[str, Partition] = {}
    for read in mart.inputs:
        source = table(read.table)
        for record in catalog.partitions(
            source, symbols=symbols, interval=read.interval, first_day=first, last_day=last
        ):
            partition = Partition.parse(source, record.partition)
            span = max(first, partition.first_day), min(last, partition.last_day)
            for interval in _intervals_of(mart, read, partition):
                for wanted in partitions_between(mart, partition.symbol, *span, interval):
                    made[wanted.name] = wanted
    return sorted(
        made.values(), key=lambda partition: (partition.symbol, partition.interval or "", partition.first_day)
    )


def _intervals_of(mart: Mart, read: MartInput, partition: Partition) -> tuple[Interval | None, ...]:
    """Returns the intervals of the mart that a partition of an input is read for."""
    if not mart.has_interval:
        return (None,)
    own = read.interval is None and partition.interval is not None
    return tuple(interval for interval in mart.intervals if not own or interval is partition.interval)


def _interval_of(read: MartInput, partition: Partition) -> Interval | None:
    """Returns the interval of an input that a partition of the mart reads: the input's own, or the partition's."""
    return (read.interval or partition.interval) if table(read.table).has_interval else None


def _published(
    read: MartInput, partitions: Sequence[Partition], catalog: Catalog
) -> dict[tuple[str, Interval | None], list[InputVersion]]:
    """Returns the published versions of an input that any of the partitions may read, by symbol and interval."""
    versions: dict[tuple[str, Interval | None], list[InputVersion]] = defaultdict(list)
    if not partitions:
        return versions
    source = table(read.table)
    records = catalog.partitions(
        source,
        symbols={partition.symbol for partition in partitions},
        interval=read.interval,
        first_day=min(partition.first_day for partition in partitions) - timedelta(days=read.lookback_days),
        last_day=max(partition.last_day for partition in partitions),
    )
    for record in records:
        partition = Partition.parse(source, record.partition)
        versions[partition.symbol, partition.interval].append(InputVersion(read, partition, record))
    return versions


def _has_own(partition: Partition, versions: Sequence[InputVersion]) -> bool:
    return any(version.partition.last_day >= partition.first_day for version in versions)
