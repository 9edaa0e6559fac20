"""The part of Coinbase Exchange's public REST API that candles and trades need."""

import json
from datetime import UTC, datetime

from crypto_lakehouse.vocabulary import Interval, TimeUnit
from tests.fakes.exchange.budget import Budget, Charge, Pool
from tests.fakes.exchange.encoding import RowShape, microseconds
from tests.fakes.exchange.history import History, Library
from tests.fakes.exchange.open_candle import OpenCandles
from tests.fakes.exchange.plain_rows import Listing, candles, shortest, trades
from tests.fakes.exchange.protocol import Answer, Page, Refused, Request, compact
from tests.fakes.exchange.series import DatasetSeries

PRODUCTS = {"BTC-USD": Listing("BTCUSDT", "BTC", "USD"), "ETH-USD": Listing("ETHUSDT", "ETH", "USD")}
_GRANULARITIES = {60: Interval.M1, 300: Interval.M5, 900: Interval.M15, 3600: Interval.H1, 86400: Interval.D1}
_MOST_CANDLES, _MOST_TRADES = 300, 1000
_SECOND = 1_000_000


class CoinbaseMount:
    """Coinbase Exchange; it counts no weight."""

    def __init__(self, library: Library) -> None:
        self.budget = Budget(0)
        self._library = library
        self._open_candles = OpenCandles()

    def charge(self, _asked: Request) -> Charge:
        """Returns that nothing is charged."""
        return Charge(Pool.FREE, 0)

    def respond(self, request: Request) -> Page | bytes:
        """Returns the answer's rows, or its body.

        Raises:
            Refused: Coinbase would refuse the request.
        """
        if request.path == "time":
            instant = datetime.fromtimestamp(request.now // 1000 / 1000, UTC)
            iso = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return compact({"iso": iso, "epoch": request.now // 1000 / 1000})
        parts = request.path.split("/")
        if request.path == "products":
            return compact([_described(name) for name in PRODUCTS])
        if request.path == "currencies":
            return compact(
                [_currency(name) for name in sorted({asset for one in PRODUCTS for asset in one.split("-")})]
            )
        if parts[0] != "products" or len(parts) != 3 or parts[2] not in ("candles", "trades"):
            raise Refused(0, "NotFound", 404)
        if parts[1] not in PRODUCTS:
            raise Refused(0, "NotFound", 404)
        listing = PRODUCTS[parts[1]]
        return self._candles(request, listing) if parts[2] == "candles" else self._trades(request, listing)

    def refusal(self, refused: Refused) -> Answer:
        """Returns a refusal as Coinbase words it."""
        return Answer(refused.status, compact({"message": refused.message}))

    def _candles(self, request: Request, listing: Listing) -> Page:
        granularity = request.params.get("granularity", "60")
        interval = _GRANULARITIES.get(int(granularity) if granularity.isdigit() else 0)
        if interval is None:
            raise Refused(0, "Unsupported granularity")
        history = candles(self._library, request, listing.symbol, interval)
        rows = self._rows(request, history, int(granularity))
        if rows:
            rows[-1] = self._open_candles.as_now(history.series, rows[-1], request.now // 1000)
        return Page([_candle(row) for row in reversed(rows)])

    def _rows(self, request: Request, history: History, granularity: int) -> list[bytes]:
        start, end = request.params.get("start"), request.params.get("end")
        # Coinbase ignores the one where the other is absent.
        if not start or not end:
            return history.until_time(request.now, _MOST_CANDLES)
        first, last = _instant(start), _instant(end)
        if (last - first) // _SECOND > granularity * _MOST_CANDLES:
            raise Refused(
                0,
                "granularity too small for the requested time range. Count of aggregations requested exceeds 300",
            )
        return history.from_time(first, last, _MOST_CANDLES)

    def _trades(self, request: Request, listing: Listing) -> Page:
        limit = min(request.number("limit") or _MOST_TRADES, _MOST_TRADES)
        before, after = request.number("before"), request.number("after")
        history = trades(self._library, request, listing.symbol, _TRADE)
        rows = history.before_id(after, limit) if after is not None else history.until_time(request.now, limit)
        rows = [row for row in reversed(rows) if before is None or _trade_id(row) > before]
        if not rows:
            return Page([])
        headers = {"CB-BEFORE": str(_trade_id(rows[0])), "CB-AFTER": str(_trade_id(rows[-1]))}
        return Page(rows, headers=headers)


def _currency(name: str) -> dict[str, object]:
    details = {"type": "crypto", "symbol": None, "network_confirmations": 3}
    return {
        "id": name,
        "name": name,
        "min_size": "0.00000001",
        "max_precision": "0.00000001",
        "status": "online",
        "details": details,
        "supported_networks": [],
    }


def _described(name: str) -> dict[str, object]:
    listing = PRODUCTS[name]
    return {
        "id": name,
        "base_currency": listing.base,
        "quote_currency": listing.quote,
        "quote_increment": "0.01",
        "base_increment": "0.00000001",
        "display_name": f"{listing.base}/{listing.quote}",
        "min_market_funds": "1",
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "trading_disabled": False,
        "status": "online",
        "status_message": "",
        "auction_mode": False,
    }


def _candle(row: bytes) -> bytes:
    opened, first, high, low, last, volume = json.loads(row)[:6]
    numbers = ",".join(shortest(value) for value in (low, high, first, last, volume))
    return f"[{opened // 1000},{numbers}]".encode()


def _trade(_series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
    instant = microseconds(row[4])
    moment = datetime.fromtimestamp(instant // _SECOND, UTC).replace(microsecond=instant % _SECOND)
    # Coinbase tells the maker's side.
    side = "buy" if row[5].lower() == "true" else "sell"
    time = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
    return f'{{"trade_id":{row[0]},"side":"{side}","size":"{row[2]}","price":"{row[1]}","time":"{time}"}}'


_TRADE = RowShape(_trade, time_field=4, id_field=0)


def _trade_id(row: bytes) -> int:
    return int(row[len(b'{"trade_id":') : row.index(b",")])


def _instant(words: str) -> int:
    if words.isdigit():
        return int(words) * _SECOND
    try:
        moment = datetime.fromisoformat(words)
    except ValueError as error:
        raise Refused(0, f"Invalid time: {words}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * _SECOND
