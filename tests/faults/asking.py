"""Another process that asks the exchange, within the same budget."""

from typing import Any

from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Market


def ask_the_time(settings: ExchangeSettings, market: Market, now: float, told: Any) -> None:
    """Asks once, and tells what came of it."""
    limiter = open_limiter(settings, market)
    limiter.clock = lambda: now
    try:
        ExchangeClient(settings, market, limiter, lambda: now).server_time()
    except LakehouseError as error:
        told.put(type(error).__name__)
    else:
        told.put("answered")
