"""What rows of the table share: frequencies, intervals and the rules of their gates. Standard library only."""

from crypto_lakehouse.spec import Check, Expectation
from crypto_lakehouse.vocabulary import Frequency, Interval, PartitionSpan

DAILY_AND_MONTHLY = (Frequency.DAILY, Frequency.MONTHLY)
DAILY = (Frequency.DAILY,)
MONTHLY = (Frequency.MONTHLY,)

SPOT_INTERVALS = tuple(Interval)
FUTURES_INTERVALS = tuple(interval for interval in Interval if interval is not Interval.S1)
# The 3d, 1w and 1mo trees under daily ended in 2023: in practice they exist under monthly only.
MONTHLY_ONLY_INTERVALS = (Interval.D3, Interval.W1, Interval.MO1)
# A change rebuilds a whole partition. A month of 1s klines is 2,678,400 rows, so they go by day (86,400 rows). A month
# of 1m klines is 44,640 rows, and of longer ones fewer. A year of these would be few rows too, but read from up to 365
# daily files, and one bad file would hide a year.
SECONDS_BY_DAY = ((Interval.S1, PartitionSpan.DAY),)

ALWAYS = (Expectation(Check.KEY_UNIQUE), Expectation(Check.TIME_ORDERED), Expectation(Check.WITHIN_PARTITION))
GRID_COMPLETE = Expectation(Check.GRID_COMPLETE, degrades=True)
ON_GRID = Expectation(Check.ON_GRID, degrades=True)
OHLC_ORDERED = Expectation(Check.OHLC_ORDERED, ("open", "high", "low", "close"))
# In a stream with at least this many rows an hour, an hour without rows is a fault.
HOURS_COVERED = Expectation(Check.HOURS_COVERED, degrades=True, limit=60.0)
# A move beyond the limit from one row to the next is more often a misplaced decimal point than a move of the market.
NO_CLOSE_SPIKE = Expectation(Check.NO_PRICE_SPIKE, ("close",), degrades=True, limit=10.0)
NO_TICK_SPIKE = Expectation(Check.NO_PRICE_SPIKE, ("price",), degrades=True, limit=10.0)


def positive(*names: str) -> Expectation:
    """Returns the rule that prices are positive."""
    return Expectation(Check.PRICES_POSITIVE, names)


def not_negative(*names: str) -> Expectation:
    """Returns the rule that quantities are not negative."""
    return Expectation(Check.QUANTITIES_NOT_NEGATIVE, names)


def no_pause(seconds: float) -> Expectation:
    """Returns the rule that no two neighbouring rows are farther apart than this."""
    return Expectation(Check.NO_PAUSE, degrades=True, limit=seconds)


POSITIVE_OHLC = positive("open", "high", "low", "close")
KLINE_RULES = (*ALWAYS, GRID_COMPLETE, ON_GRID, Expectation(Check.CLOSE_TIME, degrades=True), OHLC_ORDERED)
LINEAR_KLINE_RULES = (
    *KLINE_RULES,
    POSITIVE_OHLC,
    not_negative("base_volume", "quote_volume", "trade_count", "taker_buy_base_volume", "taker_buy_quote_volume"),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_base_volume", "base_volume")),
    NO_CLOSE_SPIKE,
)
INVERSE_KLINE_RULES = (
    *KLINE_RULES,
    POSITIVE_OHLC,
    not_negative("contract_volume", "base_volume", "trade_count", "taker_buy_contract_volume", "taker_buy_base_volume"),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_contract_volume", "contract_volume")),
    NO_CLOSE_SPIKE,
)
PRICE_KLINE_RULES = (*KLINE_RULES, POSITIVE_OHLC, not_negative("sample_count"), NO_CLOSE_SPIKE)
# A premium may be negative or cross zero: neither a positive value nor a ratio of neighbours is a rule.
PREMIUM_KLINE_RULES = (*KLINE_RULES, not_negative("sample_count"))

BOOK_DEPTH_RULES = (
    *ALWAYS,
    not_negative("depth", "notional"),
    Expectation(Check.NOT_STALE, ("percentage", "depth"), degrades=True),
    # A snapshot every 30 s or so; in files that are otherwise sound the longest pause was 213 s.
    no_pause(600),
)
METRICS_RULES = (
    *ALWAYS,
    Expectation(Check.GRID_COMPLETE, degrades=True, limit=300.0),
    not_negative("open_interest", "open_interest_value"),
)
FUNDING_RULES = (
    *ALWAYS,
    Expectation(Check.FUNDING_ON_BOUNDARY, ("calc_time", "funding_time"), degrades=True, limit=60.0),
    # Payments from the API have no interval: it is counted from the payment before, and a skipped one makes it odd.
    Expectation(Check.FUNDING_INTERVAL_KNOWN, ("funding_interval_hours",), is_remark=True),
    Expectation(Check.PAYMENTS_COMPLETE, ("funding_interval_hours",), degrades=True),
)
PLAIN_TICK_RULES = (positive("price"), not_negative("base_quantity"), NO_TICK_SPIKE, HOURS_COVERED)


def plain_kline_rules(*quantities: str) -> tuple[Expectation, ...]:
    """Returns the rules of klines that only have prices and these quantities."""
    return (*ALWAYS, ON_GRID, OHLC_ORDERED, POSITIVE_OHLC, not_negative(*quantities), NO_CLOSE_SPIKE)


def agg_trade_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of aggregate trades."""
    # Holes in aggregate ids exist without a known cause (binance-public-data issues 363, 378): noted, not refused.
    contiguous = Expectation(Check.IDS_CONTIGUOUS, ("agg_trade_id",), degrades=True)
    return (*ALWAYS, contiguous, positive("price"), not_negative(quantity), NO_TICK_SPIKE, HOURS_COVERED)


def trade_rules(*quantities: str) -> tuple[Expectation, ...]:
    """Returns the rules of trades."""
    increasing = Expectation(Check.IDS_INCREASING, ("trade_id",))
    return (*ALWAYS, increasing, positive("price"), not_negative(*quantities), NO_TICK_SPIKE, HOURS_COVERED)


def book_ticker_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of best bids and asks."""
    return (
        *ALWAYS,
        positive("best_bid_price", "best_ask_price"),
        not_negative(f"best_bid_{quantity}", f"best_ask_{quantity}"),
        Expectation(Check.SPREAD_NOT_NEGATIVE, ("best_bid_price", "best_ask_price"), degrades=True),
        HOURS_COVERED,
    )


def liquidation_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of forced orders."""
    names = (f"original_{quantity}", f"last_fill_{quantity}", f"accumulated_fill_{quantity}")
    return (*ALWAYS, positive("price", "average_price"), not_negative(*names))
