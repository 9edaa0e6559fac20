"""What a Binance API says of itself: `exchangeInfo`, `fundingInfo`."""

from datetime import UTC, date, datetime

from crypto_lakehouse.vocabulary import Market
from tests.fakes.exchange.protocol import compact
from tests.fakes.exchange.symbols import Symbols, assets_of, pair_of

_NEVER_DELIVERED = 4_133_404_800_000
_ORDER_TYPES = ["LIMIT", "MARKET"]
_TIME_IN_FORCE = ["GTC", "IOC", "FOK"]
WEIGHT_LIMITS = {Market.SPOT: 6000, Market.UM: 2400, Market.CM: 2400}
"""Request weight of a minute."""


def exchange_info(market: Market, symbols: Symbols, now: int) -> bytes:
    """Returns the body of `exchangeInfo`; `now` is in the unit asked for."""
    describe = {Market.SPOT: _spot, Market.UM: _linear, Market.CM: _inverse}[market]
    limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMITS[market]}
    return compact(
        {
            "timezone": "UTC",
            "serverTime": now,
            "rateLimits": [limit],
            "exchangeFilters": [],
            "symbols": [describe(symbol) for symbol in symbols.of(market)],
        }
    )


def funding_info(market: Market, symbols: Symbols) -> bytes:
    """Returns the body of `fundingInfo`."""
    return compact(
        [
            {
                "symbol": symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": 8,
                "disclaimer": False,
                "updateTime": None,
            }
            for symbol in symbols.of(market)
        ]
    )


def _filters(tick: str, step: str) -> list[dict[str, object]]:
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "900", "stepSize": step},
    ]


def _spot(symbol: str) -> dict[str, object]:
    base, quote = assets_of(symbol)
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [*_ORDER_TYPES, "LIMIT_MAKER"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            *_filters("0.01000000", "0.00001000"),
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _linear(symbol: str) -> dict[str, object]:
    base, quote = assets_of(symbol)
    filters = [*_filters("0.01", "0.001"), {"filterType": "MIN_NOTIONAL", "notional": "100"}]
    return {
        **_contract(symbol),
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "underlyingType": "COIN",
        "filters": filters,
    }


def _inverse(symbol: str) -> dict[str, object]:
    base, quote = assets_of(symbol)
    return {
        **_contract(symbol),
        "contractStatus": "TRADING",
        "contractSize": 100 if base == "BTC" else 10,
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": base,
        "pricePrecision": 1,
        "quantityPrecision": 0,
        "equalQtyPrecision": 4,
        "filters": _filters("0.1", "1"),
    }


def _contract(symbol: str) -> dict[str, object]:
    delivered = symbol.partition("_")[2]
    is_dated = delivered.isdigit()
    return {
        "symbol": symbol,
        "pair": pair_of(symbol),
        "contractType": "CURRENT_QUARTER" if is_dated else "PERPETUAL",
        "deliveryDate": _at_eight(delivered) if is_dated else _NEVER_DELIVERED,
        "onboardDate": _milliseconds(datetime(2020, 1, 1, tzinfo=UTC)),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "timeInForce": _TIME_IN_FORCE,
    }


def _at_eight(yymmdd: str) -> int:
    day = date.fromisoformat(f"20{yymmdd[:2]}-{yymmdd[2:4]}-{yymmdd[4:]}")
    return _milliseconds(datetime(day.year, day.month, day.day, 8, tzinfo=UTC))


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
