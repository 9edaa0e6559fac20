"""The table of checks: one row per check, with its fact, its texts, and the expression that computes the fact.

A fact counts what is wrong in a partition, and is 0 in a correct one. An expression counts over a block of sorted rows.
A block starts with the last row of the block before, so that neighbours are compared across blocks too. The column
`IS_NEW` marks the rows that count. The counts of all blocks add up to the count of the partition: memory is limited
by the size of a block.

The module loads no engine when it is imported: the data dictionary is made from the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.silver.row_rules import ROW_RULES
from crypto_lakehouse.spec import Check, Expectation
from crypto_lakehouse.vocabulary import HoleKind

if TYPE_CHECKING:
    import polars as pl

IS_NEW = "__is_new"
"""The column that is true for the rows of a block, and false for the row before the block."""

_FUNDING_HOURS = (1, 2, 4, 8)
_FUNDING_WORDS = "1, 2, 4 or 8 hours apart"

CountExpression = Callable[[Partition, Expectation], "pl.Expr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDefinition:
    """One row of the table.

    In both texts, `{columns}` and `{limit:g}` stand for the columns and the limit of the expectation.

    Args:
        check: The check.
        fact: Name of the fact that counts what is wrong.
        requirement: What a sound partition fulfils, for the data dictionary.
        sentence: What is wrong when the fact is not 0, with the facts of the partition as further fields.
        count: Returns the expression that counts what is wrong in a block of rows. None where the fact needs all
            times of the partition: `profile` collects these.
        hole_kind: The kind of hole that the check finds.
    """

    check: Check
    fact: str
    requirement: str
    sentence: str
    count: CountExpression | None = None
    hole_kind: HoleKind | None = None

    def requirement_of(self, expectation: Expectation) -> str:
        """Returns the requirement of an expectation as Markdown."""
        columns = ", ".join(f"`{column}`" for column in expectation.columns)
        return self.requirement.format(columns=columns, limit=expectation.limit)


def null_count(partition: Partition) -> "pl.Expr":
    """Returns the number of rows that have a null in a column that must not be null."""
    import polars as pl

    required = [column.name for column in partition.table.columns if not column.nullable]
    return _count(pl.any_horizontal(pl.col(required).is_null()))


def _count(condition: "pl.Expr") -> "pl.Expr":
    import polars as pl

    return (condition & pl.col(IS_NEW)).sum()


def _columns(names: Sequence[str]) -> "list[pl.Expr]":
    import polars as pl

    return [pl.col(name) for name in names]


def _repeated_keys(partition: Partition, _: Expectation) -> "pl.Expr":
    import polars as pl

    return _count(pl.all_horizontal([key.eq_missing(key.shift()) for key in _columns(partition.table.key)]))


def _times_out_of_order(partition: Partition, _: Expectation) -> "pl.Expr":
    import polars as pl

    return _count(pl.col(partition.table.event_time).diff() < pl.duration())


def _outside_partition(partition: Partition, _: Expectation) -> "pl.Expr":
    [time] = _columns([partition.table.event_time])
    return _count((time < partition.start) | (time >= partition.end))


def _wrong_close_times(partition: Partition, _: Expectation) -> "pl.Expr":
    open_time, close_time = _columns(["open_time", "close_time"])
    step = partition.interval.microseconds if partition.interval else None
    next_open = open_time.dt.offset_by("1mo" if step is None else f"{step}us")
    # A close time is inclusive: one unit, a millisecond or a microsecond, before the next open time.
    return _count(~(next_open - close_time).dt.total_microseconds().is_in([1, 1000]))


def _breaking_rows(_: Partition, expectation: Expectation) -> "pl.Expr":
    return _count(ROW_RULES[expectation.check].is_wrong(expectation).fill_null(value=False))


def _not_increasing(_: Partition, expectation: Expectation) -> "pl.Expr":
    return _count(_columns(expectation.columns)[0].diff() <= 0)


def _price_spikes(partition: Partition, expectation: Expectation) -> "pl.Expr":
    import polars as pl

    price = pl.col(expectation.columns[0]).cast(pl.Float64)
    ratio = price / price.shift()
    spikes = (ratio > expectation.limit) | (ratio < 1 / expectation.limit)
    if {"high", "low"} <= {column.name for column in partition.table.columns}:
        high, low = pl.col("high").cast(pl.Float64), pl.col("low").cast(pl.Float64)
        spikes = spikes | (high > low * expectation.limit)
    return _count(spikes.fill_null(value=False))


def _off_boundary(_: Partition, expectation: Expectation) -> "pl.Expr":
    time, boundary = _columns(expectation.columns)
    return _count((time - boundary).dt.total_microseconds().abs() > expectation.limit * 1_000_000)


def _unknown_funding_interval(_: Partition, expectation: Expectation) -> "pl.Expr":
    return _count(~_columns(expectation.columns)[0].is_in(list(_FUNDING_HOURS)))


_ROWS = (
    CheckDefinition(
        check=Check.KEY_UNIQUE,
        fact="key_duplicates",
        requirement="no two rows share the key",
        sentence="{key_duplicates} of {rows} rows repeat a key",
        count=_repeated_keys,
    ),
    CheckDefinition(
        check=Check.TIME_ORDERED,
        fact="order_violations",
        requirement="rows are in order of the event time",
        sentence="{order_violations} rows are older than the row before",
        count=_times_out_of_order,
    ),
    CheckDefinition(
        check=Check.WITHIN_PARTITION,
        fact="rows_outside_partition",
        requirement="every row lies within the days of the partition",
        sentence="{rows_outside_partition} rows lie outside the days of the partition",
        count=_outside_partition,
    ),
    CheckDefinition(
        check=Check.GRID_COMPLETE,
        fact="grid_missing",
        requirement="no expected time is missing on the days that the source files cover",
        sentence="{grid_missing} of {grid_expected} expected times are missing, the first {grid_first_missing}, "
        "at most {grid_longest_hole} in a row",
        hole_kind=HoleKind.GRID,
    ),
    CheckDefinition(
        check=Check.ON_GRID,
        fact="rows_off_grid",
        requirement="every open time is on the grid of the interval",
        sentence="{rows_off_grid} of {rows} rows are not on the grid of the interval",
    ),
    CheckDefinition(
        check=Check.CLOSE_TIME,
        fact="close_times_wrong",
        requirement="every close time is the next open time minus one unit of the source",
        sentence="{close_times_wrong} close times are not the next open time minus one unit",
        count=_wrong_close_times,
    ),
    CheckDefinition(
        check=Check.OHLC_ORDERED,
        fact="ohlc_violations",
        requirement="high is the highest and low the lowest of {columns}",
        sentence="{ohlc_violations} rows have a high or low that open or close exceeds",
        count=_breaking_rows,
    ),
    CheckDefinition(
        check=Check.PRICES_POSITIVE,
        fact="prices_not_positive",
        requirement="{columns} above zero",
        sentence="{prices_not_positive} rows have a price that is not positive",
        count=_breaking_rows,
    ),
    CheckDefinition(
        check=Check.QUANTITIES_NOT_NEGATIVE,
        fact="quantities_negative",
        requirement="{columns} not negative",
        sentence="{quantities_negative} rows have a negative quantity",
        count=_breaking_rows,
    ),
    CheckDefinition(
        check=Check.TAKER_WITHIN_TOTAL,
        fact="taker_above_total",
        requirement="taker volume does not exceed the volume ({columns})",
        sentence="{taker_above_total} rows have more taker volume than volume",
        count=_breaking_rows,
    ),
    CheckDefinition(
        check=Check.IDS_CONTIGUOUS,
        fact="ids_missing",
        requirement="{columns} without holes",
        sentence="{ids_missing} identifiers are missing between {rows} rows",
        hole_kind=HoleKind.IDS,
    ),
    CheckDefinition(
        check=Check.IDS_INCREASING,
        fact="ids_not_increasing",
        requirement="{columns} always increasing",
        sentence="{ids_not_increasing} identifiers do not increase",
        count=_not_increasing,
    ),
    CheckDefinition(
        check=Check.NO_PRICE_SPIKE,
        fact="price_spikes",
        requirement="{columns} never moves by more than a factor of {limit:g} from one row to the next",
        sentence="{price_spikes} prices moved by more than a factor of {limit:g} at once",
        count=_price_spikes,
    ),
    CheckDefinition(
        check=Check.NOT_STALE,
        fact="hours_stale",
        requirement="no hour in which {columns} stand still",
        sentence="{hours_stale} hours and bands stand still, the first {hours_first_stale}",
    ),
    CheckDefinition(
        check=Check.HOURS_COVERED,
        fact="hours_missing",
        requirement="every hour of the covered days has rows",
        sentence="{hours_missing} hours have no rows, the first {hours_first_missing}",
        hole_kind=HoleKind.HOURS,
    ),
    CheckDefinition(
        check=Check.NO_PAUSE,
        fact="pauses",
        requirement="no two neighbouring rows are more than {limit:g} s apart on the days that the source files cover",
        sentence="{pauses} pauses are longer than {limit:g} s, the first from {distances_first}",
        hole_kind=HoleKind.PAUSE,
    ),
    CheckDefinition(
        check=Check.PAYMENTS_COMPLETE,
        fact="payments_missing",
        requirement="no payment is missing between two payments, by the hours of {columns}",
        sentence="{payments_missing} payments are missing, the first at {distances_first}",
        hole_kind=HoleKind.PAYMENTS,
    ),
    CheckDefinition(
        check=Check.SPREAD_NOT_NEGATIVE,
        fact="spreads_crossed",
        requirement="the best bid is not above the best ask",
        sentence="{spreads_crossed} best bids are above the best ask",
        count=_breaking_rows,
    ),
    CheckDefinition(
        check=Check.FUNDING_ON_BOUNDARY,
        fact="fundings_off_boundary",
        requirement="every payment is within {limit:g} s of an hour",
        sentence="{fundings_off_boundary} fundings are more than {limit:g} s from the hour",
        count=_off_boundary,
    ),
    CheckDefinition(
        check=Check.FUNDING_INTERVAL_KNOWN,
        fact="funding_intervals_unknown",
        requirement=f"payments are {_FUNDING_WORDS}",
        sentence=f"{{funding_intervals_unknown}} fundings are not {_FUNDING_WORDS}",
        count=_unknown_funding_interval,
    ),
)

CHECKS: Mapping[Check, CheckDefinition] = MappingProxyType({row.check: row for row in _ROWS})
"""Every check with its row."""
