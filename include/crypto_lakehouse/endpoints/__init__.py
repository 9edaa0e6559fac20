"""The REST endpoints of each exchange, as rows: paths, budgets, pages and reach. Standard library only."""

from crypto_lakehouse.endpoints import binance, coinbase, kraken
from crypto_lakehouse.endpoints.spec import RestEndpoint
from crypto_lakehouse.vocabulary import Exchange, Market

_SPOT_TIMES = {Exchange.COINBASE: coinbase.SERVER_TIME, Exchange.KRAKEN: kraken.SERVER_TIME}


def server_time(exchange: Exchange, market: Market) -> RestEndpoint:
    """Returns the endpoint with an exchange's own time, which is in the member `RestEndpoint.time`."""
    return binance.SERVER_TIME[market] if exchange is Exchange.BINANCE else _SPOT_TIMES[exchange]
