"""The part of Kraken's public REST API that candles and trades need: it refuses with status 200."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from crypto_lakehouse.vocabulary import Interval, TimeUnit
from tests.fakes.exchange.budget import Budget, Charge, Pool
from tests.fakes.exchange.encoding import RowShape, microseconds
from tests.fakes.exchange.history import Library
from tests.fakes.exchange.open_candle import OpenCandles
from tests.fakes.exchange.plain_rows import Listing, average_price, candles, trades
from tests.fakes.exchange.protocol import Answer, Page, Refused, Request, compact
from tests.fakes.exchange.series import DatasetSeries

PAIRS = {"XXBTZUSD": Listing("BTCUSDT", "XBT", "USD"), "XETHZUSD": Listing("ETHUSDT", "ETH", "USD")}
_INTERVALS = {
    1: Interval.M1,
    5: Interval.M5,
    15: Interval.M15,
    30: Interval.M30,
    60: Interval.H1,
    240: Interval.H4,
    1440: Interval.D1,
}
_MOST_CANDLES, _MOST_TRADES = 720, 1000
_FIRST_NANOSECONDS = 10**12


class KrakenMount:
    """Kraken; it counts no weight."""

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
            Refused: Kraken would refuse the request.
        """
        handlers: dict[str, Callable[[Request], Page | bytes]] = {
            "0/public/Time": self._time,
            "0/public/Assets": self._assets,
            "0/public/AssetPairs": self._pairs,
            "0/public/OHLC": self._candles,
            "0/public/Trades": self._trades,
        }
        if request.path not in handlers:
            raise Refused(0, "EGeneral:Unknown method")
        return handlers[request.path](request)

    def refusal(self, refused: Refused) -> Answer:
        """Returns a refusal as Kraken words it: with status 200, except where a fault asks for another."""
        message = refused.message if refused.message.startswith("E") else "EGeneral:Invalid arguments"
        status = 200 if refused.status == 400 else refused.status
        return Answer(status, compact({"error": [message]}))

    def _time(self, request: Request) -> bytes:
        moment = datetime.fromtimestamp(int(request.at), UTC)
        result = {"unixtime": int(request.at), "rfc1123": f"{moment:%a, %d %b %y %H:%M:%S} +0000"}
        return compact({"error": [], "result": result})

    def _assets(self, _asked: Request) -> bytes:
        asset = {"aclass": "currency", "decimals": 10, "display_decimals": 5, "status": "enabled"}
        names = {f"X{one.base}": one.base for one in PAIRS.values()} | {"ZUSD": "USD"}
        return compact({"error": [], "result": {key: {**asset, "altname": name} for key, name in names.items()}})

    def _pairs(self, _asked: Request) -> bytes:
        return compact({"error": [], "result": {name: _described(one) for name, one in PAIRS.items()}})

    def _candles(self, request: Request) -> Page:
        name, listing = _listing(request)
        minutes = request.params.get("interval", "1")
        interval = _INTERVALS.get(int(minutes) if minutes.isdigit() else 0)
        if interval is None:
            raise Refused(0, "EGeneral:Invalid arguments:interval")
        history = candles(self._library, request, listing.symbol, interval)
        rows = history.until_time(request.now, _MOST_CANDLES)
        if rows:
            rows[-1] = self._open_candles.as_now(history.series, rows[-1], request.now // 1000)
        told = [_candle(json.loads(row)) for row in rows]
        since = request.number("since") or 0
        shown = [row for opened, row in told if opened > since]
        closed = [opened for opened, _ in told[:-1]]
        return Page(shown, _head(name), b'],"last":%d}}' % (closed[-1] if closed else since))

    def _trades(self, request: Request) -> Page:
        name, listing = _listing(request)
        limit = min(request.number("count") or _MOST_TRADES, _MOST_TRADES)
        history = trades(self._library, request, listing.symbol, _TRADE)
        since = request.number("since")
        if since is None:
            rows = history.until_time(request.now, limit)
        else:
            nanoseconds = since if since >= _FIRST_NANOSECONDS else since * 1_000_000_000
            rows = history.from_time(nanoseconds // 1000 + 1, request.now, limit)
        last = _nanoseconds(rows[-1]) if rows else since or 0
        return Page(rows, _head(name), b'],"last":"%d"}}' % last)


def _listing(request: Request) -> tuple[str, Listing]:
    pair = request.params.get("pair", "").upper()
    for name, one in PAIRS.items():
        if pair in (name, f"{one.base}{one.quote}", f"{one.base}/{one.quote}"):
            return name, one
    raise Refused(0, "EQuery:Unknown asset pair")


def _head(name: str) -> bytes:
    return b'{"error":[],"result":{"%s":[' % name.encode()


def _described(listing: Listing) -> dict[str, object]:
    return {
        "altname": f"{listing.base}{listing.quote}",
        "wsname": f"{listing.base}/{listing.quote}",
        "aclass_base": "currency",
        "base": f"X{listing.base}",
        "aclass_quote": "currency",
        "quote": f"Z{listing.quote}",
        "pair_decimals": 2,
        "lot_decimals": 8,
        "cost_decimals": 5,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "ordermin": "0.0001",
        "costmin": "0.5",
        "tick_size": "0.01",
        "status": "online",
    }


def _candle(row: list[str | int]) -> tuple[int, bytes]:
    opened = int(row[0]) // 1000
    first, high, low, last, volume = (str(value) for value in row[1:6])
    average = average_price(str(row[7]), volume, last)
    told = f'[{opened},"{first}","{high}","{low}","{last}","{average}","{volume}",{row[8]}]'
    return opened, told.encode()


def _trade(_series: DatasetSeries, row: list[str], _unit: TimeUnit) -> str:
    instant = microseconds(row[4])
    # Kraken tells the taker's side.
    side = "s" if row[5].lower() == "true" else "b"
    seconds = f"{instant // 1_000_000}.{instant % 1_000_000:06d}"
    return f'["{row[1]}","{row[2]}",{seconds},"{side}","l","",{row[0]}]'


_TRADE = RowShape(_trade, time_field=4, id_field=0)


def _nanoseconds(row: bytes) -> int:
    return int(row.split(b",")[2].replace(b".", b"")) * 1000
