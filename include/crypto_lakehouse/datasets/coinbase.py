"""The datasets of Coinbase: spot, without an archive; all rows come from REST."""

from crypto_lakehouse import columns as c
from crypto_lakehouse import layouts
from crypto_lakehouse.datasets.parts import ALWAYS, PLAIN_TICK_RULES, plain_kline_rules
from crypto_lakehouse.endpoints import coinbase as rest
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, Exchange, Interval, Market, PartitionSpan, Witness

COINBASE = (
    Dataset(
        exchange=Exchange.COINBASE,
        market=Market.SPOT,
        data_type=DataType.KLINES,
        witness=Witness.OBJECT,
        frequencies=(),
        rest=rest.KLINES,
        intervals=(Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.H6, Interval.D1),
        layouts=(layouts.COINBASE_KLINE,),
        columns=c.PLAIN_KLINE_COLUMNS,
        key=("open_time",),
        event_time="open_time",
        span=PartitionSpan.MONTH,
        # No GRID_COMPLETE: where nothing was traded there is no candle.
        expectations=plain_kline_rules("base_volume"),
        description="Coinbase spot candles",
        sample_symbol="BTC-USD",
        notes=("Where nothing was traded there is no candle: an absent one is no hole.",),
    ),
    Dataset(
        exchange=Exchange.COINBASE,
        market=Market.SPOT,
        data_type=DataType.TRADES,
        witness=Witness.IDS,
        frequencies=(),
        rest=rest.TRADES,
        layouts=(layouts.COINBASE_TRADE,),
        columns=c.COINBASE_TRADE_COLUMNS,
        key=("trade_id",),
        event_time="trade_time",
        span=PartitionSpan.DAY,
        expectations=(*ALWAYS, Expectation(Check.IDS_CONTIGUOUS, ("trade_id",), degrades=True), *PLAIN_TICK_RULES),
        description="Every Coinbase spot trade",
        sample_symbol="BTC-USD",
    ),
)
