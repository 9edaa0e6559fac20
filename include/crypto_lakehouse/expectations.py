"""What is expected of rows: the checks of a partition, and how many rows may be refused. Standard library only."""

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """A kind of fact about a partition that its gate judges. How each is computed lives in `quality`."""

    KEY_UNIQUE = "key_unique"
    TIME_ORDERED = "time_ordered"
    WITHIN_PARTITION = "within_partition"
    GRID_COMPLETE = "grid_complete"
    ON_GRID = "on_grid"
    CLOSE_TIME = "close_time"
    OHLC_ORDERED = "ohlc_ordered"
    PRICES_POSITIVE = "prices_positive"
    QUANTITIES_NOT_NEGATIVE = "quantities_not_negative"
    TAKER_WITHIN_TOTAL = "taker_within_total"
    IDS_CONTIGUOUS = "ids_contiguous"
    IDS_INCREASING = "ids_increasing"
    NO_PRICE_SPIKE = "no_price_spike"
    NOT_STALE = "not_stale"
    HOURS_COVERED = "hours_covered"
    NO_PAUSE = "no_pause"
    PAYMENTS_COMPLETE = "payments_complete"
    SPREAD_NOT_NEGATIVE = "spread_not_negative"
    FUNDING_ON_BOUNDARY = "funding_on_boundary"
    FUNDING_INTERVAL_KNOWN = "funding_interval_known"
    FUNDING_RATE_USUAL = "funding_rate_usual"
    IDS_NOT_NEGATIVE = "ids_not_negative"
    FIRST_ID_NOT_ABOVE_LAST = "first_id_not_above_last"
    TRADE_RANGES_DISJOINT = "trade_ranges_disjoint"
    TRADE_RANGES_CONTIGUOUS = "trade_ranges_contiguous"
    QUANTITIES_POSITIVE = "quantities_positive"
    VALUE_MATCHES_QUANTITY = "value_matches_quantity"
    VALUE_MATCHES_CONTRACTS = "value_matches_contracts"
    VALUE_WITHIN_PRICES = "value_within_prices"
    BASE_WITHIN_PRICES = "base_within_prices"
    COUNT_MATCHES_VOLUME = "count_matches_volume"
    AVERAGE_WITHIN_PRICES = "average_within_prices"
    WORDS_KNOWN = "words_known"
    WORDS_USUAL = "words_usual"
    PART_WITHIN_WHOLE = "part_within_whole"
    AVERAGE_NEAR_PRICE = "average_near_price"
    RATIOS_NOT_NEGATIVE = "ratios_not_negative"
    BANDS_PRESENT = "bands_present"
    DEPTH_CUMULATIVE = "depth_cumulative"
    CONTRACT_NAME_MATCHES = "contract_name_matches"
    COLUMNS_EQUAL = "columns_equal"
    GREEKS_IN_RANGE = "greeks_in_range"
    VOLATILITIES_NOT_NEGATIVE = "volatilities_not_negative"
    BUSY_SERIES_TRADES = "busy_series_trades"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One rule of a dataset's gate.

    Args:
        check: What is judged.
        columns: The columns it looks at, where the check does not imply them.
        degrades: True where breaking it makes the partition `degraded`, False where it is `quarantined`.
        is_remark: True where breaking it is only unusual: a note of the verdict, whose condition it does not change.
        limit: The check's bound, in the unit its docstring in `quality` gives.
        words: The texts that a column may have, where the check is about them.
    """

    check: Check
    columns: tuple[str, ...] = ()
    degrades: bool = False
    is_remark: bool = False
    limit: float = 0.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalBound:
    """How many rows of an object may be set aside before the object is refused whole.

    A few bad rows are faults of single rows. More of them, or more than half, mean that the object itself is broken or
    has another form, and then its other rows cannot be trusted either.

    Args:
        rows: So many rows of any object.
        share: Or this share of its rows, whichever is more.
        at_most: But never more than this: each row that is set aside is recorded with its text.
    """

    rows: int = 10
    share: float = 0.001
    at_most: int = 1000

    def allowed(self, rows: int) -> int:
        """Returns how many of an object's rows may be set aside.

        >>> RefusalBound().allowed(1440), RefusalBound().allowed(100_000), RefusalBound().allowed(8)
        (10, 100, 4)
        """
        return min(max(self.rows, int(rows * self.share)), self.at_most, rows // 2)
