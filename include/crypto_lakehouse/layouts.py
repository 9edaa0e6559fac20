"""The layouts of source files: positions and names of their columns, as the archives and exchanges write them."""

from crypto_lakehouse.spec import HeaderRule, SourceLayout

KLINE_SOURCE = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)


def _layout(header: HeaderRule, *columns: str) -> SourceLayout:
    return SourceLayout(columns, header)


SPOT_KLINE = _layout(HeaderRule.NEVER, *KLINE_SOURCE)
FUTURES_KLINE = _layout(HeaderRule.SOMETIMES, *KLINE_SOURCE)
_AGG_TRADE_SOURCE = (
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "transact_time",
    "is_buyer_maker",
)
SPOT_AGG_TRADE = _layout(HeaderRule.NEVER, *_AGG_TRADE_SOURCE, "is_best_match")
FUTURES_AGG_TRADE = _layout(HeaderRule.SOMETIMES, *_AGG_TRADE_SOURCE)
SPOT_TRADE = _layout(HeaderRule.NEVER, "id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
UM_TRADE = _layout(HeaderRule.SOMETIMES, "id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
CM_TRADE = _layout(HeaderRule.SOMETIMES, "id", "price", "qty", "base_qty", "time", "is_buyer_maker")
BOOK_TICKER = _layout(
    HeaderRule.ALWAYS,
    "update_id",
    "best_bid_price",
    "best_bid_qty",
    "best_ask_price",
    "best_ask_qty",
    "transaction_time",
    "event_time",
)
BOOK_DEPTH = _layout(HeaderRule.ALWAYS, "timestamp", "percentage", "depth", "notional")
METRICS = _layout(
    HeaderRule.ALWAYS,
    "create_time",
    "symbol",
    "sum_open_interest",
    "sum_open_interest_value",
    "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio",
    "count_long_short_ratio",
    "sum_taker_long_short_vol_ratio",
)
FUNDING = _layout(HeaderRule.ALWAYS, "calc_time", "funding_interval_hours", "last_funding_rate")
_LIQUIDATION_SOURCE = (
    "side",
    "order_type",
    "time_in_force",
    "original_quantity",
    "price",
    "average_price",
    "order_status",
    "last_fill_quantity",
    "accumulated_fill_quantity",
)
LIQUIDATION = _layout(HeaderRule.ALWAYS, "time", *_LIQUIDATION_SOURCE)
LIQUIDATION_WITH_SYMBOL = _layout(HeaderRule.ALWAYS, "time", "symbol", *_LIQUIDATION_SOURCE)
BVOL = _layout(HeaderRule.ALWAYS, "calc_time", "symbol", "base_asset", "quote_asset", "index_value")
EOH = _layout(
    HeaderRule.ALWAYS,
    *("date", "hour", "symbol", "underlying", "type", "strike", "open", "high", "low", "close"),
    *("volume_contracts", "volume_usdt", "best_bid_price", "best_ask_price", "best_bid_qty", "best_ask_qty"),
    *("best_buy_iv", "best_sell_iv", "mark_price", "mark_iv", "delta", "gamma", "vega", "theta"),
    *("openinterest_contracts", "openinterest_usdt"),
)
# The fields of the exchange's own row: its answers become lines as they are.
COINBASE_KLINE = _layout(HeaderRule.NEVER, "time", "low", "high", "open", "close", "volume")
KRAKEN_KLINE = _layout(HeaderRule.NEVER, "time", "open", "high", "low", "close", "vwap", "volume", "count")
COINBASE_TRADE = _layout(HeaderRule.NEVER, "trade_id", "side", "size", "price", "time")
KRAKEN_TRADE = _layout(HeaderRule.NEVER, "trade_id", "price", "volume", "time", "side", "order_type")
