"""Binance: three markets at three addresses, microseconds on request, and numeric error codes."""

from types import MappingProxyType
from typing import Any

import ccxt

from crypto_lakehouse.endpoints.spec import RestEndpoint
from crypto_lakehouse.exchange.venue import KeepsAnswer, Meaning, Params, Venue, beginning, document, options
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Market


class _Binance(KeepsAnswer, ccxt.binance):  # type: ignore[misc]
    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__(options(settings))
        self.apiKey = settings.api_key.get_secret_value() if settings.api_key else ""
        self.urls["api"] |= section_urls(settings)

    def get(self, endpoint: RestEndpoint, params: Params, in_microseconds: bool) -> Any:
        self.headers = {"X-MBX-TIME-UNIT": "MICROSECOND"} if in_microseconds else {}
        return super().get(endpoint, params, in_microseconds)

    def sign(self, path, api=("public",), method="GET", params=None) -> dict[str, Any]:  # type: ignore[no-untyped-def]
        # Spot's old trades are public, but ccxt demands a key.
        if path == "historicalTrades" and "public" in api and not self.apiKey:
            url = f"{self.urls['api']['public']}/{path}?{self.urlencode(params or {})}"
            return {"url": url, "method": method, "body": None, "headers": None}
        signed: dict[str, Any] = super().sign(path, api, method, params or {})
        return signed


def section_urls(settings: ExchangeSettings) -> dict[str, str]:
    """Returns the address of each of ccxt's sections of the API that we use."""
    return {
        "public": f"{settings.spot_url}/api/v3",
        "fapiPublic": f"{settings.um_url}/fapi/v1",
        "fapiData": f"{settings.um_url}/futures/data",
        "dapiPublic": f"{settings.cm_url}/dapi/v1",
        "dapiData": f"{settings.cm_url}/futures/data",
    }


def market_url(settings: ExchangeSettings, market: Market) -> str:
    """Returns the address that serves a market."""
    return {Market.SPOT: settings.spot_url, Market.UM: settings.um_url, Market.CM: settings.cm_url}[market]


def _error(body: str) -> tuple[str, str]:
    """Returns the code and message of `{"code": -1121, "msg": "..."}`, or the start of any other body."""
    raw = document(body)
    if not isinstance(raw.get("code"), int):
        return "", beginning(body)
    return str(raw["code"]), str(raw.get("msg", ""))[:200]


BINANCE = Venue(
    _Binance,
    market_url,
    _error,
    MappingProxyType(
        {
            "-1003": Meaning.WAIT,
            "-1121": Meaning.UNKNOWN_SYMBOL,
            "-1122": Meaning.UNKNOWN_SYMBOL,
            "-4166": Meaning.TOO_OLD,
        }
    ),
)
