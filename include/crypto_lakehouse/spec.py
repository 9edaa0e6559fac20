"""The row types of the tables of datasets and marts, and what is derived from a row. Standard library only."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crypto_lakehouse.endpoints.spec import RestSource
from crypto_lakehouse.errors import SpecificationError
from crypto_lakehouse.expectations import Check, Expectation, RefusalBound
from crypto_lakehouse.vocabulary import (
    DataType,
    Exchange,
    Frequency,
    Interval,
    Layer,
    LogicalType,
    Market,
    MergeStrategy,
    PartitionSpan,
    Witness,
)

DECIMALS = MappingProxyType(
    {
        LogicalType.PRICE: (18, 8),
        LogicalType.QUANTITY: (38, 8),
        LogicalType.RATIO: (38, 18),
        LogicalType.VALUE: (38, 18),
    }
)
"""Precision and scale of the exact number types. A price fits 64 bits; sums and ratios need 128."""


class HeaderRule(StrEnum):
    """Whether files of a layout start with a line of column names."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    ALWAYS = "always"


class Derivation(StrEnum):
    """How a Silver column comes about when it is not one source column typed."""

    OBJECT_SYMBOL = "object_symbol"
    """The partition's symbol, which the path of the source object holds."""
    FUNDING_TIME = "funding_time"
    """calc_time rounded to the nearest hour: the boundary the jittered stamp belongs to."""
    PERIOD_START = "period_start"
    """Start of the five minutes a metrics row describes; the stamp was its end before 2026-06-25."""
    PERIOD_END = "period_end"
    """End of the five minutes a metrics row describes."""
    DATE_AND_HOUR = "date_and_hour"
    """The text columns date and hour as one instant, UTC."""
    STRIKE_EXPIRY = "strike_expiry"
    """The `231027` of a strike written `231027-33000`, as a date."""
    STRIKE_PRICE = "strike_price"
    """The `33000` of a strike written `231027-33000`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        name: Its name.
        type: What its values are.
        unit: The unit of a value: `quote per base`, `base`, `contracts`, `us since epoch`, ...
        meaning: One sentence for the data dictionary.
        source: The archive column that it is typed from, where it is one.
        derivation: How it is derived from what the archive has, where it is.
        formula: How a mart computes it, with the formula's source, where it is a mart's.
        nullable: Whether it is empty in rows that are otherwise sound.
        scale: Decimals of an exact number, where the venue writes more of them than its type has.
    """

    name: str
    type: LogicalType
    unit: str
    meaning: str
    source: str = ""
    derivation: Derivation | None = None
    nullable: bool = False
    formula: str = ""
    scale: int = 0

    def __post_init__(self) -> None:
        if self.scale and self.type not in DECIMALS:
            raise SpecificationError(f"column {self.name} has a scale, but is no exact number")
        if sum((bool(self.source), self.derivation is not None, bool(self.formula))) != 1:
            raise SpecificationError(f"column {self.name} needs one of a source column, a derivation and a formula")

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale of an exact number; None for any other type.

        >>> Column("price", LogicalType.PRICE, "", "", "price").decimal
        (18, 8)
        >>> Column("price", LogicalType.PRICE, "", "", "price", scale=12).decimal
        (38, 12)
        """
        return (38, self.scale) if self.scale else DECIMALS.get(self.type)


@dataclass(frozen=True, slots=True)
class SourceLayout:
    """The columns of a source file, in order, and whether a header line names them.

    Two layouts of one dataset differ in width or in header; a file is matched against all of them by its
    own first line, never by its date.
    """

    columns: tuple[str, ...]
    header: HeaderRule


class TimeEncoding(StrEnum):
    """How the event time is written in a source file."""

    EPOCH = "epoch"
    """An integer, milliseconds or microseconds: one unit per file, decided by magnitude."""
    TEXT = "text"
    """`YYYY-MM-DD HH:MM:SS` without a zone; UTC."""
    DATE_AND_HOUR = "date_and_hour"
    """Two columns, `YYYY-MM-DD` and `HH`; UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the lake in any layer: rows with a key and a time, in partitions behind a gate.

    The catalog, partitions, versions, verdicts, the gate, SQL, the data dictionary and Terraform work on this.

    Args:
        name: Its name, also its DAG and SQL table: `binance_um_agg_trades`.
        layer: The layer it belongs to, and so the folder it lies in.
        columns: Its columns, in order.
        key: The columns that identify a row within a symbol and interval.
        event_time: The column that orders rows and decides the partition.
        span: How much time a partition covers.
        interval_spans: The intervals whose partitions cover another span.
        expectations: The rules of its gate.
        description: One sentence.
        intervals: The kline intervals it has; empty where it has none.
        ended: Its last day, where it gets no more rows.
        sample_symbol: A symbol for examples.
        notes: Further sentences for the data dictionary.
        retired_ids: Field ids of columns that are gone: no other column ever gets them.
        witness: What proves that a time without rows is empty.
    """

    name: str
    layer: Layer
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_time: str
    span: PartitionSpan
    expectations: tuple[Expectation, ...]
    description: str
    intervals: tuple[Interval, ...] = ()
    interval_spans: tuple[tuple[Interval, PartitionSpan], ...] = ()
    ended: date | None = None
    sample_symbol: str = "BTCUSDT"
    notes: tuple[str, ...] = ()
    retired_ids: tuple[int, ...] = ()
    witness: Witness = Witness.INPUTS

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        missing = {*self.key, self.event_time} - set(names)
        if len(set(names)) != len(names) or missing:
            raise SpecificationError(f"{self.name}: columns repeat, or key and event time name {sorted(missing)}")
        reserved = set(names) & {*self.partition_keys, "version"}
        if reserved:
            raise SpecificationError(f"{self.name}: columns have the names of partition keys: {sorted(reserved)}")

    @property
    def has_interval(self) -> bool:
        """Whether its partitions are of one kline interval each."""
        return bool(self.intervals)

    @property
    def period_key(self) -> str:
        """The hive key of a partition's days: `period` where spans differ by interval, else `date`, `month`, `year`."""
        return "period" if self.has_interval else self.span.value

    @property
    def partition_keys(self) -> tuple[str, ...]:
        """The hive keys of a partition, in path order."""
        return (*(("kline_interval",) if self.has_interval else ()), "symbol_key", self.period_key)

    def span_of(self, interval: Interval | None) -> PartitionSpan:
        """Returns how much time a partition of an interval covers.

        >>> from crypto_lakehouse.datasets import dataset
        >>> klines = dataset("binance_spot_klines")
        >>> klines.span_of(Interval.S1).name, klines.span_of(Interval.M1).name
        ('DAY', 'MONTH')
        """
        return next((span for of, span in self.interval_spans if of is interval), self.span)

    def column(self, name: str) -> Column:
        """Returns the column called `name`.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    def rows_per_day(self, interval: Interval | None) -> int | None:
        """Returns how many rows a whole UTC day should have; None where its rows have no fixed distance.

        Klines of more than a day have no row on most days; `coverage.grid` knows on which days they start.

        >>> from crypto_lakehouse.datasets import dataset
        >>> dataset("binance_um_klines").rows_per_day(Interval.H1), dataset("binance_um_metrics").rows_per_day(None)
        (24, 288)
        """
        rule = next((rule for rule in self.expectations if rule.check is Check.GRID_COMPLETE), None)
        if rule is None:
            return None
        step = int(rule.limit * 1_000_000) or (interval.microseconds if interval else None)
        day = Interval.D1.microseconds or 0
        return day // step if step and step <= day else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Table):
    """One row of the first table, a Silver table: all that is known of exchange x market x data type.

    Args:
        exchange: The venue.
        market: The segment of the venue.
        data_type: The kind of record.
        frequencies: The archive trees that exist for it; none where the exchange has no archive of it.
        layouts: Every known shape of its files.
        monthly_only_intervals: Intervals that the archive has in monthly files only.
        time_encoding: How source files write the event time.
        state: Free words about availability.
        merge: Which row is kept when two objects hold the same key.
        both_frequencies: Pull daily and monthly files of the same days, because they are known to disagree.
        day_tolerance_seconds: How far outside its days a source file may hold rows.
        refusal_bound: How many rows that cannot be true an object may have.
        rest: Where its rows can be asked for while the archive does not have them.
    """

    name: str = field(init=False)
    layer: Layer = field(init=False, default=Layer.SILVER)
    exchange: Exchange
    market: Market
    data_type: DataType
    frequencies: tuple[Frequency, ...]
    layouts: tuple[SourceLayout, ...]
    monthly_only_intervals: tuple[Interval, ...] = ()
    time_encoding: TimeEncoding = TimeEncoding.EPOCH
    state: str = "live"
    merge: MergeStrategy = MergeStrategy.ARCHIVE_FIRST
    both_frequencies: bool = False
    day_tolerance_seconds: int = 0
    refusal_bound: RefusalBound = field(default_factory=RefusalBound)
    rest: RestSource | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.exchange}_{self.market}_{self.data_type.slug}")
        # Slots create a new class, which the short form of super does not support.
        Table.__post_init__(self)
        known = {source for layout in self.layouts for source in layout.columns}
        unknown = {column.source for column in self.columns if column.source} - known
        if unknown:
            raise SpecificationError(f"{self.name}: Silver columns read unknown source columns {sorted(unknown)}")
        floats = [column.name for column in self.columns if column.type is LogicalType.FLOAT]
        if self.witness is Witness.INPUTS:
            raise SpecificationError(f"{self.name}: its row does not say what proves that a time without rows is empty")
        if floats:
            raise SpecificationError(f"{self.name}: what a source published is exact, not a float: {floats}")

    def archive_prefix(self, frequency: Frequency) -> str:
        """Returns the archive folder above the symbols, with a trailing slash.

        >>> from crypto_lakehouse.datasets import dataset
        >>> dataset("binance_um_agg_trades").archive_prefix(Frequency.DAILY)
        'data/futures/um/daily/aggTrades/'
        """
        return f"data/{self.market.archive_base}/{frequency}/{self.data_type}/"


@dataclass(frozen=True, slots=True)
class MartInput:
    """A table that a mart reads.

    Args:
        table: The table's name: a dataset, or another mart.
        columns: The columns it reads.
        interval: The kline interval it reads, where the table has intervals.
        lookback_rows: Rows from before a partition's first instant that its own rows depend on, by symbol.
        lookback_days: Days before the partition in which these rows are looked for; older ones are not read.
    """

    table: str
    columns: tuple[str, ...]
    interval: Interval | None = None
    lookback_rows: int = 0
    lookback_days: int = 0

    def __post_init__(self) -> None:
        if bool(self.lookback_rows) != bool(self.lookback_days):
            raise SpecificationError(f"input {self.table}: rows and days of lookback are given together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mart(Table):
    """One row of the second table, a Gold table: a pure function of published partitions.

    Args:
        inputs: What it reads.
        function: Where the function is that makes its rows, as `module:function`. It takes a frame for each input, by
            the input's table name, and returns a frame of the mart's columns; it is loaded where a partition is built.
        available_time: The column that holds when a row could have been known, or later.
        version: Raise it when the function makes other rows from the same inputs: every partition is then rebuilt.
    """

    layer: Layer = field(init=False, default=Layer.GOLD)
    inputs: tuple[MartInput, ...]
    function: str
    available_time: str
    version: int = 1

    def __post_init__(self) -> None:
        Table.__post_init__(self)
        names = [read.table for read in self.inputs]
        if not names or len(set(names)) != len(names):
            raise SpecificationError(f"{self.name}: a mart reads one table or more, each once")
        if self.available_time not in {column.name for column in self.columns}:
            raise SpecificationError(f"{self.name}: it has no column {self.available_time}, its available time")
