"""An instrument: what a symbol meant in a span of time, and the frame of many instruments."""

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
"""The columns of a version of the master, one row per instrument."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What one symbol meant during one span of time.

    Args:
        exchange: The venue.
        market: Its market.
        symbol: The raw symbol; two instruments may share one, at different times.
        kind: Its kind.
        base_asset: In the spelling of the exchange, with multiplier: `1000SHIB`.
        quote_asset: The asset of its prices; None if no source has it.
        underlying_asset: The base asset without its multiplier: `SHIB`.
        multiplier: Underlying per base asset: 1000.
        contract_size: Value of one contract, in `contract_unit`; None if there are no contracts.
        contract_unit: The base asset of a linear contract, the quote asset of an inverse one.
        tick_size: The step of prices, as last seen.
        lot_size: The step of quantities, as last seen.
        min_notional: The smallest order, in the quote asset, as last seen.
        valid_from: Its first day in the archive. The onboard day of the exchange until the archive has a day.
        valid_to: Its last day, inclusive; None while it is listed.
        status: Its status.
        onboard_day: Its start in the exchange info, which may be before its first day in the archive.
        delivery_day: The day of delivery of a delivery contract.
        settles_at: Time of its delivery or settlement. Later rows do not belong to it.
        successor: The symbol under which the asset continues.
        absences: Spans of more than a few days within its validity without a file in the archive.
        evidence: Its sources: `archive`, `exchange info`, links of known events.
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
    rows = [_row(instrument) for instrument in instruments]
    return pl.DataFrame(rows, schema=INSTRUMENT_SCHEMA).sort("symbol", "valid_from")


def listed_on(instruments: pl.DataFrame, day: date) -> pl.DataFrame:
    """Returns the instruments that were listed on a day, including those that were delisted later.

    Instruments that were suspended on the day, and have no file in the archive, are left out.
    """
    valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
    within = (pl.element().struct["first_day"] <= day) & (pl.element().struct["last_day"] >= day)
    return instruments.filter(valid & ~pl.col("absences").list.eval(within).list.any())


def _row(instrument: Instrument) -> dict[str, object]:
    values = {field.name: getattr(instrument, field.name) for field in fields(instrument)}
    absences = [{"first_day": span.first_day, "last_day": span.last_day} for span in instrument.absences]
    return {
        **values,
        "instrument_id": instrument.instrument_id,
        "absences": absences,
        "evidence": list(instrument.evidence),
    }
