"""Coinbase Exchange: a refusal is a status and a sentence."""

from types import MappingProxyType

import ccxt

from crypto_lakehouse.exchange.venue import KeepsAnswer, Meaning, Venue, beginning, document, options
from crypto_lakehouse.settings import ExchangeSettings


class _Coinbase(KeepsAnswer, ccxt.coinbaseexchange):  # type: ignore[misc]
    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__(options(settings))
        self.urls["api"] |= {"public": settings.coinbase_url}


def _error(body: str) -> tuple[str, str]:
    """Returns the message of `{"message": "NotFound"}` as code, or the start of any other body."""
    message = str(document(body).get("message", ""))[:200]
    return (message, "") if message else ("", beginning(body))


COINBASE = Venue(
    _Coinbase,
    lambda settings, _: settings.coinbase_url,
    _error,
    MappingProxyType(
        {
            "NotFound": Meaning.UNKNOWN_SYMBOL,
            "Product not found": Meaning.UNKNOWN_SYMBOL,
            "Public rate limit exceeded": Meaning.WAIT,
            "Private rate limit exceeded": Meaning.WAIT,
        }
    ),
)
