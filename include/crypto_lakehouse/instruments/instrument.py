"""An instrument: what a symbol stood for, from when to when, and the frame that holds many of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from crypto_lakehouse.instruments.days import DaySpan
from crypto_lakehouse.instruments.exchange_info import NUMBER_DIGITS, NUMBER_SCALE
from crypto_lakehouse.vocabulary import Exchange, InstrumentKind, InstrumentStatus, Market

_NUMBER = pl.Decimal(NUMBER_DIGITS, NUMBER_SCALE)
_TIME = pl.Datetime("us", "UTC")

INSTRUMENT_SCHEMA = pl.Schema(
    {
        "instrument_id": pl.String(),
        "exchange": pl.String(),
        "market": pl.String(),
        "symbol": pl.String(),
        "kind": pl.String(),
        "base_asset": pl.String(),
        "quote_asset": pl.String(),
        "underlying_asset": pl.String(),
        "multiplier": pl.Int64(),
        "contract_size": _NUMBER,
        "contract_unit": pl.String(),
        "tick_size": _NUMBER,
        "lot_size": _NUMBER,
        "min_notional": _NUMBER,
        "valid_from": pl.Date(),
        "valid_to": pl.Date(),
        "status": pl.String(),
        "onboard_day": pl.Date(),
        "delivery_day": pl.Date(),
        "settles_at": _TIME,
        "successor": pl.String(),
        "absences": pl.List(pl.Struct({"first_day": pl.Date(), "last_day": pl.Date()})),
        "evidence": pl.List(pl.String()),
    }
)
"""The columns of a version of the master, one row an instrument."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What one symbol stood for during one stretch of time.

    Args:
        exchange: The venue.
        market: Its market.
        symbol: The raw symbol; two instruments may share one, at different times.
        kind: What it is.
        base_asset: As the exchange spells it, multiplier included: `1000SHIB`.
        quote_asset: What it is priced in; None where nobody says.
        underlying_asset: The base asset without its multiplier: `SHIB`.
        multiplier: Underlying per base asset: 1000.
        contract_size: What one contract is worth, in `contract_unit`; None where there are no contracts.
        contract_unit: The base asset of a linear contract, the quote asset of an inverse one.
        tick_size: The step of prices, as last seen.
        lot_size: The step of quantities, as last seen.
        min_notional: The smallest order, in the quote asset, as last seen.
        valid_from: Its first day in the archive; the exchange's own onboard day until the archive has one.
        valid_to: Its last day, inclusive; None while it is listed.
        status: Where it stands in its life.
        onboard_day: When the exchange says that it started, which may be before the archive does.
        delivery_day: The day of delivery of a delivery contract.
        settles_at: When it is or was delivered or settled; rows from then on are not the instrument's.
        successor: The symbol under which the asset goes on.
        absences: Stretches of more than a few days within its validity for which the archive has no file.
        evidence: What this is known from: `archive`, `exchange info`, links of known events.
    """

    exchange: Exchange
    market: Market
    symbol: str
    kind: InstrumentKind
    base_asset: str
    quote_asset: str | None
    underlying_asset: str
    multiplier: int
    valid_from: date
    valid_to: date | None
    status: InstrumentStatus
    contract_size: Decimal | None = None
    contract_unit: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_notional: Decimal | None = None
    onboard_day: date | None = None
    delivery_day: date | None = None
    settles_at: datetime | None = None
    successor: str | None = None
    absences: tuple[DaySpan, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def instrument_id(self) -> str:
        """`<symbol>@<valid_from>`: unique within the exchange and market, where a symbol is not."""
        return f"{self.symbol}@{self.valid_from.isoformat()}"


def instrument_frame(instruments: Sequence[Instrument]) -> pl.DataFrame:
    """Returns instruments as a frame of `INSTRUMENT_SCHEMA`, by symbol and start."""
    rows = [_row(one) for one in instruments]
    return pl.DataFrame(rows, schema=INSTRUMENT_SCHEMA).sort("symbol", "valid_from")


def listed_on(instruments: pl.DataFrame, day: date) -> pl.DataFrame:
    """Returns the instruments that were listed on a day, those since delisted included and no later ones.

    Left out are those that the archive has no file of on that day because they were suspended.
    """
    valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
    within = (pl.element().struct["first_day"] <= day) & (pl.element().struct["last_day"] >= day)
    return instruments.filter(valid & ~pl.col("absences").list.eval(within).list.any())


def _row(one: Instrument) -> dict[str, object]:
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    absences = [{"first_day": span.first_day, "last_day": span.last_day} for span in one.absences]
    return {**values, "instrument_id": one.instrument_id, "absences": absences, "evidence": list(one.evidence)}
