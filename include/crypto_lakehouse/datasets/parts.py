"""What rows of the table share: frequencies, intervals and the rules of their gates. Standard library only."""

from crypto_lakehouse.expectations import Check, Expectation
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
# A series that trades in nearly every row and then in none for so many minutes was halted, or its rows are lost.
BUSY_SERIES_TRADES = Expectation(Check.BUSY_SERIES_TRADES, ("trade_count",), degrades=True, limit=10.0)
# What values of several trades, each rounded by the exchange, may be off.
QUOTE_ROUNDING, BASE_ROUNDING = 0.01, 1e-8


def positive(*names: str) -> Expectation:
    """Returns the rule that prices are positive."""
    return Expectation(Check.PRICES_POSITIVE, names)


def not_negative(*names: str) -> Expectation:
    """Returns the rule that quantities are not negative."""
    return Expectation(Check.QUANTITIES_NOT_NEGATIVE, names)


def no_pause(seconds: float) -> Expectation:
    """Returns the rule that no two neighbouring rows are farther apart than this."""
    return Expectation(Check.NO_PAUSE, degrades=True, limit=seconds)


def tick_rules(identifier: str, quantity: str, *values: str) -> tuple[Expectation, ...]:
    """Returns what each trade must fulfil. Trades of zero exist (binance-public-data issues 263, 342): they degrade."""
    return (
        Expectation(Check.IDS_NOT_NEGATIVE, (identifier,)),
        positive("price"),
        not_negative(quantity, *values),
        Expectation(Check.QUANTITIES_POSITIVE, (quantity,), degrades=True),
    )


POSITIVE_OHLC = positive("open", "high", "low", "close")
KLINE_RULES = (*ALWAYS, GRID_COMPLETE, ON_GRID, Expectation(Check.CLOSE_TIME, degrades=True), OHLC_ORDERED)
LINEAR_KLINE_RULES = (
    *KLINE_RULES,
    POSITIVE_OHLC,
    not_negative("base_volume", "quote_volume", "trade_count", "taker_buy_base_volume", "taker_buy_quote_volume"),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_base_volume", "base_volume")),
    Expectation(Check.PART_WITHIN_WHOLE, ("taker_buy_quote_volume", "quote_volume")),
    Expectation(Check.COUNT_MATCHES_VOLUME, ("trade_count", "base_volume"), degrades=True),
    Expectation(
        Check.VALUE_WITHIN_PRICES, ("quote_volume", "base_volume", "low", "high"), degrades=True, limit=QUOTE_ROUNDING
    ),
    BUSY_SERIES_TRADES,
    NO_CLOSE_SPIKE,
)
INVERSE_KLINE_RULES = (
    *KLINE_RULES,
    POSITIVE_OHLC,
    not_negative("contract_volume", "base_volume", "trade_count", "taker_buy_contract_volume", "taker_buy_base_volume"),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_contract_volume", "contract_volume")),
    Expectation(Check.PART_WITHIN_WHOLE, ("taker_buy_base_volume", "base_volume")),
    Expectation(Check.COUNT_MATCHES_VOLUME, ("trade_count", "contract_volume"), degrades=True),
    Expectation(
        Check.BASE_WITHIN_PRICES,
        ("base_volume", "contract_volume", "low", "high", "trade_count"),
        degrades=True,
        limit=BASE_ROUNDING,
    ),
    BUSY_SERIES_TRADES,
    NO_CLOSE_SPIKE,
)
PRICE_KLINE_RULES = (*KLINE_RULES, POSITIVE_OHLC, not_negative("sample_count"), NO_CLOSE_SPIKE)
# A premium may be negative or cross zero: neither a positive value nor a ratio of neighbours is a rule.
PREMIUM_KLINE_RULES = (*KLINE_RULES, not_negative("sample_count"))

BOOK_DEPTH_RULES = (
    *ALWAYS,
    not_negative("depth", "notional"),
    Expectation(Check.BANDS_PRESENT, ("percentage",), degrades=True, limit=5.0),
    # From documentation and memory of users alone, without a real file: a remark until one was seen.
    Expectation(Check.DEPTH_CUMULATIVE, ("percentage", "depth", "notional"), is_remark=True),
    Expectation(Check.NOT_STALE, ("percentage", "depth"), degrades=True),
    # A snapshot every 30 s or so; in files that are otherwise sound the longest pause was 213 s.
    no_pause(600),
)
METRICS_RULES = (
    *ALWAYS,
    Expectation(Check.GRID_COMPLETE, degrades=True, limit=300.0),
    not_negative("open_interest", "open_interest_value"),
    Expectation(
        Check.RATIOS_NOT_NEGATIVE,
        (
            "toptrader_account_long_short_ratio",
            "toptrader_position_long_short_ratio",
            "account_long_short_ratio",
            "taker_long_short_volume_ratio",
        ),
    ),
)
FUNDING_RULES = (
    *ALWAYS,
    Expectation(Check.FUNDING_ON_BOUNDARY, ("calc_time", "funding_time"), degrades=True, limit=60.0),
    # Payments from the API have no interval: it is counted from the payment before, and a skipped one makes it odd.
    Expectation(Check.FUNDING_INTERVAL_KNOWN, ("funding_interval_hours",), is_remark=True),
    Expectation(Check.FUNDING_RATE_USUAL, ("funding_rate",), is_remark=True, limit=0.05),
    Expectation(Check.PAYMENTS_COMPLETE, ("funding_interval_hours",), degrades=True),
)
PLAIN_TICK_RULES = (*tick_rules("trade_id", "base_quantity"), NO_TICK_SPIKE, HOURS_COVERED)


def plain_kline_rules(*quantities: str) -> tuple[Expectation, ...]:
    """Returns the rules of klines that only have prices and these quantities."""
    return (*ALWAYS, ON_GRID, OHLC_ORDERED, POSITIVE_OHLC, not_negative(*quantities), NO_CLOSE_SPIKE)


def agg_trade_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of aggregate trades."""
    # Holes in aggregate ids exist without a known cause (binance-public-data issues 363, 378): noted, not refused.
    contiguous = Expectation(Check.IDS_CONTIGUOUS, ("agg_trade_id",), degrades=True)
    ids = ("first_trade_id", "last_trade_id")
    return (
        *ALWAYS,
        contiguous,
        *tick_rules("agg_trade_id", quantity),
        Expectation(Check.FIRST_ID_NOT_ABOVE_LAST, ids),
        Expectation(Check.TRADE_RANGES_DISJOINT, ids, degrades=True),
        # Aggregates leave out trades of the insurance fund and the like.
        Expectation(Check.TRADE_RANGES_CONTIGUOUS, ("agg_trade_id", *ids), is_remark=True),
        NO_TICK_SPIKE,
        HOURS_COVERED,
    )


def trade_rules(quantity: str, value: Expectation) -> tuple[Expectation, ...]:
    """Returns the rules of trades; one rule relates value, price and quantity."""
    increasing = Expectation(Check.IDS_INCREASING, ("trade_id",))
    return (
        *ALWAYS,
        increasing,
        *tick_rules("trade_id", quantity, value.columns[0]),
        value,
        NO_TICK_SPIKE,
        HOURS_COVERED,
    )


LINEAR_VALUE = Expectation(
    Check.VALUE_MATCHES_QUANTITY, ("quote_quantity", "price", "base_quantity"), degrades=True, limit=QUOTE_ROUNDING
)
INVERSE_VALUE = Expectation(
    Check.VALUE_MATCHES_CONTRACTS, ("base_quantity", "price", "contract_quantity"), degrades=True, limit=BASE_ROUNDING
)


def book_ticker_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of best bids and asks."""
    return (
        *ALWAYS,
        Expectation(Check.IDS_NOT_NEGATIVE, ("update_id",)),
        positive("best_bid_price", "best_ask_price"),
        not_negative(f"best_bid_{quantity}", f"best_ask_{quantity}"),
        Expectation(Check.SPREAD_NOT_NEGATIVE, ("best_bid_price", "best_ask_price"), degrades=True),
        HOURS_COVERED,
    )


def liquidation_rules(quantity: str) -> tuple[Expectation, ...]:
    """Returns the rules of forced orders."""
    ordered, last, filled = f"original_{quantity}", f"last_fill_{quantity}", f"accumulated_fill_{quantity}"
    return (
        *ALWAYS,
        positive("price"),
        not_negative(ordered, last, filled, "average_price"),
        Expectation(Check.WORDS_KNOWN, ("order_side",), words=("BUY", "SELL")),
        Expectation(Check.WORDS_USUAL, ("order_status",), degrades=True, words=ORDER_STATES),
        Expectation(Check.PART_WITHIN_WHOLE, (last, filled, ordered)),
        Expectation(Check.AVERAGE_NEAR_PRICE, ("average_price", "price"), degrades=True, limit=2.0),
    )


ORDER_STATES = ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")
"""The states of an order in the exchange's documentation."""

EOH_RULES = (
    not_negative(
        *("open_24h", "high_24h", "low_24h", "close_24h", "contract_volume_24h", "mark_price"),
        *("best_bid_price", "best_ask_price", "best_bid_quantity", "best_ask_quantity"),
        *("open_interest_contracts", "open_interest_value"),
    ),
    Expectation(Check.OHLC_ORDERED, ("open_24h", "high_24h", "low_24h", "close_24h")),
    Expectation(Check.WORDS_KNOWN, ("option_type",), words=("C", "P")),
    Expectation(
        Check.CONTRACT_NAME_MATCHES, ("option_symbol", "underlying", "option_type", "expiry_date", "strike_price")
    ),
    Expectation(Check.SPREAD_NOT_NEGATIVE, ("best_bid_price", "best_ask_price"), degrades=True),
    Expectation(Check.VOLATILITIES_NOT_NEGATIVE, ("mark_implied_volatility",), degrades=True),
    Expectation(Check.GREEKS_IN_RANGE, ("option_type", "delta", "gamma", "vega"), degrades=True),
    Expectation(Check.COLUMNS_EQUAL, ("contract_volume_24h", "contract_volume_24h_copy"), is_remark=True),
)
"""The rules of hourly summaries of options. Prices are 0 without trades in 24 hours, bid or ask without an order."""
