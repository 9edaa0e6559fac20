"""Events in the history of a symbol that neither the archive's days nor exchange info contain, each with its source.

An event that ends an instrument also ends its days. Files of the symbol between this time and the next listing are
left over from the old contract and belong to no instrument. A gap without an event here does not split a symbol.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from crypto_lakehouse.coverage.known_holes import issue_address
from crypto_lakehouse.errors import SpecificationError
from crypto_lakehouse.instants import instant_from_iso as _at
from crypto_lakehouse.vocabulary import Market

_SPLITS = "https://github.com/lostleaf/binance_datatool (config/binance_candle_split.json)"
_SWAPPED = "suspended and relisted; the prices before and after are not one series"


class EventKind(StrEnum):
    """What happened to a symbol."""

    REUSE = "reuse"
    """Another asset got the ticker."""
    RELISTING = "relisting"
    """Suspended and listed again with a break in prices, often after a swap of the token at another ratio."""
    SETTLEMENT = "settlement"
    """The contract was settled, and the archive has later rows."""
    SUSPENSION = "suspension"
    """Absent for a time, then the same instrument again."""
    RENAME = "rename"
    """The asset continues under another symbol."""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """One fact of a symbol's life.

    Args:
        market: Its market.
        symbol: The raw symbol.
        kind: What happened.
        reason: A description.
        source: Where it was reported.
        ended_at: The first instant at which the old instrument no longer traded.
        started_at: When trading under the symbol began again.
        successor: The symbol under which the asset continues.
    """

    market: Market
    symbol: str
    kind: EventKind
    reason: str
    source: str
    ended_at: datetime | None = None
    started_at: datetime | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        # Instruments with the same symbol are identified by their first day.
        if self.last_day and self.next_day and self.next_day <= self.last_day:
            raise SpecificationError(f"{self.market} {self.symbol} starts again on {self.next_day}, before it ended")

    @property
    def is_cut(self) -> bool:
        """Whether an instrument ends with this event."""
        return self.ended_at is not None and self.kind is not EventKind.SUSPENSION

    @property
    def last_day(self) -> date | None:
        """The last UTC day on which the old instrument traded."""
        return (self.ended_at - timedelta(microseconds=1)).date() if self.ended_at else None

    @property
    def next_day(self) -> date | None:
        """The UTC day on which trading began again."""
        return self.started_at.date() if self.started_at else None


def _relisted(market: Market, symbol: str, ended: str, started: str) -> KnownEvent:
    return KnownEvent(market, symbol, EventKind.RELISTING, _SWAPPED, _SPLITS, _at(ended), _at(started))


def _settled(symbol: str, ended: str, issue: int) -> KnownEvent:
    reason = "settled; the archive lists rows from then on"
    return KnownEvent(Market.UM, symbol, EventKind.SETTLEMENT, reason, issue_address(issue), _at(ended))


KNOWN_EVENTS: tuple[KnownEvent, ...] = (
    KnownEvent(
        Market.UM, "LITUSDT", EventKind.REUSE,
        "Litentry was settled, Lighter was listed; 417 funding rows of 0.0001 follow the settlement",
        issue_address(495),
        _at("2025-01-31T09:00"), _at("2025-12-23T17:30"),
    ),
    KnownEvent(
        Market.SPOT, "LUNAUSDT", EventKind.REUSE,
        "Terra's first chain, since then Terra Classic (LUNC), gave its ticker to the second chain's", _SPLITS,
        _at("2022-05-13T01:00"), _at("2022-05-31T06:00"), "LUNCUSDT",
    ),
    KnownEvent(
        Market.UM, "LUNAUSDT", EventKind.RENAME,
        "Terra's first chain; its contracts are since 2022-09 1000LUNCUSDT, the second chain's LUNA2USDT",
        "https://github.com/lostleaf/articles (20240516SymbolNorm)",
        successor="1000LUNCUSDT",
    ),
    KnownEvent(
        Market.SPOT, "NANOUSDT", EventKind.RENAME, "Nano is XNO since 2022-01", issue_address(238), successor="XNOUSDT",
    ),
    KnownEvent(
        Market.SPOT, "BTTUSDT", EventKind.RENAME, "BitTorrent is BTTC since 2022-01, redenominated", issue_address(311),
        successor="BTTCUSDT",
    ),
    KnownEvent(
        Market.SPOT, "USDCUSDT", EventKind.SUSPENSION, "delisted and listed again: the same pair", issue_address(242),
        _at("2022-09-27T00:00"), _at("2023-03-10T00:00"),
    ),
    KnownEvent(
        Market.SPOT, "BCCUSDT", EventKind.RELISTING, "Bitcoin Cash before and after its fork of 2018-11-15, later BCH",
        _SPLITS, _at("2018-11-15T17:00"), _at("2018-11-20T02:00"),
    ),
    KnownEvent(
        Market.SPOT, "VIDTUSDT", EventKind.RELISTING, "redenominated: one old token is ten new ones",
        "https://github.com/lostleaf/articles (20240417BinanceRelist)",
        _at("2022-10-31T03:00"), _at("2022-11-09T08:00"),
    ),
    _relisted(Market.SPOT, "BNXUSDT", "2023-02-16T03:00", "2023-02-22T08:00"),
    _relisted(Market.SPOT, "BTCSTUSDT", "2021-03-15T07:00", "2021-03-19T07:00"),
    _relisted(Market.SPOT, "COCOSUSDT", "2021-01-19T02:00", "2021-01-23T02:00"),
    _relisted(Market.SPOT, "CVCUSDT", "2022-12-09T03:00", "2023-05-12T08:00"),
    _relisted(Market.SPOT, "DREPUSDT", "2021-03-29T04:00", "2021-04-02T04:00"),
    _relisted(Market.SPOT, "FTTUSDT", "2022-11-15T05:00", "2023-09-22T08:00"),
    _relisted(Market.SPOT, "KEYUSDT", "2023-02-10T03:00", "2023-03-10T08:00"),
    _relisted(Market.SPOT, "QUICKUSDT", "2023-07-17T03:00", "2023-07-21T08:00"),
    _relisted(Market.SPOT, "STRAXUSDT", "2024-03-20T03:00", "2024-03-28T08:00"),
    _relisted(Market.SPOT, "SUNUSDT", "2021-06-14T04:00", "2021-06-18T04:00"),
    _relisted(Market.SPOT, "VENUSDT", "2018-07-23T04:00", "2018-10-19T09:00"),
    _relisted(Market.UM, "BNXUSDT", "2023-02-11T00:00", "2023-02-22T14:00"),
    _relisted(Market.UM, "ICPUSDT", "2022-06-10T10:00", "2022-09-27T02:00"),
    _relisted(Market.UM, "TLMUSDT", "2022-06-09T09:00", "2023-03-30T12:00"),
    _settled("AUDIOUSDT", "2024-05-16T09:00", 497),
    _settled("GALUSDT", "2024-07-11T09:00", 497),
    _settled("RNDRUSDT", "2024-07-16T09:00", 500),
    _settled("MATICUSDT", "2024-09-04T09:00", 500),
    _settled("FTMUSDT", "2025-01-06T09:00", 500),
)  # fmt: skip
"""All known events. Each entry in lostleaf's list becomes two instruments, as in this list."""


def events_of(market: Market, symbol: str, events: tuple[KnownEvent, ...] = KNOWN_EVENTS) -> list[KnownEvent]:
    """Returns the events of a symbol, in order of time. Events without a date come last."""
    matching = [event for event in events if (event.market, event.symbol) == (market, symbol)]
    return sorted(matching, key=lambda event: event.ended_at or datetime.max.replace(tzinfo=UTC))
