"""The REST endpoints of Kraken."""

from crypto_lakehouse.endpoints.spec import Flag, Paging, Query, RateLimit, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.vocabulary import Stamp

# About one a second and address; a few at once are accepted.
LIMIT = RateLimit("requests", 5, 5)
SERVER_TIME = RestEndpoint(
    "Time", "public", LIMIT, 1, 1, Paging.TIME, "unixtime", stamp=Stamp.SECONDS, rows_at="result"
)
KLINES = RestSource(
    (
        RestEndpoint(
            *("OHLC", "public", LIMIT, 1, 720, Paging.NEWEST, 0),
            stamp=Stamp.SECONDS,
            rows_at="result",
            query=Query(limit="", interval="interval", interval_seconds=60),
        ),
    ),
    RestShape.CANDLES,
    symbol_parameter="pair",
    reach_rows=720,
)
TRADES = RestSource(
    (
        RestEndpoint(
            *("Trades", "public", LIMIT, 1, 1000, Paging.AFTER_TIME, 2, 6),
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
