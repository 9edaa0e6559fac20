"""Binance's public REST API: spot, um (`fapi`) and cm (`dapi`), each a mount of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from crypto_lakehouse.vocabulary import DataType, Interval, Market, TimeUnit
from tests.fakes.exchange.budget import Budget, Charge, Pool
from tests.fakes.exchange.encoding import AGG_TRADE, KLINE, TRADE, RowShape
from tests.fakes.exchange.futures_rows import funding_shape, metrics_shape, metrics_until
from tests.fakes.exchange.history import History, Library
from tests.fakes.exchange.market_info import WEIGHT_LIMITS, exchange_info, funding_info
from tests.fakes.exchange.open_candle import OpenCandles
from tests.fakes.exchange.protocol import Answer, Page, Refused, Request, compact
from tests.fakes.exchange.series import DatasetSeries
from tests.fakes.exchange.symbols import Symbols, pair_of

_HOUR, _DAY = 3_600_000_000, 86_400_000_000
_LONGEST_SEARCH = 2 * _DAY
_METRICS_KEPT = 30 * _DAY
_FIRST_MICROSECONDS = 10**14
_API = {Market.SPOT: "api/v3", Market.UM: "fapi/v1", Market.CM: "dapi/v1"}
_INTERVALS = {("1M" if one is Interval.MO1 else one.value): one for one in Interval}
_SPOT_WEIGHTS = {"klines": 2, "aggTrades": 4, "historicalTrades": 25, "exchangeInfo": 20}
_FUTURES_WEIGHTS = {"aggTrades": 20, "historicalTrades": 200}
_KLINE_TYPES = {
    "klines": DataType.KLINES,
    "markPriceKlines": DataType.MARK_PRICE_KLINES,
    "indexPriceKlines": DataType.INDEX_PRICE_KLINES,
    "premiumIndexKlines": DataType.PREMIUM_INDEX_KLINES,
}
_RATIOS = (
    "topLongShortAccountRatio",
    "topLongShortPositionRatio",
    "globalLongShortAccountRatio",
    "takerlongshortRatio",
)

Handler = Callable[[Request], Page | bytes]


@dataclass(frozen=True, slots=True)
class Paging:
    """How many rows an endpoint gives; what asks for more is cut on spot and refused on futures."""

    default: int
    most: int


def kline_weight(limit: int) -> int:
    """Returns what futures klines cost, by the bands of the documentation.

    >>> [kline_weight(limit) for limit in (99, 100, 499, 500, 1000, 1001)]
    [1, 2, 2, 5, 5, 10]
    """
    return next((weight for most, weight in ((99, 1), (499, 2), (1000, 5)) if limit <= most), 10)


class BinanceMount:
    """One market's API."""

    def __init__(
        self, market: Market, library: Library, symbols: Symbols, shares_budget_with: "BinanceMount | None" = None
    ) -> None:
        self.budget = Budget(WEIGHT_LIMITS[market], shares_budget_with.budget if shares_budget_with else None)
        self._market = market
        self._library = library
        self._symbols = symbols
        self._open_candles = OpenCandles()
        self._funding = funding_shape(library.source, market)
        self._metrics = {name: metrics_shape(name, market) for name in ("openInterestHist", *_RATIOS)}
        self._handlers = self._all_handlers()

    def charge(self, request: Request) -> Charge:
        """Returns what the request costs."""
        name = request.endpoint
        if request.path.startswith("futures/data/"):
            return Charge(Pool.DATA, 1)
        if name in ("fundingRate", "fundingInfo"):
            return Charge(Pool.FUNDING, 1)
        if self._market is Market.SPOT:
            return Charge(Pool.WEIGHT, _SPOT_WEIGHTS.get(name, 1))
        if name in _KLINE_TYPES:
            limit = request.params.get("limit", "")
            return Charge(Pool.WEIGHT, kline_weight(int(limit) if limit.isdigit() else 500))
        return Charge(Pool.WEIGHT, _FUTURES_WEIGHTS.get(name, 1))

    def respond(self, request: Request) -> Page | bytes:
        """Returns the answer's rows, or its body.

        Raises:
            Refused: Binance would refuse the request.
        """
        handler = self._handlers.get(request.path)
        if handler is None:
            raise Refused(-5000, f"Path /{request.path}, Method GET is invalid", 404)
        return handler(request)

    def refusal(self, refused: Refused) -> Answer:
        """Returns a refusal as Binance words it."""
        return Answer(refused.status, compact({"code": refused.code, "msg": refused.message}))

    def _all_handlers(self) -> dict[str, Handler]:
        api, is_spot = _API[self._market], self._market is Market.SPOT
        handlers: dict[str, Handler] = {
            f"{api}/ping": lambda _asked: b"{}",
            f"{api}/time": self._time,
            f"{api}/exchangeInfo": lambda request: exchange_info(
                self._market, self._symbols, _stamp(request.now, self._unit(request))
            ),
            f"{api}/aggTrades": self._agg_trades,
            f"{api}/historicalTrades": self._historical_trades,
        }
        for name, data_type in _KLINE_TYPES.items():
            if data_type is DataType.KLINES or not is_spot:
                handlers[f"{api}/{name}"] = partial(self._klines, data_type)
        return handlers if is_spot else handlers | self._futures_handlers(api)

    def _futures_handlers(self, api: str) -> dict[str, Handler]:
        ratios = _RATIOS if self._market is Market.UM else ()
        return {
            f"{api}/fundingRate": self._funding_rates,
            f"{api}/fundingInfo": lambda _asked: funding_info(self._market, self._symbols),
            **{f"futures/data/{name}": self._metrics_rows for name in ("openInterestHist", *ratios)},
        }

    def _time(self, request: Request) -> bytes:
        return b'{"serverTime":%d}' % _stamp(request.now, self._unit(request))

    def _klines(self, data_type: DataType, request: Request) -> Page:
        of_pair = data_type is DataType.INDEX_PRICE_KLINES
        symbol = self._symbol(request, "pair" if of_pair else "symbol")
        interval = _INTERVALS.get(request.text("interval"))
        if interval is None or (interval is Interval.S1 and self._market is not Market.SPOT):
            raise Refused(-1120, "Invalid interval.")
        limit = self._limit(request, Paging(500, 1000 if self._market is Market.SPOT else 1500))
        history = self._history(request, DatasetSeries.of(self._market, data_type, symbol, interval), KLINE)
        return self._candles(request, history, self._between(request, history, limit))

    def _candles(self, request: Request, history: History, rows: list[bytes]) -> Page:
        now = _stamp(request.now, history.unit)

        def open_candle() -> bytes | None:
            newest = history.until_time(request.now, 1)
            is_open = bool(newest) and json.loads(newest[-1])[6] >= now
            return self._open_candles.as_now(history.series, newest[-1], now) if is_open else None

        if rows:
            rows[-1] = self._open_candles.as_now(history.series, rows[-1], now)
        return Page(rows, open_candle=open_candle)

    def _agg_trades(self, request: Request) -> Page:
        symbol, limit = self._symbol(request), self._limit(request, Paging(500, 1000))
        history = self._history(request, DatasetSeries.of(self._market, DataType.AGG_TRADES, symbol), AGG_TRADE)
        start, end = self._instant(request, "startTime"), self._instant(request, "endTime", is_end=True)
        from_id = request.number("fromId")
        if self._market is not Market.SPOT and start is not None and end is not None and end - start >= _HOUR + 1000:
            raise Refused(-1127, "More than 1 hours between startTime and endTime.")
        if self._market is not Market.SPOT:
            _refuse_too_old(request, history, (start, end), from_id)
        if from_id is None:
            return Page(self._between(request, history, limit))
        if start is not None or end is not None:
            raise Refused(-1128, "Combination of optional parameters invalid.")
        return Page(history.from_id(from_id, limit))

    def _historical_trades(self, request: Request) -> Page:
        if self._market is not Market.SPOT and not request.headers.get("x-mbx-apikey"):
            raise Refused(-2014, "API-key format invalid.", 401)
        paging = Paging(500, 1000) if self._market is Market.SPOT else Paging(100, 500)
        symbol, limit = self._symbol(request), self._limit(request, paging)
        history = self._history(request, DatasetSeries.of(self._market, DataType.TRADES, symbol), TRADE)
        from_id = request.number("fromId")
        return Page(history.until_time(request.now, limit) if from_id is None else history.from_id(from_id, limit))

    def _funding_rates(self, request: Request) -> Page:
        symbol, limit = self._symbol(request), self._limit(request, Paging(100, 1000))
        history = self._history(request, DatasetSeries.of(self._market, DataType.FUNDING_RATE, symbol), self._funding)
        return Page(self._between(request, history, limit))

    def _metrics_rows(self, request: Request) -> Page:
        symbol = self._metrics_symbol(request)
        if request.text("period") != "5m":
            raise _invalid("period")
        limit = self._limit(request, Paging(30, 500))
        for name in ("startTime", "endTime"):
            instant = self._instant(request, name)
            if instant is not None and instant < request.now - _METRICS_KEPT:
                raise _invalid(name)
        series = DatasetSeries.of(self._market, DataType.METRICS, symbol)
        shape = self._metrics[request.endpoint]
        until = metrics_until(request.now)
        history = self._library.history(series, shape, until, TimeUnit.MILLISECONDS)
        return Page(self._between(request, history, limit))

    def _metrics_symbol(self, request: Request) -> str:
        if self._market is Market.UM:
            return self._symbol(request)
        pair = self._symbol(request, "pair")
        if request.text("contractType") != "PERPETUAL":
            raise _invalid("contractType")
        return f"{pair}_PERP"

    def _history(self, request: Request, series: DatasetSeries, shape: RowShape) -> History:
        return self._library.history(series, shape, request.now, self._unit(request))

    def _between(self, request: Request, history: History, limit: int) -> list[bytes]:
        start, end = self._instant(request, "startTime"), self._instant(request, "endTime", is_end=True)
        end = request.now if end is None else end
        if start is None:
            return history.until_time(end, limit)
        if start > end and self._market is not Market.SPOT and "endTime" in request.params:
            raise Refused(-1023, "Start time is greater than end time.")
        return history.from_time(start, end, limit)

    def _symbol(self, request: Request, name: str = "symbol") -> str:
        symbol = request.text(name)
        listed = self._symbols.of(self._market)
        if symbol not in (listed if name == "symbol" else tuple(map(pair_of, listed))):
            raise Refused(-1121, "Invalid symbol.")
        return symbol

    def _limit(self, request: Request, paging: Paging) -> int:
        limit = request.number("limit")
        if limit == 0 or (limit is not None and limit > paging.most and self._market is not Market.SPOT):
            raise _invalid("limit")
        return paging.default if limit is None else min(limit, paging.most)

    def _unit(self, request: Request) -> TimeUnit:
        wants_micro = request.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"
        is_micro = wants_micro and self._market is Market.SPOT
        return TimeUnit.MICROSECONDS if is_micro else TimeUnit.MILLISECONDS

    def _instant(self, request: Request, name: str, *, is_end: bool = False) -> int | None:
        """Returns an instant in microseconds; spot takes both units, and a millisecond lasts to its end."""
        value = request.number(name)
        if value is None or (self._market is Market.SPOT and value >= _FIRST_MICROSECONDS):
            return value
        return value * 1000 + (999 if is_end else 0)


def _refuse_too_old(
    request: Request, history: History, span: tuple[int | None, int | None], from_id: int | None
) -> None:
    oldest = request.now - _LONGEST_SEARCH
    is_too_old = any(instant is not None and instant < oldest for instant in span)
    if from_id is not None:
        first = history.first_id(oldest)
        is_too_old = is_too_old or (first is not None and from_id < first)
    if is_too_old:
        raise Refused(-4166, "Search window is restricted to recent 2 days only.")


def _stamp(instant: int, unit: TimeUnit) -> int:
    return instant if unit is TimeUnit.MICROSECONDS else instant // 1000


def _invalid(name: str) -> Refused:
    return Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
