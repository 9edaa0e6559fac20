"""The REST endpoints that deltas come from, as rows: paths, weights, pages and reach. Standard library only.

Weights and limits are those of the exchange's documentation; reach and the limits without a header were measured by
others (see docs/deltas.md). A page has the number of rows that costs least each: futures klines cost 2 for up to 499
rows, 5 for up to 1,000 and 10 for more.
"""

from datetime import date

from crypto_lakehouse.spec import Flag, Paging, Query, RateLimit, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.vocabulary import DataType, Exchange, Market, Stamp

SPOT_WEIGHT = RateLimit("spot weight", 6000, 60, "x-mbx-used-weight-1m")
UM_WEIGHT = RateLimit("um weight", 2400, 60, "x-mbx-used-weight-1m")
CM_WEIGHT = RateLimit("cm weight", 2400, 60, "x-mbx-used-weight-1m")
_WEIGHTS = {Market.SPOT: SPOT_WEIGHT, Market.UM: UM_WEIGHT, Market.CM: CM_WEIGHT}
_SECTIONS = {Market.SPOT: "public", Market.UM: "fapiPublic", Market.CM: "dapiPublic"}
_DATA_SECTIONS = {Market.UM: "fapiData", Market.CM: "dapiData"}

SERVER_TIME = {
    market: RestEndpoint("time", _SECTIONS[market], limit, 1, 1, Paging.TIME, "serverTime")
    for market, limit in _WEIGHTS.items()
}
EXCHANGE_INFO = {
    market: RestEndpoint("exchangeInfo", _SECTIONS[market], limit, 20, 1, Paging.TIME, "serverTime")
    for market, limit in _WEIGHTS.items()
}
_MICROSECONDS_FROM = date(2025, 1, 1)
_AGG_TRADE_FIELDS = ("a", "p", "q", "f", "l", "T", "m")
_TRADE_FIELDS = {
    Market.SPOT: ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"),
    Market.UM: ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker"),
    Market.CM: ("id", "price", "qty", "baseQty", "time", "isBuyerMaker"),
}
_FUTURES_KLINES = {
    DataType.KLINES: "klines",
    DataType.MARK_PRICE_KLINES: "markPriceKlines",
    DataType.INDEX_PRICE_KLINES: "indexPriceKlines",
    DataType.PREMIUM_INDEX_KLINES: "premiumIndexKlines",
}


def rest_source(market: Market, data_type: DataType) -> RestSource | None:
    """Returns where the rows of a data type of a Binance market can be asked for; None where no endpoint has them."""
    if market not in _WEIGHTS:
        return None
    if data_type in _FUTURES_KLINES:
        return _klines(market, data_type)
    makers = {
        DataType.AGG_TRADES: _agg_trades,
        DataType.TRADES: _trades,
        DataType.FUNDING_RATE: _funding,
        DataType.METRICS: _metrics,
    }
    return makers[data_type](market) if data_type in makers else None


def _klines(market: Market, data_type: DataType) -> RestSource:
    is_spot = market is Market.SPOT
    endpoint = RestEndpoint(
        _FUTURES_KLINES[data_type], _SECTIONS[market], _WEIGHTS[market], 2, 1000 if is_spot else 499, Paging.TIME, 0
    )
    return RestSource(
        (endpoint,),
        RestShape.ARRAYS,
        symbol_parameter="pair" if data_type is DataType.INDEX_PRICE_KLINES else "symbol",
        by_pair=data_type is DataType.INDEX_PRICE_KLINES,
        microseconds_from=_MICROSECONDS_FROM if is_spot else None,
    )


def _agg_trades_endpoint(market: Market) -> RestEndpoint:
    weight = 4 if market is Market.SPOT else 20
    return RestEndpoint("aggTrades", _SECTIONS[market], _WEIGHTS[market], weight, 1000, Paging.ID, "T", "a")


def _agg_trades(market: Market) -> RestSource:
    is_spot = market is Market.SPOT
    return RestSource(
        (_agg_trades_endpoint(market),),
        RestShape.OBJECTS,
        (*_AGG_TRADE_FIELDS, "M") if is_spot else _AGG_TRADE_FIELDS,
        # Measured on um: code -4166 past 48 hours. Others refuse by themselves, if they do.
        reach_days=2.0 if market is Market.UM else None,
        microseconds_from=_MICROSECONDS_FROM if is_spot else None,
    )


def _trades(market: Market) -> RestSource:
    is_spot = market is Market.SPOT
    # More than 500 rows are refused by the futures markets.
    weight, rows = (25, 1000) if is_spot else (20, 500)
    endpoint = RestEndpoint(
        "historicalTrades", _SECTIONS[market], _WEIGHTS[market], weight, rows, Paging.ID, "time", "id"
    )
    return RestSource(
        (endpoint,),
        RestShape.OBJECTS,
        _TRADE_FIELDS[market],
        reach_days=2.0 if market is Market.UM else None,
        # The first trade of an aggregate is where the trades of its time begin; only aggregates are found by time.
        locator=_agg_trades_endpoint(market),
        needs_key=not is_spot,
        microseconds_from=_MICROSECONDS_FROM if is_spot else None,
    )


def _funding(market: Market) -> RestSource | None:
    if market is Market.SPOT:
        return None
    # fundingRate and fundingInfo share this one, and no header tells how much is used.
    limit = RateLimit(f"{market} funding", 500, 300)
    endpoint = RestEndpoint("fundingRate", _SECTIONS[market], limit, 1, 1000, Paging.TIME, "fundingTime")
    return RestSource((endpoint,), RestShape.FUNDING, before_seconds=8 * 3600)


def _metrics(market: Market) -> RestSource | None:
    if market is Market.SPOT:
        return None
    limit = RateLimit(f"{market} data", 1000, 300)
    paths = ["openInterestHist"]
    if market is Market.UM:
        paths += ["topLongShortAccountRatio", "topLongShortPositionRatio", "globalLongShortAccountRatio"]
        paths += ["takerlongshortRatio"]
    section = _DATA_SECTIONS[market]
    inverse = market is Market.CM
    return RestSource(
        tuple(RestEndpoint(path, section, limit, 1, 500, Paging.SPAN, "timestamp") for path in paths),
        RestShape.METRICS,
        symbol_parameter="pair" if inverse else "symbol",
        by_pair=inverse,
        parameters=(("period", "5m"), *((("contractType", "PERPETUAL"),) if inverse else ())),
        step_seconds=300,
        reach_days=30.0,
        # Until 2026-06-25 a stamp is the end of its period: the last of a window is stamped just past it.
        after_seconds=300,
    )


# Ten a second and address, without a header that tells how many are used.
COINBASE_LIMIT = RateLimit("requests", 10, 1)
_COINBASE_TIME = RestEndpoint("time", "public", COINBASE_LIMIT, 1, 1, Paging.TIME, "iso", stamp=Stamp.ISO)
COINBASE_KLINES = RestSource(
    (
        RestEndpoint(
            *("products/{id}/candles", "public", COINBASE_LIMIT, 1, 300, Paging.SPAN, 0),
            stamp=Stamp.SECONDS,
            newest_first=True,
            query=Query("start", "end", Stamp.ISO, limit="", interval="granularity", interval_seconds=1),
        ),
    ),
    RestShape.CANDLES,
    symbol_parameter="id",
)
COINBASE_TRADES = RestSource(
    (
        RestEndpoint(
            *("products/{id}/trades", "public", COINBASE_LIMIT, 1, 1000, Paging.BELOW_ID, "time", "trade_id"),
            stamp=Stamp.ISO,
            newest_first=True,
            query=Query(cursor="after"),
        ),
    ),
    RestShape.OBJECTS,
    ("trade_id", "side", "size", "price", "time"),
    symbol_parameter="id",
    # Identifiers are given in the order of matching, which may be a moment off that of the stamps.
    before_seconds=1,
    after_seconds=1,
    flag=Flag("side", yes="buy", no="sell"),
)

# About one a second and address; a few at once are let pass.
KRAKEN_LIMIT = RateLimit("requests", 5, 5)
_KRAKEN_TIME = RestEndpoint(
    "Time", "public", KRAKEN_LIMIT, 1, 1, Paging.TIME, "unixtime", stamp=Stamp.SECONDS, rows_at="result"
)
KRAKEN_KLINES = RestSource(
    (
        RestEndpoint(
            *("OHLC", "public", KRAKEN_LIMIT, 1, 720, Paging.NEWEST, 0),
            stamp=Stamp.SECONDS,
            rows_at="result",
            query=Query(limit="", interval="interval", interval_seconds=60),
        ),
    ),
    RestShape.CANDLES,
    symbol_parameter="pair",
    reach_rows=720,
)
KRAKEN_TRADES = RestSource(
    (
        RestEndpoint(
            *("Trades", "public", KRAKEN_LIMIT, 1, 1000, Paging.AFTER_TIME, 2, 6),
            stamp=Stamp.SECONDS,
            rows_at="result",
            query=Query(stamp=Stamp.NANOSECONDS, cursor="since", limit="count"),
        ),
    ),
    RestShape.OBJECTS,
    (6, 0, 1, 2, 3, 4),
    symbol_parameter="pair",
    before_seconds=1,
    after_seconds=1,
    flag=Flag(3, yes="s", no="b"),
)
_SPOT_TIMES = {Exchange.COINBASE: _COINBASE_TIME, Exchange.KRAKEN: _KRAKEN_TIME}


def server_time(exchange: Exchange, market: Market) -> RestEndpoint:
    """Returns where an exchange tells its own time; `RestEndpoint.time` names the member that holds it."""
    return SERVER_TIME[market] if exchange is Exchange.BINANCE else _SPOT_TIMES[exchange]
