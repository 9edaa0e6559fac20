"""exchangeInfo bodies in the exchange's shape, with what a test chooses."""

import json
from datetime import UTC, datetime

from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody

NEVER_MS = 4_133_404_800_000


def millis(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def spot_symbol(symbol: str, base: str, quote: str, **others: object) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00000100", "maxPrice": "1000", "tickSize": "0.00000100"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "100000", "stepSize": "0.00100000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
    ]
    row = {"symbol": symbol, "status": "TRADING", "baseAsset": base, "quoteAsset": quote, "filters": filters}
    return {**row, "permissions": [], "permissionSets": [["SPOT", "MARGIN"]], **others}


def um_symbol(symbol: str, base: str, onboard: str, **others: object) -> dict[str, object]:
    filters = [
        {"minPrice": "0.01", "maxPrice": "100000", "filterType": "PRICE_FILTER", "tickSize": "0.10"},
        {"stepSize": "0.001", "filterType": "LOT_SIZE", "maxQty": "1000", "minQty": "0.001"},
        {"notional": "100", "filterType": "MIN_NOTIONAL"},
    ]
    row = {"symbol": symbol, "pair": symbol, "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": base}
    times = {"deliveryDate": NEVER_MS, "onboardDate": millis(onboard)}
    return {**row, **times, "quoteAsset": "USDT", "marginAsset": "USDT", "filters": filters, **others}


def cm_symbol(symbol: str, base: str, size: int, **others: object) -> dict[str, object]:
    row = {"symbol": symbol, "contractType": "PERPETUAL", "contractStatus": "TRADING", "contractSize": size}
    times = {"deliveryDate": NEVER_MS, "onboardDate": millis("2020-07-29")}
    return {**row, **times, "baseAsset": base, "quoteAsset": "USD", "marginAsset": base, "filters": [], **others}


def body(*symbols: dict[str, object]) -> str:
    return json.dumps({"timezone": "UTC", "serverTime": millis("2026-01-02"), "symbols": symbols}, ensure_ascii=False)


def answer(day: str, *symbols: dict[str, object]) -> ExchangeInfoBody:
    return ExchangeInfoBody(body(*symbols), at(day))
