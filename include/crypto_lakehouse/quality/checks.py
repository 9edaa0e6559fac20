"""The table of checks: one row per check, with its fact, its texts, and the expression that computes the fact.

A fact counts what is wrong in a partition, and is 0 in a correct one. An expression counts over a block of sorted rows.
A block starts with the last row of the block before, so that neighbours are compared across blocks too. The column
`counts.IS_NEW` marks the rows that count. The counts of all blocks add up to the count of the partition, so memory is
limited by the size of a block.

The module loads no engine when it is imported: the data dictionary is made from the same rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.quality import counts
from crypto_lakehouse.vocabulary import HoleKind

if TYPE_CHECKING:
    import polars as pl

_FUNDING_WORDS = "1, 2, 4 or 8 hours apart"

CountExpression = Callable[[Partition, Expectation], "pl.Expr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDefinition:
    """One row of the table.

    In both texts, `{columns}` and `{limit:g}` stand for the columns and the limit of the expectation, and `{words}` in
    the requirement for its words.

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
        words = ", ".join(f"`{word}`" for word in expectation.words)
        return self.requirement.format(columns=columns, limit=expectation.limit, words=words)


_ROWS = (
    CheckDefinition(
        check=Check.KEY_UNIQUE,
        fact="key_duplicates",
        requirement="no two rows share the key",
        sentence="{key_duplicates} of {rows} rows repeat a key",
        count=counts.repeated_keys,
    ),
    CheckDefinition(
        check=Check.TIME_ORDERED,
        fact="order_violations",
        requirement="rows are in order of the event time",
        sentence="{order_violations} rows are older than the row before",
        count=counts.times_out_of_order,
    ),
    CheckDefinition(
        check=Check.WITHIN_PARTITION,
        fact="rows_outside_partition",
        requirement="every row lies within the days of the partition",
        sentence="{rows_outside_partition} rows lie outside the days of the partition",
        count=counts.outside_partition,
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
        count=counts.wrong_close_times,
    ),
    CheckDefinition(
        check=Check.OHLC_ORDERED,
        fact="ohlc_violations",
        requirement="high is the highest and low the lowest of {columns}",
        sentence="{ohlc_violations} rows have a high or low that open or close exceeds",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.PRICES_POSITIVE,
        fact="prices_not_positive",
        requirement="{columns} above zero",
        sentence="{prices_not_positive} rows have a price that is not positive",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.QUANTITIES_NOT_NEGATIVE,
        fact="quantities_negative",
        requirement="{columns} not negative",
        sentence="{quantities_negative} rows have a negative quantity",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.TAKER_WITHIN_TOTAL,
        fact="taker_above_total",
        requirement="taker volume does not exceed the volume ({columns})",
        sentence="{taker_above_total} rows have more taker volume than volume",
        count=counts.breaking_rows,
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
        count=counts.not_increasing,
    ),
    CheckDefinition(
        check=Check.NO_PRICE_SPIKE,
        fact="price_spikes",
        requirement="{columns} never moves by more than a factor of {limit:g} from one row to the next",
        sentence="{price_spikes} prices moved by more than a factor of {limit:g} at once",
        count=counts.price_spikes,
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
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.FUNDING_ON_BOUNDARY,
        fact="fundings_off_boundary",
        requirement="every payment is within {limit:g} s of an hour",
        sentence="{fundings_off_boundary} fundings are more than {limit:g} s from the hour",
        count=counts.off_boundary,
    ),
    CheckDefinition(
        check=Check.FUNDING_INTERVAL_KNOWN,
        fact="funding_intervals_unknown",
        requirement=f"payments are {_FUNDING_WORDS}",
        sentence=f"{{funding_intervals_unknown}} fundings are not {_FUNDING_WORDS}",
        count=counts.unknown_funding_interval,
    ),
    CheckDefinition(
        check=Check.FUNDING_RATE_USUAL,
        fact="funding_rates_unusual",
        requirement="{columns} between -{limit:g} and {limit:g}",
        sentence="{funding_rates_unusual} rates are beyond {limit:g}",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.IDS_NOT_NEGATIVE,
        fact="ids_negative",
        requirement="{columns} not negative",
        sentence="{ids_negative} rows have a negative identifier",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.FIRST_ID_NOT_ABOVE_LAST,
        fact="id_ranges_reversed",
        requirement="the first trade is not after the last ({columns})",
        sentence="{id_ranges_reversed} rows have a first trade after their last",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.TRADE_RANGES_DISJOINT,
        fact="trade_ranges_overlapping",
        requirement="the trades of a row come after the trades of the row before ({columns})",
        sentence="{trade_ranges_overlapping} rows repeat trades of the row before",
        count=counts.overlapping_ranges,
    ),
    CheckDefinition(
        check=Check.TRADE_RANGES_CONTIGUOUS,
        fact="trades_skipped",
        requirement="no trade between two consecutive aggregates is left out ({columns})",
        sentence="{trades_skipped} trades are in no aggregate, though no aggregate is missing between them",
        count=counts.skipped_trades,
    ),
    CheckDefinition(
        check=Check.QUANTITIES_POSITIVE,
        fact="quantities_zero",
        requirement="{columns} above zero",
        sentence="{quantities_zero} of {rows} rows have a quantity of zero",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.VALUE_MATCHES_QUANTITY,
        fact="values_off",
        requirement="value = price x quantity, within {limit:g} and a millionth ({columns})",
        sentence="{values_off} of {rows} values are not price times quantity",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.VALUE_MATCHES_CONTRACTS,
        fact="values_off_contracts",
        requirement="base quantity = contracts x 100 or 10 USD / price, within {limit:g} and a millionth ({columns})",
        sentence="{values_off_contracts} of {rows} base quantities do not fit contracts and price",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.VALUE_WITHIN_PRICES,
        fact="values_outside_prices",
        requirement="value between volume x low and volume x high, within {limit:g} and a millionth ({columns})",
        sentence="{values_outside_prices} of {rows} values do not fit volume, low and high",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.BASE_WITHIN_PRICES,
        fact="bases_outside_prices",
        requirement="base volume between contracts x 100 or 10 USD / high and / low ({columns})",
        sentence="{bases_outside_prices} of {rows} base volumes do not fit contracts, low and high",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.COUNT_MATCHES_VOLUME,
        fact="counts_off",
        requirement="no trades if and only if no volume ({columns})",
        sentence="{counts_off} rows have trades without volume, or volume without trades",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.AVERAGE_WITHIN_PRICES,
        fact="averages_outside",
        requirement="the average price of a kline with volume is from low to high ({columns})",
        sentence="{averages_outside} average prices are below low or above high",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.WORDS_KNOWN,
        fact="words_unknown",
        requirement="{columns} is one of {words}",
        sentence="{words_unknown} rows have another word in {columns}",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.WORDS_USUAL,
        fact="words_unusual",
        requirement="{columns} one of {words}",
        sentence="{words_unusual} rows have another word in {columns}",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.PART_WITHIN_WHOLE,
        fact="parts_above_whole",
        requirement="none of {columns} is above the next",
        sentence="{parts_above_whole} rows have a part that is more than its whole",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.AVERAGE_NEAR_PRICE,
        fact="averages_far",
        requirement="an average price is within a factor of {limit:g} of the price ({columns})",
        sentence="{averages_far} average prices are more than a factor of {limit:g} from the price",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.RATIOS_NOT_NEGATIVE,
        fact="ratios_negative",
        requirement="{columns} not negative",
        sentence="{ratios_negative} rows have a negative ratio",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.BANDS_PRESENT,
        fact="bands_missing",
        requirement="every snapshot has the bands from 1 to {limit:g} percent on both sides",
        sentence="{bands_missing} bands from 1 to {limit:g} percent are missing in snapshots",
        count=counts.missing_bands,
    ),
    CheckDefinition(
        check=Check.DEPTH_CUMULATIVE,
        fact="depths_not_cumulative",
        requirement="{columns} of a wider band is not below the one of a narrower band",
        sentence="{depths_not_cumulative} bands have less than a narrower band of their side",
        count=counts.depth_decreases,
    ),
    CheckDefinition(
        check=Check.CONTRACT_NAME_MATCHES,
        fact="contract_names_off",
        requirement="the contract's name has the underlying, expiry, strike and type of the columns ({columns})",
        sentence="{contract_names_off} contracts have a name that differs from their columns",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.COLUMNS_EQUAL,
        fact="columns_different",
        requirement="{columns} equal, as in every row seen",
        sentence="{columns_different} rows differ in {columns}, which were equal in every row seen",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.GREEKS_IN_RANGE,
        fact="greeks_off",
        requirement="delta from 0 to 1 for calls and from -1 to 0 for puts, gamma and vega not negative ({columns})",
        sentence="{greeks_off} rows have a greek out of its range",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.VOLATILITIES_NOT_NEGATIVE,
        fact="volatilities_negative",
        requirement="{columns} not negative",
        sentence="{volatilities_negative} rows have a negative volatility",
        count=counts.breaking_rows,
    ),
    CheckDefinition(
        check=Check.BUSY_SERIES_TRADES,
        fact="quiet_rows",
        requirement="a series that trades nearly always has no {limit:g} minutes without a trade",
        sentence="{quiet_rows} rows without a trade are in pauses of {limit:g} minutes or more of a busy series",
    ),
)

CHECKS: Mapping[Check, CheckDefinition] = MappingProxyType({row.check: row for row in _ROWS})
"""Every check with its row."""
