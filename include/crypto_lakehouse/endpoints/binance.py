"""The REST endpoints of Binance.

Weights and limits come from the exchange's documentation of October 2026; reach and the limits without a header were
measured by others (see docs/deltas.md). A page has the number of rows at which a row costs least: a request of futures
klines costs 2 for up to 499 rows, 5 for up to 1,000 and 10 for more.
"""

from datetime import date

from crypto_lakehouse.endpoints.spec import Paging, RateLimit, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.vocabulary import DataType, Market

SPOT_WEIGHT = RateLimit("spot weight", 6000, 60, "x-mbx-used-weight-1m")
# Since 2026-06-30 the hosts of both futures markets count together, and so does the header of either.
FUTURES_WEIGHT = RateLimit("futures weight", 2400, 60, "x-mbx-used-weight-1m", shared="binance futures")
_WEIGHTS = {Market.SPOT: SPOT_WEIGHT, Market.UM: FUTURES_WEIGHT, Market.CM: FUTURES_WEIGHT}
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
# Both futures markets refuse older aggregates with code -4166.
_FUTURES_TRADES_REACH_DAYS = 2.0
_AGG_TRADE_FIELDS = ("a", "p", "q", "f", "l", "T", "m")
_TRADE_FIELDS = {
    Market.SPOT: ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"),
    Market.UM: ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker"),
    Market.CM: ("id", "price", "qty", "baseQty", "time", "isBuyerMaker"),
}


def klines(market: Market, data_type: DataType = DataType.KLINES) -> RestSource:
    """Returns the source of a market's klines of a kind; the endpoint has the archive's name of the kind."""
    is_spot = market is Market.SPOT
    endpoint = RestEndpoint(
        data_type.value, _SECTIONS[market], _WEIGHTS[market], 2, 1000 if is_spot else 499, Paging.TIME, 0
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


def agg_trades(market: Market) -> RestSource:
    """Returns the source of a market's aggregate trades."""
    is_spot = market is Market.SPOT
    return RestSource(
        (_agg_trades_endpoint(market),),
        RestShape.OBJECTS,
        (*_AGG_TRADE_FIELDS, "M") if is_spot else _AGG_TRADE_FIELDS,
        reach_days=None if is_spot else _FUTURES_TRADES_REACH_DAYS,
        microseconds_from=_MICROSECONDS_FROM if is_spot else None,
    )


def trades(market: Market) -> RestSource:
    """Returns the source of a market's trades."""
    is_spot = market is Market.SPOT
    # More than 500 rows are refused by the futures markets.
    weight, rows = (25, 1000) if is_spot else (200, 500)
    endpoint = RestEndpoint(
        "historicalTrades", _SECTIONS[market], _WEIGHTS[market], weight, rows, Paging.ID, "time", "id"
    )
    return RestSource(
        (endpoint,),
        RestShape.OBJECTS,
        _TRADE_FIELDS[market],
        # By identifier the endpoint reaches a month, but only aggregates lead from a time to an identifier.
        reach_days=None if is_spot else _FUTURES_TRADES_REACH_DAYS,
        # Only aggregates are found by time; the first trade of an aggregate is where the trades of its time begin.
        locator=_agg_trades_endpoint(market),
        needs_key=not is_spot,
        microseconds_from=_MICROSECONDS_FROM if is_spot else None,
    )


def funding(market: Market) -> RestSource:
    """Returns the source of a futures market's funding payments."""
    # fundingRate and fundingInfo share this limit, and no header has how much is used.
    limit = RateLimit(f"{market} funding", 500, 300)
    endpoint = RestEndpoint("fundingRate", _SECTIONS[market], limit, 1, 1000, Paging.TIME, "fundingTime")
    return RestSource((endpoint,), RestShape.FUNDING, before_seconds=8 * 3600)


def metrics(market: Market) -> RestSource:
    """Returns the source of a futures market's open interest and ratios."""
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
        # Until 2026-06-25 a stamp is the end of its period: the stamp of the last row is just after the span.
        after_seconds=300,
    )
