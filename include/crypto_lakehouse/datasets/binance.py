"""The datasets of Binance: spot, both futures markets, options."""

from datetime import date
from functools import partial

from crypto_lakehouse import columns as c
from crypto_lakehouse import layouts
from crypto_lakehouse.datasets.binance_futures import CM, UM
from crypto_lakehouse.datasets.parts import (
    ALWAYS,
    DAILY,
    DAILY_AND_MONTHLY,
    EOH_RULES,
    LINEAR_KLINE_RULES,
    LINEAR_VALUE,
    MONTHLY_ONLY_INTERVALS,
    SECONDS_BY_DAY,
    SPOT_INTERVALS,
    agg_trade_rules,
    no_pause,
    positive,
    trade_rules,
)
from crypto_lakehouse.endpoints import binance as rest
from crypto_lakehouse.spec import Dataset, TimeEncoding
from crypto_lakehouse.vocabulary import DataType, Exchange, Market, PartitionSpan, Witness

_spot = partial(Dataset, exchange=Exchange.BINANCE, market=Market.SPOT, frequencies=DAILY_AND_MONTHLY)
_option = partial(Dataset, exchange=Exchange.BINANCE, market=Market.OPTION, frequencies=DAILY)

SPOT = (
    _spot(
        data_type=DataType.KLINES,
        witness=Witness.GRID,
        rest=rest.klines(Market.SPOT),
        intervals=SPOT_INTERVALS,
        monthly_only_intervals=MONTHLY_ONLY_INTERVALS,
        interval_spans=SECONDS_BY_DAY,
        layouts=(layouts.SPOT_KLINE,),
        columns=c.LINEAR_KLINE_COLUMNS,
        key=("open_time",),
        event_time="open_time",
        span=PartitionSpan.MONTH,
        expectations=LINEAR_KLINE_RULES,
        # Monthly files disagree with daily ones on 2020-12-21, 2021-09-29 and more (issue 475): daily rows win.
        both_frequencies=True,
        description="Spot candles with taker volumes; microseconds from 2025-01-01",
        notes=(
            "Evidence: in all 4,368 rows of five real files, quote volume is from volume x low to volume x high.",
            "The column `ignore` is 0 in all of these rows. It is not kept.",
        ),
    ),
    _spot(
        data_type=DataType.AGG_TRADES,
        witness=Witness.IDS,
        rest=rest.agg_trades(Market.SPOT),
        layouts=(layouts.SPOT_AGG_TRADE,),
        columns=c.agg_trade_columns("base_quantity", "base", best_match=True),
        key=("agg_trade_id",),
        event_time="transact_time",
        span=PartitionSpan.DAY,
        expectations=agg_trade_rules("base_quantity"),
        description="Spot trades, aggregated by taker order and price; microseconds from 2025-01-01",
    ),
    _spot(
        data_type=DataType.TRADES,
        witness=Witness.IDS_WITH_HOLES,
        rest=rest.trades(Market.SPOT),
        layouts=(layouts.SPOT_TRADE,),
        columns=c.trade_columns(c.BASE_QUANTITY, c.QUOTE_QUANTITY, best_match=True),
        key=("trade_id",),
        event_time="trade_time",
        span=PartitionSpan.DAY,
        expectations=trade_rules("base_quantity", LINEAR_VALUE),
        description="Every spot trade; microseconds from 2025-01-01",
    ),
)

OPTION = (
    _option(
        data_type=DataType.BVOL_INDEX,
        witness=Witness.CADENCE,
        layouts=(layouts.BVOL,),
        columns=c.BVOL_COLUMNS,
        key=("calc_time",),
        event_time="calc_time",
        span=PartitionSpan.MONTH,
        expectations=(*ALWAYS, positive("index_value"), no_pause(300)),
        description="Implied volatility index of BTC and ETH options, every second or so",
        notes=("Evidence: in the 86,400 rows of a real file, the base asset is the symbol without USDT.",),
        state="live, with holes: 21 days from 2025-12-15 among them",
        sample_symbol="BTCBVOLUSDT",
    ),
    _option(
        data_type=DataType.EOH_SUMMARY,
        witness=Witness.CADENCE,
        layouts=(layouts.EOH,),
        columns=c.EOH_COLUMNS,
        key=("hour_time", "option_symbol"),
        event_time="hour_time",
        span=PartitionSpan.MONTH,
        time_encoding=TimeEncoding.DATE_AND_HOUR,
        expectations=(
            *ALWAYS,
            *EOH_RULES,
            no_pause(3600),
        ),
        description="Options at the end of each hour: prices, volatilities, greeks, open interest",
        retired_ids=(8, 9, 10, 11, 12, 13),
        notes=(
            "Prices and volumes of trades are of the 24 hours before the end of the hour, not of the hour.",
            "Evidence: in all 4,794 rows of the real file of 2023-09-29, `volume_usdt` equals `volume_contracts`.",
            "In the same file `best_buy_iv` is empty in all rows, 586 rows have prices of 0, and 22 have no ask.",
        ),
        ended=date(2023, 10, 23),
        state="2023-05-18 to 2023-10-23, 12 days missing",
    ),
)

BINANCE = (*SPOT, *UM, *CM, *OPTION)
