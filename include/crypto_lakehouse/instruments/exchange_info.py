"""What the exchange itself says of its instruments: exchangeInfo bodies, parsed and compared over time.

Absent fields are tolerated, for the three markets differ and fields come and go; a field of another type is not. A
body lists what is listed at that moment only, so what leaves it is recorded as `ABSENT`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from crypto_lakehouse.errors import InvalidRequest, SchemaDrift
from crypto_lakehouse.symbols import validated_symbol
from crypto_lakehouse.vocabulary import Market

ABSENT = "ABSENT"
"""The status of a symbol that a body no longer names; our word, the exchange has none for it."""
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
    """One symbol as the exchange described it; None where it said nothing.

    Args:
        market: Its market.
        symbol: The raw symbol.
        seen_at: When the exchange was first seen to say so.
        status: The exchange's word, such as `TRADING`, `BREAK` or `SETTLING`; or `ABSENT`.
        contract_type: `PERPETUAL`, `CURRENT_QUARTER` and so on.
        contract_size: Quote asset per contract; COIN-M only.
        onboard_at: When trading started, as the exchange has it.
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
    """Returns the instruments of an exchangeInfo body, by symbol.

    Args:
        body: The JSON text as received.
        market: Whose it is: spot, um or cm.
        seen_at: When it was received.

    Raises:
        InvalidRequest: The market has no such body, or `seen_at` no zone.
        SchemaDrift: It is not JSON, a field has another type than is known, or a symbol repeats.
    """
    if market is Market.OPTION or seen_at.tzinfo is None:
        raise InvalidRequest(f"exchange info of {market} at {seen_at} is not read", "Give spot, um or cm, and a zone")
    infos = [_instrument_info(one, market, seen_at) for one in _document(body, market).required_objects("symbols")]
    if len({one.symbol for one in infos}) != len(infos):
        raise SchemaDrift(f"the exchange info of {market} names a symbol twice", _ADVICE)
    return sorted(infos, key=lambda one: one.symbol)


def server_time(body: str, market: Market) -> datetime | None:
    """Returns the exchange's own clock in a body, where it has one.

    Raises:
        SchemaDrift: The body is not JSON, or its time is not one.
    """
    return _document(body, market).instant("serverTime")


def changes(
    known: Mapping[str, InstrumentInfo], snapshot: Sequence[InstrumentInfo], seen_at: datetime
) -> list[InstrumentInfo]:
    """Returns what a snapshot says that was not known: new and changed symbols, and the absence of those gone.

    Args:
        known: The newest that is known of each symbol.
        snapshot: A whole body.
        seen_at: When it was seen.
    """
    said = [one for one in snapshot if one.symbol not in known or replace(known[one.symbol], seen_at=seen_at) != one]
    gone = known.keys() - {one.symbol for one in snapshot}
    absent = [
        InstrumentInfo(known[symbol].market, symbol, seen_at, ABSENT)
        for symbol in sorted(gone)
        if known[symbol].status != ABSENT
    ]
    return [*said, *absent]


_ADVICE = "The exchange changed its answer: look at the body, then at instruments/exchange_info.py"


class _Fields:
    """One JSON object of a body, read field by field; every refusal says where."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise SchemaDrift(f"{place} is not an object but {type(value).__name__}", _ADVICE)
        self._values, self._place = value, place

    def text(self, name: str) -> str | None:
        """Returns a text; empty is the same as absent."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise self._refusal(name, "a text")
        return value or None

    def number(self, name: str) -> Decimal | None:
        """Returns an exact number, written as text or as a number; zero means that there is none."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise self._refusal(name, "a number")
        try:
            number = Decimal(value).normalize()
        except InvalidOperation as error:
            raise self._refusal(name, "a number") from error
        if not number.is_finite() or number < 0 or not _fits(number):
            raise self._refusal(name, f"a number of {NUMBER_SCALE} decimals at most")
        return number or None

    def instant(self, name: str) -> datetime | None:
        """Returns a time, written as milliseconds; the exchange's `never` is None."""
        value = self._values.get(name)
        if value is None or value == _NEVER_MS:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _NEVER_MS:
            raise self._refusal(name, "a time in milliseconds")
        return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)

    def objects(self, name: str) -> list["_Fields"]:
        """Returns the objects of a list; none where it is absent."""
        values = self._values.get(name, [])
        if not isinstance(values, list):
            raise self._refusal(name, "a list")
        return [_Fields(one, f"{self._place}.{name}[{at}]") for at, one in enumerate(values)]

    def required_objects(self, name: str) -> list["_Fields"]:
        """Returns the objects of a list that must be there."""
        if name not in self._values:
            raise self._refusal(name, "a list")
        return self.objects(name)

    def words(self, name: str) -> set[str]:
        """Returns the texts of a list, or of a list of lists."""
        values = self._values.get(name, [])
        if not isinstance(values, list):
            raise self._refusal(name, "a list")
        flat = [word for one in values for word in (one if isinstance(one, list) else [one])]
        if not all(isinstance(word, str) for word in flat):
            raise self._refusal(name, "a list of texts")
        return set(flat)

    def symbol(self) -> str:
        """Returns the symbol, which must be there and be one."""
        text = self.text("symbol")
        try:
            return validated_symbol(text or "")
        except InvalidRequest as error:
            raise self._refusal("symbol", "a symbol") from error

    def _refusal(self, name: str, wanted: str) -> SchemaDrift:
        found = self._values.get(name)
        return SchemaDrift(f"{self._place}.{name} is not {wanted}: {str(found)[:40]!r}", _ADVICE)


def _document(body: str, market: Market) -> _Fields:
    try:
        # Recursion: a body of nothing but brackets is no JSON that anybody meant.
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise SchemaDrift(f"the exchange info of {market} is not JSON: {str(error)[:80]}", _ADVICE) from error
    return _Fields(value, f"exchangeInfo of {market}")


def _instrument_info(row: _Fields, market: Market, seen_at: datetime) -> InstrumentInfo:
    filters = {one.text("filterType"): one for one in row.objects("filters")}
    permissions = row.words("permissions") | row.words("permissionSets")
    return InstrumentInfo(
        market=market,
        symbol=row.symbol(),
        seen_at=seen_at,
        status=row.text("status") or row.text("contractStatus"),
        base_asset=row.text("baseAsset"),
        quote_asset=row.text("quoteAsset"),
        contract_type=row.text("contractType"),
        contract_size=row.number("contractSize"),
        onboard_at=row.instant("onboardDate"),
        delivery_at=row.instant("deliveryDate"),
        tick_size=_filtered(filters, ("PRICE_FILTER",), "tickSize"),
        lot_size=_filtered(filters, ("LOT_SIZE",), "stepSize"),
        # Spot calls the field minNotional and the filter NOTIONAL or MIN_NOTIONAL, USD-M the field notional.
        min_notional=_filtered(filters, ("NOTIONAL", "MIN_NOTIONAL"), "minNotional", "notional"),
        is_leveraged_token=_LEVERAGED_PERMISSION in permissions,
    )


def _filtered(filters: Mapping[str | None, _Fields], kinds: Iterable[str], *names: str) -> Decimal | None:
    found = (filters[kind].number(name) for kind in kinds if kind in filters for name in names)
    return next((number for number in found if number is not None), None)


def _fits(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -NUMBER_SCALE and number.adjusted() < NUMBER_DIGITS - NUMBER_SCALE
