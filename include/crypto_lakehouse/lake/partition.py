"""A partition: one table, one symbol, one span of time, and the path that names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.marts import table as table_row
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.symbols import symbol_from_key, symbol_key, validated_symbol
from crypto_lakehouse.vocabulary import Interval, PartitionSpan

_FORMATS = {PartitionSpan.DAY: "%Y-%m-%d", PartitionSpan.MONTH: "%Y-%m", PartitionSpan.YEAR: "%Y"}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a table: what is built, gated and published as a whole.

    Args:
        table: The row of the tables of datasets and marts.
        symbol: The raw symbol.
        first_day: First UTC day of its span.
        interval: The kline interval, where the table has intervals.
    """

    table: Table
    symbol: str
    first_day: date
    interval: Interval | None = None

    def __post_init__(self) -> None:
        validated_symbol(self.symbol)
        if self.interval not in (self.table.intervals or (None,)):
            raise InvalidRequest(f"interval {self.interval} is not one of the table's", dataset=self.table.name)
        if self.first_day != span_start(self.span, self.first_day):
            raise InvalidRequest(f"{self.first_day} does not start a {self.span}", dataset=self.table.name)

    @property
    def dataset(self) -> Dataset:
        """Its table where that is a dataset, which has sources.

        Raises:
            TypeError: It is a partition of a mart.
        """
        if not isinstance(self.table, Dataset):
            raise TypeError(f"{self.table.name} is a mart: it has no sources")
        return self.table

    @property
    def span(self) -> PartitionSpan:
        """How much time it covers."""
        return self.table.span_of(self.interval)

    @property
    def values(self) -> dict[str, str]:
        """The hive partition keys with their ASCII-safe values, in path order."""
        pairs = {
            "kline_interval": self.interval,
            "symbol_key": symbol_key(self.symbol),
            self.table.period_key: span_label(self.span, self.first_day),
        }
        return {name: str(pairs[name]) for name in self.table.partition_keys}

    @property
    def name(self) -> str:
        """`kline_interval=1m/symbol_key=BTCUSDT/period=2024-12`: unique within the table."""
        return "/".join(f"{key}={value}" for key, value in self.values.items())

    @property
    def path(self) -> str:
        """The partition's folder in the lake; versions lie below it."""
        return f"{table_folder(self.table)}/{self.name}"

    @property
    def last_day(self) -> date:
        """Last UTC day of its span, inclusive."""
        return next_span_start(self.span, self.first_day) - timedelta(days=1)

    @property
    def start(self) -> datetime:
        """First instant, inclusive, UTC."""
        return midnight(self.first_day)

    @property
    def end(self) -> datetime:
        """First instant after it, UTC."""
        return midnight(next_span_start(self.span, self.first_day))

    @classmethod
    def from_values(cls, table: Table, values: Mapping[str, str]) -> "Partition":
        """Returns the partition with these hive values.

        Raises:
            InvalidRequest: They are not a partition's of this table.
        """
        try:
            interval = Interval(values["kline_interval"]) if table.has_interval else None
            label, span = values[table.period_key], table.span_of(interval)
            first_day = datetime.strptime(label, _FORMATS[span]).replace(tzinfo=UTC).date()
            # strptime takes 2024-1 as well: a second name for the same partition.
            if span_label(span, first_day) != label:
                raise ValueError(label)
            return cls(table, symbol_from_key(values["symbol_key"]), first_day, interval)
        except (KeyError, ValueError) as error:
            raise InvalidRequest(f"{dict(values)} is not a partition of {table.name}") from error

    @classmethod
    def parse(cls, table: Table | str, name: str) -> "Partition":
        """Returns the partition called `name`, as its property `name` spells it.

        >>> Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024").last_day
        datetime.date(2024, 12, 31)

        Raises:
            InvalidRequest: It is no partition of this table.
        """
        row = table_row(table) if isinstance(table, str) else table
        pairs = [part.partition("=") for part in name.split("/")]
        if tuple(key for key, _, _ in pairs) != row.partition_keys:
            raise InvalidRequest(f"{name!r} is not a partition of {row.name}", f"Keys are {row.partition_keys}")
        return cls.from_values(row, {key: value for key, _, value in pairs})


def table_folder(table: Table) -> str:
    """Returns the folder of a table in the lake.

    >>> from crypto_lakehouse.datasets import dataset
    >>> table_folder(dataset("binance_um_metrics"))
    'silver/binance_um_metrics'
    """
    return f"{table.layer}/{table.name}"


def span_start(span: PartitionSpan, day: date) -> date:
    """Returns the first day of the span that holds `day`."""
    if span is PartitionSpan.DAY:
        return day
    return day.replace(day=1) if span is PartitionSpan.MONTH else day.replace(month=1, day=1)


def next_span_start(span: PartitionSpan, day: date) -> date:
    """Returns the first day of the span after the one that holds `day`."""
    longest = {PartitionSpan.DAY: 1, PartitionSpan.MONTH: 31, PartitionSpan.YEAR: 366}[span]
    return span_start(span, span_start(span, day) + timedelta(days=longest))


def span_label(span: PartitionSpan, day: date) -> str:
    """Returns the partition value of the span that holds `day`: `2024-12-31`, `2024-12` or `2024`."""
    return day.isoformat()[: {PartitionSpan.DAY: 10, PartitionSpan.MONTH: 7, PartitionSpan.YEAR: 4}[span]]


def partitions_between(
    table: Table, symbol: str, first_day: date, last_day: date, interval: Interval | None = None
) -> list[Partition]:
    """Returns the partitions that touch the days from `first_day` to `last_day`, both inclusive, in order."""
    span = table.span_of(interval)
    partitions, day = [], span_start(span, first_day)
    while day <= last_day:
        partitions.append(Partition(table, symbol, day, interval))
        day = next_span_start(span, day)
    return partitions
