"""THE TABLE: every dataset of the lake, declared once. All else is derived from these rows.

What the archive holds was established from its listings and from real files; see docs/datasets.md, which is
generated from here. Standard library only: DAG files import this at parse time.
"""

from datetime import date
from types import MappingProxyType
from typing import Any

from crypto_lakehouse import columns as c
from crypto_lakehouse import endpoints
from crypto_lakehouse.errors import InvalidRequest, SpecificationError
from crypto_lakehouse.spec import Check, Dataset, Expectation, TimeEncoding
from crypto_lakehouse.vocabulary import DataType, Exchange, Frequency, Interval, Market, PartitionSpan

_BOTH = (Frequency.DAILY, Frequency.MONTHLY)
_DAILY = (Frequency.DAILY,)
_MONTHLY = (Frequency.MONTHLY,)
# The 3d, 1w and 1mo trees under daily died in 2023: in practice they exist under monthly only.
_MONTHLY_ONLY_INTERVALS = (Interval.D3, Interval.W1, Interval.MO1)
# A change rebuilds a whole partition. A month of 1s klines is 2,678,400 rows, so they go by day (86,400 rows). A month
# of 1m klines is 44,640 rows, and of longer ones fewer. A year of these would be few rows too, but read from up to 365
# daily files, and one bad file would hide a year.
_DAILY_SECONDS = ((Interval.S1, PartitionSpan.DAY),)
_FUTURES_INTERVALS = tuple(interval for interval in Interval if interval is not Interval.S1)

_ALWAYS = (Expectation(Check.KEY_UNIQUE), Expectation(Check.TIME_ORDERED), Expectation(Check.WITHIN_PARTITION))
_GRID = (
    Expectation(Check.GRID_COMPLETE, degrades=True),
    Expectation(Check.ON_GRID, degrades=True),
    Expectation(Check.CLOSE_TIME, degrades=True),
)
_OHLC = (Expectation(Check.OHLC_ORDERED, ("open", "high", "low", "close")),)
# A hundredfold move between neighbours is a misplaced decimal point more often than a market.
_SPIKE = (Expectation(Check.NO_PRICE_SPIKE, ("close",), degrades=True, limit=10.0),)
_TICK_SPIKE = (Expectation(Check.NO_PRICE_SPIKE, ("price",), degrades=True, limit=10.0),)
_HOURS = (Expectation(Check.HOURS_COVERED, degrades=True),)


def _positive(*names: str) -> Expectation:
    return Expectation(Check.PRICES_POSITIVE, names)


def _not_negative(*names: str) -> Expectation:
    return Expectation(Check.QUANTITIES_NOT_NEGATIVE, names)


_KLINES = _ALWAYS + _GRID + _OHLC
_LINEAR_KLINES = (
    *_KLINES,
    _positive("open", "high", "low", "close"),
    _not_negative("base_volume", "quote_volume", "trade_count", "taker_buy_base_volume", "taker_buy_quote_volume"),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_base_volume", "base_volume")),
    *_SPIKE,
)
_INVERSE_KLINES = (
    *_KLINES,
    _positive("open", "high", "low", "close"),
    _not_negative(
        "contract_volume", "base_volume", "trade_count", "taker_buy_contract_volume", "taker_buy_base_volume"
    ),
    Expectation(Check.TAKER_WITHIN_TOTAL, ("taker_buy_contract_volume", "contract_volume")),
    *_SPIKE,
)
_PRICE_KLINES = (*_KLINES, _positive("open", "high", "low", "close"), _not_negative("sample_count"), *_SPIKE)


def _agg_trade_rules(quantity: str) -> tuple[Expectation, ...]:
    # Holes in aggregate ids exist without a known cause (binance-public-data issues 363, 378): said, not refused.
    contiguous = Expectation(Check.IDS_CONTIGUOUS, ("agg_trade_id",), degrades=True)
    return (*_ALWAYS, contiguous, _positive("price"), _not_negative(quantity), *_TICK_SPIKE, *_HOURS)


def _trade_rules(*quantities: str) -> tuple[Expectation, ...]:
    return (
        *_ALWAYS,
        Expectation(Check.IDS_INCREASING, ("trade_id",)),
        _positive("price"),
        _not_negative(*quantities),
        *_TICK_SPIKE,
        *_HOURS,
    )


def _book_ticker_rules(quantity: str) -> tuple[Expectation, ...]:
    return (
        *_ALWAYS,
        _positive("best_bid_price", "best_ask_price"),
        _not_negative(f"best_bid_{quantity}", f"best_ask_{quantity}"),
        Expectation(Check.SPREAD_NOT_NEGATIVE, ("best_bid_price", "best_ask_price"), degrades=True),
        *_HOURS,
    )


_BOOK_DEPTH_RULES = (
    *_ALWAYS,
    _not_negative("depth", "notional"),
    Expectation(Check.NOT_STALE, ("percentage", "depth"), degrades=True),
    *_HOURS,
)
_METRICS_RULES = (
    *_ALWAYS,
    Expectation(Check.GRID_COMPLETE, degrades=True, limit=300.0),
    _not_negative("open_interest", "open_interest_value"),
)
_FUNDING_RULES = (
    *_ALWAYS,
    Expectation(Check.FUNDING_ON_BOUNDARY, ("calc_time", "funding_time"), limit=60.0),
    Expectation(Check.FUNDING_INTERVAL_KNOWN, ("funding_interval_hours",)),
)


def _liquidation_rules(quantity: str) -> tuple[Expectation, ...]:
    names = (f"original_{quantity}", f"last_fill_{quantity}", f"accumulated_fill_{quantity}")
    return (*_ALWAYS, _positive("price", "average_price"), _not_negative(*names))


def _binance(market: Market, data_type: DataType, **row: Any) -> Dataset:
    rest = endpoints.rest_source(market, data_type)
    return Dataset(exchange=Exchange.BINANCE, market=market, data_type=data_type, rest=rest, **row)


def _kline_shape(market: Market) -> dict[str, Any]:
    spot = market is Market.SPOT
    return {
        "frequencies": _BOTH,
        "intervals": tuple(Interval) if spot else _FUTURES_INTERVALS,
        "monthly_only_intervals": _MONTHLY_ONLY_INTERVALS,
        "layouts": (c.SPOT_KLINE_LAYOUT if spot else c.FUTURES_KLINE_LAYOUT,),
        "key": ("open_time",),
        "event_time": "open_time",
        "span": PartitionSpan.MONTH,
        "interval_spans": _DAILY_SECONDS if spot else (),
    }


def _tick_shape(key: str, event_time: str) -> dict[str, Any]:
    return {"frequencies": _BOTH, "key": (key,), "event_time": event_time, "span": PartitionSpan.DAY}


_SPOT = (
    _binance(
        Market.SPOT,
        DataType.KLINES,
        **_kline_shape(Market.SPOT),
        columns=c.LINEAR_KLINE_COLUMNS,
        expectations=_LINEAR_KLINES,
        # Monthly files disagree with daily ones on 2020-12-21, 2021-09-29 and more (issue 475): daily rows win.
        both_frequencies=True,
        description="Spot candles with taker volumes; microseconds from 2025-01-01",
    ),
    _binance(
        Market.SPOT,
        DataType.AGG_TRADES,
        **_tick_shape("agg_trade_id", "transact_time"),
        layouts=(c.SPOT_AGG_TRADE_LAYOUT,),
        columns=c.agg_trade_columns("base_quantity", "base", best_match=True),
        expectations=_agg_trade_rules("base_quantity"),
        description="Spot trades, those of one taker order at one price summed; microseconds from 2025-01-01",
    ),
    _binance(
        Market.SPOT,
        DataType.TRADES,
        **_tick_shape("trade_id", "trade_time"),
        layouts=(c.SPOT_TRADE_LAYOUT,),
        columns=c.trade_columns(c.BASE_QUANTITY, c.QUOTE_QUANTITY, best_match=True),
        expectations=_trade_rules("base_quantity", "quote_quantity"),
        description="Every spot trade; microseconds from 2025-01-01",
    ),
)


def _futures(market: Market) -> tuple[Dataset, ...]:
    inverse = market is Market.CM
    symbol = "BTCUSD_PERP" if inverse else "BTCUSDT"
    quantity, unit = ("contract_quantity", "contracts") if inverse else ("base_quantity", "base")
    words = "COIN-M (inverse)" if inverse else "USD-M"
    trades = (c.CONTRACT_QUANTITY, c.INVERSE_BASE_QUANTITY) if inverse else (c.BASE_QUANTITY, c.QUOTE_QUANTITY)
    return (
        _binance(
            market,
            DataType.KLINES,
            **_kline_shape(market),
            columns=c.INVERSE_KLINE_COLUMNS if inverse else c.LINEAR_KLINE_COLUMNS,
            expectations=_INVERSE_KLINES if inverse else _LINEAR_KLINES,
            description=f"{words} futures candles with taker volumes" + (", volume in contracts" if inverse else ""),
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.MARK_PRICE_KLINES,
            **_kline_shape(market),
            columns=c.price_kline_columns("mark price", "quote per base"),
            expectations=_PRICE_KLINES,
            description=f"{words} mark price candles; no volume, samples instead of trades",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.INDEX_PRICE_KLINES,
            **_kline_shape(market),
            columns=c.price_kline_columns("index price", "quote per base"),
            expectations=_PRICE_KLINES,
            description=f"{words} index price candles" + (", keyed by pair" if inverse else ""),
            sample_symbol="BTCUSD" if inverse else symbol,
        ),
        _binance(
            market,
            DataType.PREMIUM_INDEX_KLINES,
            **_kline_shape(market),
            columns=c.price_kline_columns("premium index", "1"),
            # A premium may be negative or cross zero: neither positivity nor a ratio of neighbours says anything.
            expectations=(*_KLINES, _not_negative("sample_count")),
            description=f"{words} premium index candles: distance of the contract from its index",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.AGG_TRADES,
            **_tick_shape("agg_trade_id", "transact_time"),
            layouts=(c.FUTURES_AGG_TRADE_LAYOUT,),
            columns=c.agg_trade_columns(quantity, unit, best_match=False),
            expectations=_agg_trade_rules(quantity),
            description=f"{words} trades, those of one taker order at one price summed",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.TRADES,
            **_tick_shape("trade_id", "trade_time"),
            layouts=(c.CM_TRADE_LAYOUT if inverse else c.UM_TRADE_LAYOUT,),
            columns=c.trade_columns(*trades, best_match=False),
            expectations=_trade_rules(trades[0].name, trades[1].name),
            description=f"Every {words} trade",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.BOOK_TICKER,
            **_tick_shape("update_id", "transaction_time"),
            layouts=(c.BOOK_TICKER_LAYOUT,),
            columns=c.book_ticker_columns(quantity, unit),
            expectations=_book_ticker_rules(quantity),
            description=f"{words} best bid and ask at every change",
            ended=date(2024, 3, 30),
            state="ended 2024-03-30; the last monthly file, 2024-04, is partial",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.BOOK_DEPTH,
            frequencies=_DAILY,
            layouts=(c.BOOK_DEPTH_LAYOUT,),
            columns=c.book_depth_columns(unit, "base" if inverse else "quote"),
            key=("snapshot_time", "percentage"),
            event_time="snapshot_time",
            span=PartitionSpan.MONTH,
            time_encoding=TimeEncoding.TEXT,
            expectations=_BOOK_DEPTH_RULES,
            description=f"{words} resting depth in percentage bands, every 30 s or so",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.METRICS,
            frequencies=_DAILY,
            layouts=(c.METRICS_LAYOUT,),
            columns=c.metrics_columns(unit, "base" if inverse else "quote"),
            key=("period_start",),
            event_time="period_start",
            span=PartitionSpan.YEAR,
            time_encoding=TimeEncoding.TEXT,
            # A stamp is the end of its period or drifts by seconds, so a file holds rows just past its day.
            day_tolerance_seconds=600,
            expectations=_METRICS_RULES,
            description=f"{words} open interest and long/short ratios, every 5 minutes",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.FUNDING_RATE,
            frequencies=_MONTHLY,
            layouts=(c.FUNDING_LAYOUT,),
            columns=c.FUNDING_COLUMNS,
            key=("funding_time",),
            event_time="funding_time",
            span=PartitionSpan.YEAR,
            # The stamp jitters around the boundary, which at a month's end is the next month's.
            day_tolerance_seconds=60,
            expectations=_FUNDING_RULES,
            description=f"{words} funding payments",
            sample_symbol=symbol,
        ),
        _binance(
            market,
            DataType.LIQUIDATION_SNAPSHOT,
            frequencies=_DAILY,
            layouts=(c.LIQUIDATION_LAYOUT, c.LIQUIDATION_WITH_SYMBOL_LAYOUT),
            columns=c.liquidation_columns(quantity, unit),
            # There is no id: the whole row identifies it, and since the archive doubled every row
            # (issues 259, 337), two equal rows are taken for one.
            key=tuple(column.name for column in c.liquidation_columns(quantity, unit)),
            event_time="order_time",
            span=PartitionSpan.YEAR,
            expectations=_liquidation_rules(quantity),
            description=f"{words} forced orders, at most one per symbol and second",
            ended=date(2024, 10, 14) if inverse else date(2024, 3, 31),
            state="ended 2024-10-14" if inverse else "ended 2024-03-31 and withdrawn; copies exist elsewhere",
            sample_symbol=symbol,
        ),
    )


_OPTION = (
    _binance(
        Market.OPTION,
        DataType.BVOL_INDEX,
        frequencies=_DAILY,
        layouts=(c.BVOL_LAYOUT,),
        columns=c.BVOL_COLUMNS,
        key=("calc_time",),
        event_time="calc_time",
        span=PartitionSpan.MONTH,
        expectations=(*_ALWAYS, _positive("index_value"), *_HOURS),
        description="Implied volatility index of BTC and ETH options, every second or so",
        state="live, with holes: 21 days from 2025-12-15 among them",
        sample_symbol="BTCBVOLUSDT",
    ),
    _binance(
        Market.OPTION,
        DataType.EOH_SUMMARY,
        frequencies=_DAILY,
        layouts=(c.EOH_LAYOUT,),
        columns=c.EOH_COLUMNS,
        key=("hour_time", "option_symbol"),
        event_time="hour_time",
        span=PartitionSpan.MONTH,
        time_encoding=TimeEncoding.DATE_AND_HOUR,
        expectations=(
            *_ALWAYS,
            _not_negative("contract_volume", "quote_volume", "open_interest_contracts", "open_interest_value"),
            *_HOURS,
        ),
        description="Options at the end of each hour: prices, volatilities, greeks, open interest",
        ended=date(2023, 10, 23),
        state="2023-05-18 to 2023-10-23, 12 days missing",
    ),
)


def _plain_kline_rules(*quantities: str) -> tuple[Expectation, ...]:
    on_grid = Expectation(Check.ON_GRID, degrades=True)
    positive = _positive("open", "high", "low", "close")
    return (*_ALWAYS, on_grid, *_OHLC, positive, _not_negative(*quantities), *_SPIKE)


_PLAIN_TICKS = (_positive("price"), _not_negative("base_quantity"), *_TICK_SPIKE, *_HOURS)


def _asked(exchange: Exchange, data_type: DataType, **row: Any) -> Dataset:
    """Returns a spot dataset that has no archive: all its rows are asked of the exchange."""
    is_kline = data_type is DataType.KLINES
    shape: dict[str, Any] = {
        "frequencies": (),
        "key": ("open_time",) if is_kline else ("trade_id",),
        "event_time": "open_time" if is_kline else "trade_time",
        "span": PartitionSpan.MONTH if is_kline else PartitionSpan.DAY,
    }
    return Dataset(exchange=exchange, market=Market.SPOT, data_type=data_type, **shape, **row)


_COINBASE = (
    _asked(
        Exchange.COINBASE,
        DataType.KLINES,
        rest=endpoints.COINBASE_KLINES,
        intervals=(Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.H6, Interval.D1),
        layouts=(c.COINBASE_KLINE_LAYOUT,),
        columns=c.PLAIN_KLINE_COLUMNS,
        # No GRID_COMPLETE: where nothing was traded there is no candle.
        expectations=_plain_kline_rules("base_volume"),
        description="Coinbase spot candles",
        sample_symbol="BTC-USD",
        notes=("Where nothing was traded there is no candle: an absent one is no hole.",),
    ),
    _asked(
        Exchange.COINBASE,
        DataType.TRADES,
        rest=endpoints.COINBASE_TRADES,
        layouts=(c.COINBASE_TRADE_LAYOUT,),
        columns=c.COINBASE_TRADE_COLUMNS,
        expectations=(*_ALWAYS, Expectation(Check.IDS_CONTIGUOUS, ("trade_id",), degrades=True), *_PLAIN_TICKS),
        description="Every Coinbase spot trade",
        sample_symbol="BTC-USD",
    ),
)
_KRAKEN = (
    _asked(
        Exchange.KRAKEN,
        DataType.KLINES,
        rest=endpoints.KRAKEN_KLINES,
        # Weeks and fortnights exist too; on which day they begin is not said.
        intervals=(
            *(Interval.M1, Interval.M5, Interval.M15, Interval.M30),
            *(Interval.H1, Interval.H4, Interval.D1),
        ),
        layouts=(c.KRAKEN_KLINE_LAYOUT,),
        columns=c.KRAKEN_KLINE_COLUMNS,
        expectations=(
            *_plain_kline_rules("base_volume", "average_price", "trade_count"),
            # A minute without trades has a candle of the last price.
            Expectation(Check.GRID_COMPLETE, degrades=True),
        ),
        description="Kraken spot candles with the average price and the number of trades",
        sample_symbol="XBTUSD",
        notes=("Only the newest 720 candles are ever answered, 12 hours of 1m: what was not asked in time is lost.",),
    ),
    _asked(
        Exchange.KRAKEN,
        DataType.TRADES,
        rest=endpoints.KRAKEN_TRADES,
        layouts=(c.KRAKEN_TRADE_LAYOUT,),
        columns=c.KRAKEN_TRADE_COLUMNS,
        expectations=(*_ALWAYS, Expectation(Check.IDS_INCREASING, ("trade_id",), degrades=True), *_PLAIN_TICKS),
        description="Every Kraken spot trade",
        sample_symbol="XBTUSD",
    ),
)

DATASETS: tuple[Dataset, ...] = (
    *_SPOT,
    *_futures(Market.UM),
    *_futures(Market.CM),
    *_OPTION,
    *_COINBASE,
    *_KRAKEN,
)
"""Every dataset, in the order of the documentation."""

_BY_NAME = MappingProxyType({row.name: row for row in DATASETS})
if len(_BY_NAME) != len(DATASETS):
    raise SpecificationError("two rows of the table have one name")


def dataset(name: str) -> Dataset:
    """Returns the row called `name`.

    Raises:
        InvalidRequest: There is no such dataset.
    """
    if name not in _BY_NAME:
        raise InvalidRequest(f"no dataset is called {name!r}", f"Known: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
