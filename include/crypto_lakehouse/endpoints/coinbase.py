"""The REST endpoints of Coinbase Exchange."""

from crypto_lakehouse.endpoints.spec import Flag, Paging, Query, RateLimit, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.vocabulary import Stamp

# Ten a second and address, without a header of how many are used.
LIMIT = RateLimit("requests", 10, 1)
SERVER_TIME = RestEndpoint("time", "public", LIMIT, 1, 1, Paging.TIME, "iso", stamp=Stamp.ISO)
KLINES = RestSource(
    (
        RestEndpoint(
            *("products/{id}/candles", "public", LIMIT, 1, 300, Paging.SPAN, 0),
            stamp=Stamp.SECONDS,
            newest_first=True,
            query=Query("start", "end", Stamp.ISO, limit="", interval="granularity", interval_seconds=1),
        ),
    ),
    RestShape.CANDLES,
    symbol_parameter="id",
)
TRADES = RestSource(
    (
        RestEndpoint(
            *("products/{id}/trades", "public", LIMIT, 1, 1000, Paging.BELOW_ID, "time", "trade_id"),
            stamp=Stamp.ISO,
            newest_first=True,
            query=Query(cursor="after"),
        ),
    ),
    RestShape.OBJECTS,
    ("trade_id", "side", "size", "price", "time"),
    symbol_parameter="id",
    # Identifiers are in the order of matching, which may differ by a moment from the order of the stamps.
    before_seconds=1,
    after_seconds=1,
    flag=Flag("side", yes="buy", no="sell"),
)
