"""The exchange's own description of its instruments: exchangeInfo bodies, parsed and compared over time.

Absent fields are tolerated, for the three markets differ and fields come and go; a field of another type is not. A
body lists what is listed at that moment only, so a symbol that leaves it is recorded as `ABSENT`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError

from crypto_lakehouse import telemetry
from crypto_lakehouse.errors import InvalidRequest, SchemaDrift
from crypto_lakehouse.foreign_text import foreign
from crypto_lakehouse.instants import instant
from crypto_lakehouse.symbols import validated_symbol
from crypto_lakehouse.vocabulary import Market

ABSENT = "ABSENT"
"""Our status of a symbol that a body no longer contains; the exchange has no word for it."""
UNREADABLE = "UNREADABLE"
"""Our status of a symbol whose entry is odd: what is known of it stays. Without a name, it may be any symbol."""
TRADING, PENDING_TRADING = "TRADING", "PENDING_TRADING"
NUMBER_DIGITS, NUMBER_SCALE = 38, 18

_NEVER_MS = 4_133_404_800_000
"""2100-12-25: what a perpetual contract has for a delivery date."""
_LEVERAGED_PERMISSION = "LEVERAGED"


@dataclass(frozen=True, slots=True)
class ExchangeInfoBody:
    """An exchangeInfo answer as received, and when."""

    body: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """One symbol as the exchange described it; None where a field is absent.

    Args:
        market: Its market.
        symbol: The raw symbol.
        seen_at: When the exchange first described it so.
        status: The exchange's status, such as `TRADING`, `BREAK` or `SETTLING`; or `ABSENT`.
        contract_type: `PERPETUAL`, `CURRENT_QUARTER` and so on.
        contract_size: Quote asset per contract; COIN-M only.
        onboard_at: When trading started, by the exchange.
        delivery_at: When it is delivered or settled; None for never.
        lot_size: The step of quantities.
    """

    market: Market
    symbol: str
    seen_at: datetime
    status: str | None = None
    base_asset: str | None = None
    quote_asset: str | None = None
    contract_type: str | None = None
    contract_size: Decimal | None = None
    onboard_at: datetime | None = None
    delivery_at: datetime | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_notional: Decimal | None = None
    is_leveraged_token: bool = False


def parse_exchange_info(body: str, market: Market, seen_at: datetime) -> list[InstrumentInfo]:
    """Returns the instruments of an exchangeInfo body, by symbol. An odd entry costs itself, and is logged.

    Args:
        body: The JSON text as received.
        market: Whose it is: spot, um or cm.
        seen_at: When it was received.

    Raises:
        InvalidRequest: The market has no such body, or `seen_at` no zone.
        SchemaDrift: It is not JSON, half of its entries have a field of an unknown type, or a symbol repeats.
    """
    if market is Market.OPTION or seen_at.tzinfo is None:
        raise InvalidRequest(f"exchange info of {market} at {seen_at} is not read", "Give spot, um or cm, and a zone")
    infos = [_readable(entry, market, seen_at) for entry in _parsed(_Body, body, market).symbols]
    odd = [info for info in infos if info.status == UNREADABLE]
    if odd and 2 * len(odd) >= len(infos):
        raise SchemaDrift(f"{len(odd)} of {len(infos)} entries of the exchange info of {market} are odd", _ADVICE)
    if odd:
        first = odd[0].symbol
        telemetry.event("exchange_info_odd", telemetry.Level.WARNING, market=market, symbols=len(odd), first=first)
    names = [info.symbol for info in infos if info.symbol]
    if len(set(names)) != len(names):
        raise SchemaDrift(f"the exchange info of {market} names a symbol twice", _ADVICE)
    return sorted(infos, key=lambda info: info.symbol)


def server_time(body: str, market: Market) -> datetime | None:
    """Returns the exchange's own clock in a body, where it has one.

    Raises:
        SchemaDrift: The body is not JSON, or its time is not one.
    """
    return _parsed(_Clock, body, market).server_time


def changes(
    known: Mapping[str, InstrumentInfo], snapshot: Sequence[InstrumentInfo], seen_at: datetime
) -> list[InstrumentInfo]:
    """Returns what is new in a snapshot: new and changed symbols, and an `ABSENT` for each symbol that is gone.

    Args:
        known: The newest record of each symbol.
        snapshot: The records of a whole body.
        seen_at: When it was received.
    """
    readable = [info for info in snapshot if info.status != UNREADABLE]
    new = [
        info for info in readable if info.symbol not in known or replace(known[info.symbol], seen_at=seen_at) != info
    ]
    listed = {info.symbol for info in snapshot}
    gone = set() if "" in listed else known.keys() - listed
    absent = [
        InstrumentInfo(known[symbol].market, symbol, seen_at, ABSENT)
        for symbol in sorted(gone)
        if known[symbol].status != ABSENT
    ]
    return [*new, *absent]


_ADVICE = "The exchange changed its answer: look at the body, then at instruments/exchange_info.py"


def _number(value: object) -> Decimal | None:
    """Returns an exact number, written as text or as a number; None for zero, which means that there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("is not a number")
    try:
        number = Decimal(value).normalize()
    except InvalidOperation as error:
        raise ValueError("is not a number") from error
    if not number.is_finite() or number < 0 or not _fits(number):
        raise ValueError(f"is not a number of {NUMBER_SCALE} decimals at most")
    return number or None


def _fits(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -NUMBER_SCALE and number.adjusted() < NUMBER_DIGITS - NUMBER_SCALE


def _time(value: object) -> datetime | None:
    """Returns a time, written in milliseconds; None for the exchange's `never`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _NEVER_MS:
        raise ValueError("is not a time in milliseconds")
    return None if value == _NEVER_MS else instant(value * 1000)


def _symbol(text: str) -> str:
    try:
        return validated_symbol(text)
    except InvalidRequest as error:
        raise ValueError("is not a symbol") from error


# An explicit null is as good as an absent field.
_Text = Annotated[StrictStr | None, AfterValidator(lambda text: text or None)]
_Number = Annotated[Decimal | None, BeforeValidator(lambda value: None if value is None else _number(value))]
_Time = Annotated[datetime | None, BeforeValidator(lambda value: None if value is None else _time(value))]
_Words = list[StrictStr | list[StrictStr]]


class _Part(BaseModel):
    """A part of a body: fields that we do not use are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Filter(_Part):
    kind: _Text = Field(None, alias="filterType")
    tick_size: _Number = Field(None, alias="tickSize")
    step_size: _Number = Field(None, alias="stepSize")
    min_notional: _Number = Field(None, alias="minNotional")
    notional: _Number = None


class _Symbol(_Part):
    symbol: Annotated[StrictStr, AfterValidator(_symbol)]
    status: _Text = None
    contract_status: _Text = Field(None, alias="contractStatus")
    base_asset: _Text = Field(None, alias="baseAsset")
    quote_asset: _Text = Field(None, alias="quoteAsset")
    contract_type: _Text = Field(None, alias="contractType")
    contract_size: _Number = Field(None, alias="contractSize")
    onboard_at: _Time = Field(None, alias="onboardDate")
    delivery_at: _Time = Field(None, alias="deliveryDate")
    filters: list[_Filter] = []
    permissions: _Words = []
    permission_sets: _Words = Field([], alias="permissionSets")

    @property
    def all_permissions(self) -> set[str]:
        """The permissions; spot has lists of lists of them."""
        words = (*self.permissions, *self.permission_sets)
        return {word for entry in words for word in (entry if isinstance(entry, list) else [entry])}


class _Body(_Part):
    symbols: list[Any]


class _Named(_Part):
    symbol: Annotated[StrictStr, AfterValidator(_symbol)]


class _Clock(_Part):
    server_time: _Time = Field(None, alias="serverTime")


_Parsed = TypeVar("_Parsed", bound=_Part)


def _parsed(part: type[_Parsed], body: str, market: Market) -> _Parsed:
    try:
        # Decimal: a float would round. Recursion: a body of nothing but brackets.
        return part.model_validate(json.loads(body, parse_float=Decimal))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the body"
        what = f"exchangeInfo of {market}: {place}: {first['msg']}: {foreign(first['input'], 40)}"
        raise SchemaDrift(what, _ADVICE) from error
    except (ValueError, RecursionError) as error:
        raise SchemaDrift(f"the exchange info of {market} is not JSON: {foreign(error, 80)}", _ADVICE) from error


def _readable(entry: Any, market: Market, seen_at: datetime) -> InstrumentInfo:
    try:
        return _instrument_info(_Symbol.model_validate(entry), market, seen_at)
    except ValidationError:
        try:
            name = _Named.model_validate(entry).symbol
        except ValidationError:
            name = ""
        return InstrumentInfo(market, name, seen_at, UNREADABLE)


def _instrument_info(symbol: _Symbol, market: Market, seen_at: datetime) -> InstrumentInfo:
    filters = {entry.kind: entry for entry in symbol.filters}
    price, lot = filters.get("PRICE_FILTER", _Filter()), filters.get("LOT_SIZE", _Filter())
    # Spot calls the field minNotional and the filter NOTIONAL or MIN_NOTIONAL, USD-M the field notional.
    smallest = [filters[kind] for kind in ("NOTIONAL", "MIN_NOTIONAL") if kind in filters]
    min_notionals = (number for entry in smallest for number in (entry.min_notional, entry.notional))
    return InstrumentInfo(
        market=market,
        symbol=symbol.symbol,
        seen_at=seen_at,
        status=symbol.status or symbol.contract_status,
        base_asset=symbol.base_asset,
        quote_asset=symbol.quote_asset,
        contract_type=symbol.contract_type,
        contract_size=symbol.contract_size,
        onboard_at=symbol.onboard_at,
        delivery_at=symbol.delivery_at,
        tick_size=price.tick_size,
        lot_size=lot.step_size,
        min_notional=next((number for number in min_notionals if number is not None), None),
        is_leveraged_token=_LEVERAGED_PERMISSION in symbol.all_permissions,
    )
