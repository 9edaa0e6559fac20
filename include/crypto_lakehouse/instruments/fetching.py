"""Fetches the exchange's own description of its instruments, within the shared budget."""

from crypto_lakehouse.endpoints.binance import EXCHANGE_INFO
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Market


def fetch_exchange_info(market: Market, settings: Settings) -> list[ExchangeInfoBody]:
    """Returns the market's exchangeInfo as received; an empty list where it has none, or the exchange is disabled.

    Raises:
        LakehouseError: The exchange did not answer, or refused.
    """
    if market not in EXCHANGE_INFO or not settings.exchange.enabled:
        return []
    client = ExchangeClient(settings.exchange, market, open_limiter(settings.exchange, market))
    client.server_time()
    answer = client.request(EXCHANGE_INFO[market], {}).answer
    return [ExchangeInfoBody(answer.body, answer.at)]
