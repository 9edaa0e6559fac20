"""The words of the lake: one concept, one word, everywhere. Standard library only."""

from enum import StrEnum


class Exchange(StrEnum):
    """A venue whose data the lake holds."""

    BINANCE = "binance"
    COINBASE = "coinbase"
    KRAKEN = "kraken"


class Market(StrEnum):
    """A segment of a venue: `um` is settled in stablecoins, `cm` in the coin itself (inverse)."""

    SPOT = "spot"
    UM = "um"
    CM = "cm"
    OPTION = "option"

    @property
    def archive_base(self) -> str:
        """The folder of the public archive that holds this market, as in `data/<base>/daily/...`."""
        return f"futures/{self.value}" if self in (Market.UM, Market.CM) else self.value


def market_name(exchange: Exchange, market: Market) -> str:
    """Returns the name of a market in the configuration and in examples. Markets of Binance have short names.

    >>> market_name(Exchange.BINANCE, Market.UM), market_name(Exchange.KRAKEN, Market.SPOT)
    ('um', 'kraken_spot')
    """
    return market.value if exchange is Exchange.BINANCE else f"{exchange}_{market}"


class DataType(StrEnum):
    """A kind of record; the value is the archive's own path segment."""

    KLINES = "klines"
    MARK_PRICE_KLINES = "markPriceKlines"
    INDEX_PRICE_KLINES = "indexPriceKlines"
    PREMIUM_INDEX_KLINES = "premiumIndexKlines"
    AGG_TRADES = "aggTrades"
    TRADES = "trades"
    BOOK_TICKER = "bookTicker"
    BOOK_DEPTH = "bookDepth"
    METRICS = "metrics"
    FUNDING_RATE = "fundingRate"
    LIQUIDATION_SNAPSHOT = "liquidationSnapshot"
    BVOL_INDEX = "BVOLIndex"
    EOH_SUMMARY = "EOHSummary"

    @property
    def slug(self) -> str:
        """The snake-case name used in dataset, DAG and table names: `agg_trades` for `aggTrades`."""
        return self.name.lower()


class Layer(StrEnum):
    """How far rows are from what a source published; the value is the layer's folder in the lake."""

    BRONZE = "bronze"
    """The bytes as published, verified."""
    SILVER = "silver"
    """Typed, sorted, deduplicated rows: a pure function of Bronze."""
    GOLD = "gold"
    """Answers: a pure function of published partitions."""


class Frequency(StrEnum):
    """How often the archive publishes a file, and so the span one file covers."""

    DAILY = "daily"
    MONTHLY = "monthly"


class Interval(StrEnum):
    """The span of one kline, in the format of the archive (`1mo`, which is `1M` in the REST API)."""

    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MO1 = "1mo"

    @property
    def microseconds(self) -> int | None:
        """The length of one kline in microseconds; None for `1mo`, whose length varies."""
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}.get(self.value.lstrip("0123456789"))
        return None if unit is None else int(self.value[:-1]) * unit * 1_000_000


class InstrumentKind(StrEnum):
    """What is traded, or measured, under a symbol."""

    SPOT = "spot"
    LEVERAGED_TOKEN = "leveraged_token"  # noqa: S105  a token, but no secret
    PERPETUAL = "perpetual"
    DELIVERY = "delivery"
    SETTLED = "settled"
    """A finished contract that the archive keeps under a name of its own, such as `CVCUSDTSETTLED`."""
    INDEX = "index"
    OPTION_UNDERLYING = "option_underlying"


class InstrumentStatus(StrEnum):
    """Where an instrument stands in its life, at the time its version of the master was made."""

    PENDING = "pending"
    LISTED = "listed"
    HALTED = "halted"
    ENDED = "ended"


class LogicalType(StrEnum):
    """The logical type of a column. The module of each engine derives its physical type from it.

    A `value` was computed upstream and has more digits than a price or a quantity. A `float` is a mart's own estimate,
    such as a volatility: what a source published is exact, and never a float.
    """

    TIMESTAMP = "timestamp"
    PRICE = "price"
    QUANTITY = "quantity"
    RATIO = "ratio"
    VALUE = "value"
    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    STRING = "string"
    DATE = "date"


class PartitionSpan(StrEnum):
    """The span of time that a partition covers."""

    DAY = "date"
    MONTH = "month"
    YEAR = "year"


class ObjectForm(StrEnum):
    """What the bytes of a Bronze object are; each form has a decoder of its own."""

    ZIP = "zip"
    """A zip with one CSV file, as the archive publishes it."""
    ANSWERS = "answers"
    """Answers of a REST API, as compressed JSON lines."""
    MESSAGES = "messages"
    """Messages of a stream, as they were received."""


class Source(StrEnum):
    """Where a row came from, best first: the order is the ranking used when two sources hold one key.

    The archive's daily files rank before its monthly ones, which are known to disagree with them and with the API.
    """

    ARCHIVE_DAILY = "archive_daily"
    ARCHIVE_MONTHLY = "archive_monthly"
    REST = "rest"
    STREAM = "stream"
    PUBLISHED = "published"
    """Published partitions of other tables, which a mart reads; nothing in Bronze comes from there."""

    @property
    def is_archive(self) -> bool:
        """Whether it is a file of the exchange's public archive."""
        return self in (Source.ARCHIVE_DAILY, Source.ARCHIVE_MONTHLY)

    @property
    def rank(self) -> int:
        """Its place when two sources hold one key: 0 is the best."""
        return list(Source).index(self)

    @property
    def form(self) -> ObjectForm | None:
        """What the bytes of its Bronze objects are; None where Bronze has no objects of it."""
        return _FORMS.get(self)


_FORMS = {
    Source.ARCHIVE_DAILY: ObjectForm.ZIP,
    Source.ARCHIVE_MONTHLY: ObjectForm.ZIP,
    Source.REST: ObjectForm.ANSWERS,
    Source.STREAM: ObjectForm.MESSAGES,
}


class MergeStrategy(StrEnum):
    """The row that is kept if two objects have the same key."""

    ARCHIVE_FIRST = "archive_first"
    """The source with the best rank; within a source the newest object."""
    NEWEST_FIRST = "newest_first"
    """The newest object of all sources; of equally new objects the source with the best rank."""
    REFUSE_ON_CONFLICT = "refuse_on_conflict"
    """As `archive_first`, but where rows of one key differ the gate quarantines the partition."""


class TimeUnit(StrEnum):
    """The unit of an epoch number in a source file."""

    MILLISECONDS = "ms"
    MICROSECONDS = "us"


class Stamp(StrEnum):
    """The format of a time in a request or response."""

    EPOCH = "epoch"
    """Whole milliseconds since the epoch. A response may also have microseconds, known from the magnitude."""
    SECONDS = "seconds"
    """Seconds since the epoch, with decimals where they are known."""
    NANOSECONDS = "nanoseconds"
    """Whole nanoseconds since the epoch."""
    ISO = "iso"
    """`2025-01-01T00:00:00Z`, with decimals where they are known."""


class Condition(StrEnum):
    """How far a partition can be trusted.

    An empty partition has valid objects without rows for it: a file with only a header, or a file whose tolerance
    touches the partition. Nothing is published, and nothing is wrong.
    """

    AVAILABLE = "available"
    DEGRADED = "degraded"
    QUARANTINED = "quarantined"
    EMPTY = "empty"

    @property
    def is_published(self) -> bool:
        """Whether readers get to see a partition in this condition."""
        return self in (Condition.AVAILABLE, Condition.DEGRADED)


class DayCondition(StrEnum):
    """What the lake has of one UTC day of one series."""

    AVAILABLE = "available"
    """Objects cover all of it, and nothing is missing that upstream is not known to lack."""
    DEGRADED = "degraded"
    """Readable, with holes."""
    PENDING = "pending"
    """Not whole yet, and not overdue: the day is not over, or its file is not out."""
    MISSING = "missing"
    """Readers see nothing of it."""


class HoleKind(StrEnum):
    """How it is known that something is missing."""

    GRID = "grid"
    """Objects cover the time and lack rows that their interval calls for."""
    IDS = "ids"
    """Identifiers that count up by one skip some."""
    HOURS = "hours"
    """A busy stream has whole hours without a row."""
    PAUSE = "pause"
    """A stream with a known cadence has no row for longer than its bound."""
    PAYMENTS = "payments"
    """Two payments are farther apart than their intervals allow."""
    DAYS = "days"
    """No object covers the time."""


class Witness(StrEnum):
    """What proves that nothing is missing from a time without rows. See docs/coverage.md."""

    GRID = "grid"
    """Rows have a fixed distance: every time without its row lacks it."""
    IDS = "ids"
    """Identifiers count up by one: where they go on, nothing is missing, however much time lies between."""
    IDS_WITH_HOLES = "ids_with_holes"
    """Identifiers skip some legally: where they go on, nothing is missing. Where they do not, nothing is proven."""
    CADENCE = "cadence"
    """Rows come at least as often as a bound requires: a longer pause is a hole."""
    HOURS = "hours"
    """No identifier and no cadence: a busy stream has rows in every hour, and every day has rows."""
    PAYMENTS = "payments"
    """Each payment contains the hours to its neighbour."""
    OBJECT = "object"
    """Nothing in the rows: an object that covers exactly one day, or an answer, proves what it does not have."""
    INPUTS = "inputs"
    """A mart: what its inputs lack is recorded there."""


class ChecksumStatus(StrEnum):
    """What is known of an object's published checksum."""

    VERIFIED = "verified"
    ABSENT = "absent"
    """The archive should have published one and did not."""
    UNPUBLISHED = "unpublished"
    """The source publishes none: a REST body or a stream's messages."""


class Step(StrEnum):
    """The name of a verb: a command of `crypto-lakehouse step`, and a task of a DAG."""

    PLAN = "plan"
    PULL = "pull"
    DELTA = "delta"
    CONFORM = "conform"
    BUILD = "build"
    GATE = "gate"
    PUBLISH = "publish"
    REPORT = "report"
    GAPS = "gaps"
    INSTRUMENTS = "instruments"
    SCRUB = "scrub"
    REPAIR = "repair"
    COLLECT = "collect"
