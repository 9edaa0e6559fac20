"""The instrument master in the lake: its versions, and what the exchange was seen to say.

Both are append-only logs under `instruments/<exchange>_<market>/`. A version is the whole master, written at once.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime

import polars as pl

from crypto_lakehouse.instruments.exchange_info import (
    NUMBER_DIGITS,
    NUMBER_SCALE,
    ExchangeInfoBody,
    InstrumentInfo,
    changes,
    parse_exchange_info,
)
from crypto_lakehouse.instruments.instrument import INSTRUMENT_SCHEMA, Instrument, instrument_frame
from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.vocabulary import Exchange, Market

_TIME = pl.Datetime("us", "UTC")
_NUMBER = pl.Decimal(NUMBER_DIGITS, NUMBER_SCALE)
VERSION_SCHEMA = pl.Schema({**INSTRUMENT_SCHEMA, "version_at": _TIME})
"""The columns of the master as readers get it."""

_INFO_SCHEMA = pl.Schema(
    {
        "market": pl.String(),
        "symbol": pl.String(),
        "seen_at": _TIME,
        "status": pl.String(),
        "base_asset": pl.String(),
        "quote_asset": pl.String(),
        "contract_type": pl.String(),
        "contract_size": _NUMBER,
        "onboard_at": _TIME,
        "delivery_at": _TIME,
        "tick_size": _NUMBER,
        "lot_size": _NUMBER,
        "min_notional": _NUMBER,
        "is_leveraged_token": pl.Boolean(),
    }
)


class InstrumentLog:
    """Every version of the master, per market.

    Args:
        storage: The lake.
        exchange: The venue.
    """

    def __init__(self, storage: Storage, exchange: Exchange = Exchange.BINANCE) -> None:
        self._storage, self._exchange = storage, exchange

    def append(self, market: Market, instruments: Sequence[Instrument], version_at: datetime) -> bool:
        """Makes a version the newest; returns False and writes nothing where it says what the newest says."""
        frame = instrument_frame(instruments)
        if frame.equals(self.latest(market).drop("version_at")):
            return False
        rows = frame.with_columns(version_at=pl.lit(version_at, dtype=_TIME))
        self._log(market).append(rows.to_dicts())
        return True

    def latest(self, market: Market) -> pl.DataFrame:
        """Returns the newest version: a frame of `VERSION_SCHEMA` by symbol and start, empty where there is none."""
        return self.as_of(market, datetime.max.replace(tzinfo=UTC))

    def as_of(self, market: Market, version_at: datetime) -> pl.DataFrame:
        """Returns the version that was the newest at a time, in the same form."""
        versions = self._log(market).read().filter(pl.col("version_at") <= version_at)
        newest = versions.filter(pl.col("version_at") == pl.col("version_at").max())
        return newest.unique("instrument_id", keep="any").sort("symbol", "valid_from")

    def compact(self, market: Market) -> int:
        """Folds the market's versions into one file where they have grown; returns how many files were replaced."""
        return self._log(market).compact()

    def _log(self, market: Market) -> AppendLog:
        return AppendLog(self._storage, f"instruments/{self._exchange}_{market}/versions/", VERSION_SCHEMA)


class ExchangeInfoLog:
    """What the exchange was seen to say of its instruments, per market: changes only.

    Args:
        storage: The lake.
        exchange: The venue.
    """

    def __init__(self, storage: Storage, exchange: Exchange = Exchange.BINANCE) -> None:
        self._storage, self._exchange = storage, exchange

    def record(self, market: Market, bodies: Sequence[ExchangeInfoBody]) -> int:
        """Records what bodies say that was not known, oldest first; returns how many rows that was.

        A body from before the newest change that is known is left out: it cannot tell what changed since.

        Raises:
            SchemaDrift: A body is not as the exchange writes it; nothing is recorded.
        """
        parsed = [(one.seen_at, parse_exchange_info(one.body, market, one.seen_at)) for one in bodies]
        history = self.history(market)
        known = {one.symbol: one for one in history}
        last = max((one.seen_at for one in history), default=datetime.min.replace(tzinfo=UTC))
        found: list[InstrumentInfo] = []
        for seen_at, infos in sorted(parsed, key=lambda one: one[0]):
            if seen_at > last:
                new = changes(known, infos, seen_at)
                known |= {one.symbol: one for one in new}
                found += new
        self._log(market).append([asdict(one) for one in found])
        return len(found)

    def history(self, market: Market) -> list[InstrumentInfo]:
        """Returns all that was recorded, oldest first."""
        rows = self._log(market).read().unique(["symbol", "seen_at"], keep="any").sort("seen_at", "symbol")
        return [_info(row) for row in rows.iter_rows(named=True)]

    def compact(self, market: Market) -> int:
        """Folds the market's log into one file where it has grown; returns how many files were replaced."""
        return self._log(market).compact()

    def _log(self, market: Market) -> AppendLog:
        return AppendLog(self._storage, f"instruments/{self._exchange}_{market}/exchange_info/", _INFO_SCHEMA)


def _info(row: dict[str, object]) -> InstrumentInfo:
    values = {field.name: row[field.name] for field in fields(InstrumentInfo)}
    return InstrumentInfo(**{**values, "market": Market(str(row["market"]))})  # type: ignore[arg-type]
