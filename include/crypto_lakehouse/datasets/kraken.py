"""The datasets of Kraken: spot, without an archive; all rows come from REST."""

from crypto_lakehouse import columns as c
from crypto_lakehouse import layouts
from crypto_lakehouse.datasets.parts import ALWAYS, GRID_COMPLETE, PLAIN_TICK_RULES, plain_kline_rules
from crypto_lakehouse.endpoints import kraken as rest
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, Exchange, Interval, Market, PartitionSpan, Witness

KRAKEN = (
    Dataset(
        exchange=Exchange.KRAKEN,
        market=Market.SPOT,
        data_type=DataType.KLINES,
        witness=Witness.GRID,
        frequencies=(),
        rest=rest.KLINES,
        # Weeks and fortnights exist too; on which day they begin is not documented.
        intervals=(Interval.M1, Interval.M5, Interval.M15, Interval.M30, Interval.H1, Interval.H4, Interval.D1),
        layouts=(layouts.KRAKEN_KLINE,),
        columns=c.KRAKEN_KLINE_COLUMNS,
        key=("open_time",),
        event_time="open_time",
        span=PartitionSpan.MONTH,
        # A minute without trades has a candle of the last price.
        expectations=(
            *plain_kline_rules("base_volume", "average_price", "trade_count"),
            Expectation(Check.COUNT_MATCHES_VOLUME, ("trade_count", "base_volume"), degrades=True),
            Expectation(Check.AVERAGE_WITHIN_PRICES, ("average_price", "low", "high", "base_volume"), degrades=True),
            GRID_COMPLETE,
        ),
        description="Kraken spot candles with the average price and the number of trades",
        sample_symbol="XBTUSD",
        notes=("Only the newest 720 candles are ever answered, 12 hours of 1m: what was not asked in time is lost.",),
    ),
    Dataset(
        exchange=Exchange.KRAKEN,
        market=Market.SPOT,
        data_type=DataType.TRADES,
        witness=Witness.IDS_WITH_HOLES,
        frequencies=(),
        rest=rest.TRADES,
        layouts=(layouts.KRAKEN_TRADE,),
        columns=c.KRAKEN_TRADE_COLUMNS,
        key=("trade_id",),
        event_time="trade_time",
        span=PartitionSpan.DAY,
        expectations=(
            *ALWAYS,
            Expectation(Check.IDS_INCREASING, ("trade_id",), degrades=True),
            Expectation(Check.WORDS_USUAL, ("order_type",), degrades=True, words=("l", "m")),
            *PLAIN_TICK_RULES,
        ),
        description="Every Kraken spot trade",
        sample_symbol="XBTUSD",
    ),
)
