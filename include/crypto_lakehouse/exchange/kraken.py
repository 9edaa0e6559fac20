"""Kraken: a refusal has status 200 and a list of errors, such as `EQuery:Unknown asset pair`."""

from types import MappingProxyType

import ccxt

from crypto_lakehouse.exchange.venue import KeepsAnswer, Meaning, Venue, beginning, document, options
from crypto_lakehouse.settings import ExchangeSettings


class _Kraken(KeepsAnswer, ccxt.kraken):  # type: ignore[misc]
    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__(options(settings))
        self.urls["api"] |= {"public": settings.kraken_url}


def _error(body: str) -> tuple[str, str]:
    """Returns the first error of `{"error": ["EService:Busy"]}` as code, or the start of any other body."""
    errors = document(body).get("error")
    return (str(errors[0])[:200], "") if isinstance(errors, list) and errors else ("", beginning(body))


KRAKEN = Venue(
    _Kraken,
    lambda settings, _: settings.kraken_url,
    _error,
    MappingProxyType(
        {
            "EAPI:Rate limit exceeded": Meaning.WAIT,
            "EGeneral:Too many requests": Meaning.WAIT,
            "EGeneral:Temporary lockout": Meaning.WAIT,
            "EGeneral:Permission denied": Meaning.BLOCKED,
            "EGeneral:Internal error": Meaning.AGAIN,
            "EGeneral": Meaning.REQUEST,
            "EQuery": Meaning.UNKNOWN_SYMBOL,
            "EService": Meaning.AGAIN,
            "EDatabase": Meaning.AGAIN,
        }
    ),
)
