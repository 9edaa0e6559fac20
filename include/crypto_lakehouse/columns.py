"""The Silver columns that datasets share, so that a name has one meaning everywhere.

Names of source columns come from the archive. If an archive name is wrong, the Silver name is correct.
For example, `quote_volume` of COIN-M contains the base-asset volume (binance-public-data issue 267).
"""

from dataclasses import replace
from datetime import date

from crypto_lakehouse.spec import Column, Derivation
from crypto_lakehouse.vocabulary import LogicalType

_T = LogicalType
US = "us since epoch, UTC"
SYMBOL = Column("symbol", _T.STRING, "", "Raw symbol as in the archive key", derivation=Derivation.OBJECT_SYMBOL)


def _price(name: str, meaning: str, source: str = "", unit: str = "quote per base", nullable: bool = False) -> Column:
    return Column(name, _T.PRICE, unit, meaning, source or name, nullable=nullable)


def _quantity(name: str, unit: str, meaning: str, source: str, nullable: bool = False) -> Column:
    return Column(name, _T.QUANTITY, unit, meaning, source, nullable=nullable)


def _time(name: str, meaning: str, source: str = "") -> Column:
    return Column(name, _T.TIMESTAMP, US, meaning, source or name)


def _integer(name: str, unit: str, meaning: str, source: str = "") -> Column:
    return Column(name, _T.INTEGER, unit, meaning, source or name)


def _ratio(name: str, meaning: str, source: str = "", unit: str = "1", nullable: bool = False) -> Column:
    return Column(name, _T.RATIO, unit, meaning, source or name, nullable=nullable)


def _text(name: str, meaning: str, source: str = "") -> Column:
    return Column(name, _T.STRING, "", meaning, source or name)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, _T.BOOLEAN, "", meaning, name)


_OPEN_TIME = _time("open_time", "Start of the kline, inclusive")
_CLOSE_TIME = _time("close_time", "Last instant of the kline as published (next open minus one source unit)")
_OHLC = (
    _price("open", "First trade price"),
    _price("high", "Highest trade price"),
    _price("low", "Lowest trade price"),
    _price("close", "Last trade price"),
)
LINEAR_KLINE_COLUMNS = (
    SYMBOL,
    _OPEN_TIME,
    *_OHLC,
    _quantity("base_volume", "base", "Traded volume", "volume"),
    _CLOSE_TIME,
    _quantity("quote_volume", "quote", "Traded value", "quote_volume"),
    _integer("trade_count", "trades", "Number of trades", "count"),
    _quantity("taker_buy_base_volume", "base", "Volume where the taker bought", "taker_buy_volume"),
    _quantity("taker_buy_quote_volume", "quote", "Value where the taker bought", "taker_buy_quote_volume"),
)
INVERSE_KLINE_COLUMNS = (
    SYMBOL,
    _OPEN_TIME,
    *_OHLC,
    _quantity("contract_volume", "contracts", "Traded contracts (100 USD for BTC, 10 USD for others)", "volume"),
    _CLOSE_TIME,
    _quantity("base_volume", "base", "Traded base volume; the archive's header calls it quote_volume", "quote_volume"),
    _integer("trade_count", "trades", "Number of trades", "count"),
    _quantity("taker_buy_contract_volume", "contracts", "Contracts where the taker bought", "taker_buy_volume"),
    _quantity("taker_buy_base_volume", "base", "Base volume where the taker bought", "taker_buy_quote_volume"),
)


FINE_SCALE = 12
"""Decimals of prices and quantities of Kraken and Coinbase, which have pairs of 9 and 10; Binance has at most 8."""


def _fine(column: Column) -> Column:
    return replace(column, scale=FINE_SCALE)


PLAIN_KLINE_COLUMNS = (
    SYMBOL,
    _time("open_time", "Start of the kline, inclusive", "time"),
    *(_fine(column) for column in _OHLC),
    _fine(_quantity("base_volume", "base", "Traded volume", "volume")),
)
KRAKEN_KLINE_COLUMNS = (
    *PLAIN_KLINE_COLUMNS,
    _fine(_price("average_price", "Traded value per volume, as published; 0 in a kline without trades", "vwap")),
    _integer("trade_count", "trades", "Number of trades", "count"),
)


def price_kline_columns(kind: str, unit: str) -> tuple[Column, ...]:
    """Returns the columns of klines of a computed price: no volume, and a count of samples instead of trades."""
    return (
        SYMBOL,
        _OPEN_TIME,
        _price("open", f"First {kind}", unit=unit),
        _price("high", f"Highest {kind}", unit=unit),
        _price("low", f"Lowest {kind}", unit=unit),
        _price("close", f"Last {kind}", unit=unit),
        _CLOSE_TIME,
        _integer("sample_count", "samples", "Number of values the kline was made from; not trades", "count"),
    )


_BUYER_MAKER = _flag("is_buyer_maker", "True where the buyer's order rested, so the taker sold")
_BEST_MATCH = _flag("is_best_match", "True where the trade was at the best price")


def agg_trade_columns(quantity_name: str, unit: str, *, best_match: bool) -> tuple[Column, ...]:
    """Returns the columns of aggregated trades whose quantity counts `unit`."""
    return (
        SYMBOL,
        _integer("agg_trade_id", "id", "Identifier of the aggregate, contiguous per symbol"),
        _price("price", "Price of all its trades"),
        _quantity(quantity_name, unit, "Quantity of all its trades", "quantity"),
        _integer("first_trade_id", "id", "Identifier of its first trade"),
        _integer("last_trade_id", "id", "Identifier of its last trade"),
        _time("transact_time", "When it was matched"),
        _BUYER_MAKER,
        *((_BEST_MATCH,) if best_match else ()),
    )


def trade_columns(quantity: Column, value: Column, *, best_match: bool) -> tuple[Column, ...]:
    """Returns the columns of single trades with the given quantity and value columns."""
    return (
        SYMBOL,
        _integer("trade_id", "id", "Identifier of the trade; legal holes exist", "id"),
        _price("price", "Price of the trade"),
        quantity,
        value,
        _time("trade_time", "When it was matched", "time"),
        _BUYER_MAKER,
        *((_BEST_MATCH,) if best_match else ()),
    )


_PLAIN_TRADE_COLUMNS = (
    SYMBOL,
    _integer("trade_id", "id", "Identifier of the trade, ascending per symbol"),
    _fine(_price("price", "Price of the trade")),
)
COINBASE_TRADE_COLUMNS = (
    *_PLAIN_TRADE_COLUMNS,
    _fine(_quantity("base_quantity", "base", "Quantity of the trade", "size")),
    _time("trade_time", "When it was matched", "time"),
    Column("is_buyer_maker", _T.BOOLEAN, "", "True where the maker's side, which is published, is buy", "side"),
)
KRAKEN_TRADE_COLUMNS = (
    *_PLAIN_TRADE_COLUMNS,
    _fine(_quantity("base_quantity", "base", "Quantity of the trade", "volume")),
    _time("trade_time", "When it was matched; published finer than a microsecond, the rest is cut off", "time"),
    Column("is_buyer_maker", _T.BOOLEAN, "", "True where the taker's side, which is published, is sell", "side"),
    _text("order_type", "l where the taker's order was a limit order, m where it was a market order"),
)
BASE_QUANTITY = _quantity("base_quantity", "base", "Quantity of the trade", "qty")
QUOTE_QUANTITY = _quantity("quote_quantity", "quote", "Value of the trade", "quote_qty")
CONTRACT_QUANTITY = _quantity("contract_quantity", "contracts", "Contracts of the trade", "qty")
INVERSE_BASE_QUANTITY = _quantity("base_quantity", "base", "Base-asset value of the trade", "base_qty")


def book_ticker_columns(quantity: str, unit: str) -> tuple[Column, ...]:
    """Returns the columns of best bid and ask changes, sizes counted in `unit`."""
    return (
        SYMBOL,
        _integer("update_id", "id", "Order book update identifier"),
        _price("best_bid_price", "Best bid"),
        _quantity(f"best_bid_{quantity}", unit, "Size at the best bid", "best_bid_qty"),
        _price("best_ask_price", "Best ask"),
        _quantity(f"best_ask_{quantity}", unit, "Size at the best ask", "best_ask_qty"),
        _time("transaction_time", "When the book changed"),
        _time("event_time", "When the exchange sent the change"),
    )


def book_depth_columns(depth_unit: str, notional_unit: str) -> tuple[Column, ...]:
    """Returns the columns of summed depth per percentage band, long: bands come and go over the years."""
    return (
        SYMBOL,
        _time("snapshot_time", "When the book was sampled, every 30 s or so", "timestamp"),
        _ratio("percentage", "Distance from the mid price; negative is the bid side", unit="percent"),
        _quantity("depth", depth_unit, "Quantity resting within the band", "depth"),
        _quantity("notional", notional_unit, "Value resting within the band", "notional"),
    )


METRICS_STAMP_START_FROM = date(2026, 6, 25)
"""From this day on, a metrics stamp is its period's start (binance-public-data issue 491)."""


def metrics_stamp_lag(day: date) -> int:
    """Returns by how many microseconds the stamps of a day's metrics lie past the start of their periods."""
    return 0 if day >= METRICS_STAMP_START_FROM else 300_000_000


def metrics_columns(open_interest_unit: str, value_unit: str) -> tuple[Column, ...]:
    """Returns the columns of open interest and positioning ratios, every five minutes."""
    ratio = "long accounts or volume per short"
    return (
        SYMBOL,
        Column("period_start", _T.TIMESTAMP, US, "Start of the period", derivation=Derivation.PERIOD_START),
        Column("period_end", _T.TIMESTAMP, US, "End of the period", derivation=Derivation.PERIOD_END),
        _time("create_time", "Stamp as published: the period's end in files before 2026-06-25, its start from then"),
        Column("open_interest", _T.VALUE, open_interest_unit, "Sum of open positions", "sum_open_interest"),
        Column("open_interest_value", _T.VALUE, value_unit, "Value of open positions", "sum_open_interest_value"),
        _ratio(
            "toptrader_account_long_short_ratio",
            "Top traders by accounts",
            "count_toptrader_long_short_ratio",
            ratio,
            True,
        ),
        _ratio(
            "toptrader_position_long_short_ratio",
            "Top traders by positions",
            "sum_toptrader_long_short_ratio",
            ratio,
            True,
        ),
        _ratio("account_long_short_ratio", "All accounts", "count_long_short_ratio", ratio, True),
        _ratio(
            "taker_long_short_volume_ratio",
            "Taker buy per taker sell volume",
            "sum_taker_long_short_vol_ratio",
            ratio,
            True,
        ),
    )


FUNDING_COLUMNS = (
    SYMBOL,
    Column("funding_time", _T.TIMESTAMP, US, "Boundary the payment belongs to", derivation=Derivation.FUNDING_TIME),
    _time("calc_time", "When it was computed, some milliseconds past the boundary"),
    _integer("funding_interval_hours", "hours", "Time since the previous payment: 8, 4, 2 or 1"),
    _ratio("funding_rate", "Share of the position's value that longs pay shorts", "last_funding_rate", "per interval"),
)


def liquidation_columns(quantity: str, unit: str) -> tuple[Column, ...]:
    """Returns the columns of forced orders, quantities counted in `unit`."""
    return (
        SYMBOL,
        _time("order_time", "When the order was placed", "time"),
        _text("order_side", "BUY or SELL, of the forced order", "side"),
        _text("order_type", "LIMIT"),
        _text("time_in_force", "IOC"),
        _quantity(f"original_{quantity}", unit, "Quantity of the order", "original_quantity"),
        _price("price", "Limit price"),
        _price("average_price", "Average fill price"),
        _text("order_status", "State when recorded"),
        _quantity(f"last_fill_{quantity}", unit, "Quantity of the last fill", "last_fill_quantity"),
        _quantity(f"accumulated_fill_{quantity}", unit, "Quantity filled in all", "accumulated_fill_quantity"),
    )


BVOL_COLUMNS = (
    SYMBOL,
    _time("calc_time", "When the index was computed, every second or so"),
    _text("base_asset", "Index name"),
    _text("quote_asset", "Asset of the index"),
    _price("index_value", "Implied volatility index", unit="percent per year"),
)


def _eoh_price(name: str, meaning: str) -> Column:
    return _price(name, meaning, unit="USDT", nullable=True)


EOH_COLUMNS = (
    Column("symbol", _T.STRING, "", "Underlying pair, as in the archive key", derivation=Derivation.OBJECT_SYMBOL),
    Column("hour_time", _T.TIMESTAMP, US, "Hour of the summary, as published", derivation=Derivation.DATE_AND_HOUR),
    _text("option_symbol", "Contract, such as BTC-230929-40000-P", "symbol"),
    _text("underlying", "Underlying pair"),
    _text("option_type", "C for call, P for put", "type"),
    Column("expiry_date", _T.DATE, "", "Day of expiry, from the strike", derivation=Derivation.STRIKE_EXPIRY),
    Column("strike_price", _T.PRICE, "USDT", "Strike, from the strike text", derivation=Derivation.STRIKE_PRICE),
    _eoh_price("best_bid_price", "Best bid"),
    _eoh_price("best_ask_price", "Best ask"),
    _quantity("best_bid_quantity", "contracts", "Size at the best bid", "best_bid_qty", nullable=True),
    _quantity("best_ask_quantity", "contracts", "Size at the best ask", "best_ask_qty", nullable=True),
    *(
        _ratio(name, meaning, source, unit, True)
        for name, source, unit, meaning in (
            (
                "best_bid_implied_volatility",
                "best_buy_iv",
                "per year",
                "Implied volatility of the best bid, often empty",
            ),
            (
                "best_ask_implied_volatility",
                "best_sell_iv",
                "per year",
                "Implied volatility of the best ask; -0.00000001 where there is no ask",
            ),
        )
    ),
    _eoh_price("mark_price", "Mark price"),
    _ratio("mark_implied_volatility", "Implied volatility of the mark price", "mark_iv", "per year", True),
    *(
        _ratio(name, meaning, nullable=True, unit=unit)
        for name, unit, meaning in (
            ("delta", "1", "Price change per change of the underlying"),
            ("gamma", "per USDT", "Delta change per change of the underlying"),
            ("vega", "USDT", "Price change per change of implied volatility"),
            ("theta", "USDT per day", "Price change per day"),
        )
    ),
    _quantity("open_interest_contracts", "contracts", "Open contracts", "openinterest_contracts", nullable=True),
    _quantity("open_interest_value", "USDT", "Value of open contracts", "openinterest_usdt", nullable=True),
    *(
        Column(
            f"{name}_24h", _T.PRICE, "USDT", f"{meaning} of the last 24 hours; 0 without trades", name, nullable=True
        )
        for name, meaning in (
            ("open", "First trade price"),
            ("high", "Highest trade price"),
            ("low", "Lowest trade price"),
            ("close", "Last trade price"),
        )
    ),
    _quantity(
        "contract_volume_24h", "contracts", "Contracts traded in the last 24 hours", "volume_contracts", nullable=True
    ),
    _quantity(
        "contract_volume_24h_copy",
        "contracts",
        "The archive calls it volume_usdt, but in every row seen it equals the contracts",
        "volume_usdt",
        nullable=True,
    ),
)
