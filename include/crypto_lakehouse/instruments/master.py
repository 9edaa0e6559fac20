"""The instrument master: a pure function of the archive's days, the exchange info and the known events.

If the sources disagree, these rules apply:

1. A known event sets where one instrument ends and the next starts. Without an event, a gap of days never splits a
   symbol. Only an onboard date of the exchange after a gap also splits it.
2. The days in the archive limit the validity: an instrument starts on its first day and ends on its last day. Days
   after its delivery or settlement do not count. If the archive has no day yet, exchange info sets the limits.
3. Exchange info replaces what is derived from the symbol: assets, kind, sizes. It is only used for the instrument that
   was listed at that time, never for another instrument with the same symbol.
4. The newest source decides whether an instrument is still listed. The archive publishes late. So a symbol counts as
   listed while its last day is at most a week before the newest day of its market.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from crypto_lakehouse.instruments.days import MAX_HOLE_DAYS, ArchiveDays, DaySpan, clipped, gaps
from crypto_lakehouse.instruments.exchange_info import ABSENT, PENDING_TRADING, TRADING, InstrumentInfo
from crypto_lakehouse.instruments.instrument import Instrument
from crypto_lakehouse.instruments.known_events import KNOWN_EVENTS, KnownEvent, events_of
from crypto_lakehouse.instruments.naming import SymbolName, parse_symbol, split_multiplier
from crypto_lakehouse.vocabulary import Exchange, InstrumentKind, InstrumentStatus, Market

PUBLICATION_LAG_DAYS = 7
_FINISHED = frozenset({"SETTLING", "DELIVERING", "DELIVERED", "CLOSE", ABSENT})
_DELIVERY_TIME = time(8, tzinfo=UTC)
"""Contracts are delivered at 08:00 UTC: 1601020800000 for BTCUSD_200925."""
_CM_CONTRACT_SIZE, _CM_BTC_CONTRACT_SIZE = Decimal(10), Decimal(100)
_CONTRACTS = (InstrumentKind.PERPETUAL, InstrumentKind.DELIVERY, InstrumentKind.SETTLED)


@dataclass(frozen=True, slots=True)
class _Life:
    """The part of a symbol's history that belongs to one instrument. Without spans, the archive has no day yet."""

    first_day: date
    spans: tuple[DaySpan, ...]
    ended_by: KnownEvent | None = None
    is_last: bool = False

    @property
    def last_day(self) -> date | None:
        return self.spans[-1].last_day if self.spans else None


@dataclass(frozen=True, slots=True)
class _Known:
    """The known facts about one symbol."""

    market: Market
    symbol: str
    infos: tuple[InstrumentInfo, ...]
    events: tuple[KnownEvent, ...]
    newest_day: date


def build_instruments(
    market: Market,
    days: Sequence[ArchiveDays],
    infos: Sequence[InstrumentInfo],
    events: tuple[KnownEvent, ...] = KNOWN_EVENTS,
) -> list[Instrument]:
    """Returns every instrument of a market, by symbol and start.

    Args:
        market: The market.
        days: The days in the archive, each symbol once.
        infos: The exchange info over time, as `changes` records it.
        events: The curated facts.
    """
    spans = {listed.symbol: listed.spans for listed in days}
    infos_of: dict[str, list[InstrumentInfo]] = defaultdict(list)
    for info in sorted(infos, key=lambda info: info.seen_at):
        infos_of[info.symbol].append(info)
    newest = max([symbol_spans[-1].last_day for symbol_spans in spans.values()], default=date.min)
    return [
        instrument
        for symbol in sorted(spans.keys() | infos_of.keys())
        for instrument in _instruments(
            _Known(market, symbol, tuple(infos_of[symbol]), tuple(events_of(market, symbol, events)), newest),
            spans.get(symbol, ()),
        )
    ]


def _instruments(known: _Known, spans: tuple[DaySpan, ...]) -> list[Instrument]:
    lives = _lives(known, spans)
    previous_ends = [None, *(life.last_day for life in lives)]
    pairs = zip(lives, previous_ends, strict=False)
    return [_instrument(known, life, _infos_of(known, life, end)) for life, end in pairs]


def _lives(known: _Known, spans: tuple[DaySpan, ...]) -> list[_Life]:
    lives, rest = [], spans
    for event in known.events:
        before = clipped(rest, last_day=event.last_day)
        if not event.is_cut or not before:
            continue
        # Without a date of the next listing, the next instrument starts on the first day after the gap.
        later = tuple(span for span in rest if event.last_day and span.first_day > event.last_day)
        lives.append(_Life(before[0].first_day, before, ended_by=event))
        rest = clipped(rest, first_day=event.next_day) if event.next_day else later
    lives += _lives_after_events(known, rest)
    return [*lives[:-1], replace(lives[-1], is_last=lives[-1].ended_by is None)] if lives else []


def _lives_after_events(known: _Known, rest: tuple[DaySpan, ...]) -> list[_Life]:
    """Returns the instruments of the days after all events. An onboard date after a gap splits them."""
    onboard = _onboard_day(known)
    ended = max((event.last_day for event in known.events if event.is_cut and event.last_day), default=date.min)
    if onboard is None or onboard <= ended:
        return [_Life(rest[0].first_day, rest)] if rest else []
    before, after = clipped(rest, last_day=onboard - timedelta(days=1)), clipped(rest, first_day=onboard)
    if before and (onboard - before[-1].last_day).days <= MAX_HOLE_DAYS + 1:
        return [_Life(rest[0].first_day, rest)]
    if not after and known.infos[-1].status in _FINISHED:
        return [_Life(before[0].first_day, before)] if before else []
    lives = [_Life(before[0].first_day, before)] if before else []
    return [*lives, _Life(after[0].first_day if after else onboard, after)]


def _onboard_day(known: _Known) -> date | None:
    days = [info.onboard_at.date() for info in known.infos if info.onboard_at]
    return days[-1] if days else None


def _infos_of(known: _Known, life: _Life, previous_end: date | None) -> tuple[InstrumentInfo, ...]:
    """Returns the exchange info of this instrument, without other instruments of the same symbol."""
    margin = timedelta(days=1)
    after = [info for info in known.infos if previous_end is None or info.seen_at.date() > previous_end + margin]
    if life.is_last or life.last_day is None:
        return tuple(after)
    return tuple(info for info in after if info.seen_at.date() <= life.last_day + margin)


def _instrument(known: _Known, life: _Life, infos: tuple[InstrumentInfo, ...]) -> Instrument:
    name = parse_symbol(known.market, known.symbol)
    described = next((info for info in reversed(infos) if info.status != ABSENT), None)
    kind = _kind(name, described)
    base = (described.base_asset if described else None) or name.base_asset
    quote = (described.quote_asset if described else None) or name.quote_asset
    settles_at = _settles_at(life, name, described, kind)
    valid_to = _valid_to(known, life, infos, settles_at)
    size, unit = _contract(known.market, kind, described, (base, quote))
    multiplier, underlying = split_multiplier(base)
    onboard = described.onboard_at.date() if described and described.onboard_at else None
    return Instrument(
        exchange=Exchange.BINANCE,
        market=known.market,
        symbol=known.symbol,
        kind=kind,
        base_asset=base,
        quote_asset=quote,
        underlying_asset=underlying,
        multiplier=multiplier,
        valid_from=life.first_day,
        valid_to=valid_to,
        status=_status(life, infos, valid_to),
        contract_size=size,
        contract_unit=unit,
        tick_size=described.tick_size if described else None,
        lot_size=described.lot_size if described else None,
        min_notional=described.min_notional if described else None,
        onboard_day=onboard,
        delivery_day=settles_at.date() if settles_at and kind is InstrumentKind.DELIVERY else name.delivery_day,
        settles_at=settles_at,
        successor=_successor(known, life, valid_to),
        absences=gaps(clipped(life.spans, last_day=valid_to)),
        evidence=_evidence(known, life, described, valid_to),
    )


def _kind(name: SymbolName, info: InstrumentInfo | None) -> InstrumentKind:
    if info is None or name.kind not in {*_CONTRACTS[:2], InstrumentKind.SPOT, InstrumentKind.LEVERAGED_TOKEN}:
        return name.kind
    if info.is_leveraged_token:
        return InstrumentKind.LEVERAGED_TOKEN
    contract_type = info.contract_type or ""
    if "PERPETUAL" in contract_type:
        return InstrumentKind.PERPETUAL
    return InstrumentKind.DELIVERY if "QUARTER" in contract_type or "MONTH" in contract_type else name.kind


def _settles_at(life: _Life, name: SymbolName, info: InstrumentInfo | None, kind: InstrumentKind) -> datetime | None:
    if life.ended_by is not None:
        return life.ended_by.ended_at
    if kind is InstrumentKind.SPOT or kind is InstrumentKind.LEVERAGED_TOKEN:
        return None
    delivery_at = info.delivery_at if info else None
    if delivery_at is not None and delivery_at.date() >= life.first_day:
        return delivery_at
    return datetime.combine(name.delivery_day, _DELIVERY_TIME) if name.delivery_day else None


def _valid_to(
    known: _Known, life: _Life, infos: tuple[InstrumentInfo, ...], settles_at: datetime | None
) -> date | None:
    last, end = life.last_day, (settles_at - timedelta(microseconds=1)).date() if settles_at else date.max
    if last is None:
        return None
    if end <= known.newest_day:
        # A contract without files before its end has ended on its last day.
        return max(min(last, end), life.first_day)
    return None if life.is_last and _is_listed(known, last, infos) else last


def _is_listed(known: _Known, last_day: date, infos: tuple[InstrumentInfo, ...]) -> bool:
    is_recent = last_day >= known.newest_day - timedelta(days=PUBLICATION_LAG_DAYS)
    newest = infos[-1] if infos else None
    if newest is None or newest.seen_at.date() < last_day:
        return is_recent
    if newest.status == TRADING:
        return True
    # The response for spot contains delisted pairs as BREAK, like pairs that are only halted.
    return is_recent and newest.status not in _FINISHED


def _status(life: _Life, infos: tuple[InstrumentInfo, ...], valid_to: date | None) -> InstrumentStatus:
    if valid_to is not None:
        return InstrumentStatus.ENDED
    status = infos[-1].status if infos else TRADING
    if status == PENDING_TRADING and not life.spans:
        return InstrumentStatus.PENDING
    is_trading = status in {None, TRADING, PENDING_TRADING, ABSENT}
    return InstrumentStatus.LISTED if is_trading else InstrumentStatus.HALTED


def _contract(
    market: Market, kind: InstrumentKind, info: InstrumentInfo | None, assets: tuple[str, str | None]
) -> tuple[Decimal | None, str | None]:
    base, quote = assets
    if kind not in _CONTRACTS:
        return None, None
    size = info.contract_size if info else None
    if market is Market.UM:
        return size or Decimal(1), base
    return size or (_CM_BTC_CONTRACT_SIZE if base == "BTC" else _CM_CONTRACT_SIZE), quote


def _successor(known: _Known, life: _Life, valid_to: date | None) -> str | None:
    if life.ended_by is not None:
        return life.ended_by.successor
    renames = [event.successor for event in known.events if not event.is_cut and event.successor]
    return renames[-1] if renames and valid_to else None


def _evidence(known: _Known, life: _Life, info: InstrumentInfo | None, valid_to: date | None) -> tuple[str, ...]:
    touching = [
        event.source
        for event in known.events
        if event is life.ended_by
        or (event.is_cut and event.next_day == life.first_day)
        or (not event.is_cut and (event.ended_at is not None or valid_to is not None))
    ]
    named = [("archive", bool(life.spans)), ("exchange info", info is not None)]
    return tuple(dict.fromkeys([*(word for word, is_used in named if is_used), *touching]))
