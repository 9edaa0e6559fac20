"""The instrument master in the lake: its versions, and the exchange info over time.

Both are append-only logs under `instruments/<exchange>_<market>/`. A version is a complete master, written at once.
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
from crypto_lakehouse.lake.log import SEQUENCE, AppendLog
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.vocabulary import Exchange, Market

_TIME = pl.Datetime("us", "UTC")
_NUMBER = pl.Decimal(NUMBER_DIGITS, NUMBER_SCALE)
VERSION_SCHEMA = pl.Schema({**INSTRUMENT_SCHEMA, "version_at": _TIME})
"""The columns of the master for readers."""

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
        """Appends a version. Returns False and writes nothing if it is equal to the newest version."""
        frame = instrument_frame(instruments)
        if frame.equals(self.latest(market).drop("version_at")):
            return False
        rows = frame.with_columns(version_at=pl.lit(version_at, dtype=_TIME))
        self._log(market).append(rows.to_dicts())
        return True

    def latest(self, market: Market) -> pl.DataFrame:
        """Returns the newest version as a frame of `VERSION_SCHEMA` by symbol and start. Empty if there is none.

        Raises:
            CorruptObject: A file of the log is damaged.
        """
        return _newest(self._log(market).read())

    def as_of(self, market: Market, version_at: datetime) -> pl.DataFrame:
        """Returns the version that was the newest at a time, in the same form.

        The question is about a time, so the times of the versions answer it; of several, the last one appended counts.

        Raises:
            CorruptObject: A file of the log is damaged.
        """
        return _newest(self._log(market).read().filter(pl.col("version_at") <= version_at))

    def compact(self, market: Market) -> int:
        """Merges the versions of a market into one file if there are many. Returns the number of replaced files."""
        return self._log(market).compact()

    def restore(self, market: Market) -> None:
        """Replaces a damaged log by its valid rows."""
        self._log(market).rewrite(lambda rows: rows)

    def _log(self, market: Market) -> AppendLog:
        return AppendLog(self._storage, f"instruments/{self._exchange}_{market}/versions/", VERSION_SCHEMA)


def _newest(versions: pl.DataFrame) -> pl.DataFrame:
    newest = versions.filter(pl.col(SEQUENCE) == pl.col(SEQUENCE).max())
    return newest.drop(SEQUENCE).sort("symbol", "valid_from")


class ExchangeInfoLog:
    """The exchange info over time, per market. Only changes are stored.

    Args:
        storage: The lake.
        exchange: The venue.
    """

    def __init__(self, storage: Storage, exchange: Exchange = Exchange.BINANCE) -> None:
        self._storage, self._exchange = storage, exchange

    def record(self, market: Market, bodies: Sequence[ExchangeInfoBody]) -> int:
        """Records the changes in response bodies, oldest first. Returns the number of recorded rows.

        A body that is older than the newest recorded change is left out, because later changes are missing in it. The
        times come from the exchange's own clock, which is in the bodies: a clock of ours has no say.

        Raises:
            SchemaDrift: A body does not have the format of the exchange. Nothing is recorded.
        """
        parsed = [(body.seen_at, parse_exchange_info(body.body, market, body.seen_at)) for body in bodies]
        history = self.history(market)
        known = {info.symbol: info for info in history}
        last = max((info.seen_at for info in history), default=datetime.min.replace(tzinfo=UTC))
        changed: list[InstrumentInfo] = []
        for seen_at, infos in sorted(parsed, key=lambda response: response[0]):
            if seen_at > last:
                new = changes(known, infos, seen_at)
                known |= {info.symbol: info for info in new}
                changed += new
        self._log(market).append([asdict(info) for info in changed])
        return len(changed)

    def history(self, market: Market) -> list[InstrumentInfo]:
        """Returns all recorded rows, oldest first."""
        # One clock, the exchange's, orders bodies that may be given in any order.
        rows = self._log(market).read().unique(["symbol", "seen_at"], keep="any").sort("seen_at", "symbol")
        return [_info(row) for row in rows.iter_rows(named=True)]

    def compact(self, market: Market) -> int:
        """Merges the log of a market into one file if there are many. Returns the number of replaced files."""
        return self._log(market).compact()

    def restore(self, market: Market) -> None:
        """Replaces a damaged log by its valid rows."""
        self._log(market).rewrite(lambda rows: rows)

    def _log(self, market: Market) -> AppendLog:
        return AppendLog(self._storage, f"instruments/{self._exchange}_{market}/exchange_info/", _INFO_SCHEMA)


def _info(row: dict[str, object]) -> InstrumentInfo:
    values = {field.name: row[field.name] for field in fields(InstrumentInfo)}
    return InstrumentInfo(**{**values, "market": Market(str(row["market"]))})  # type: ignore[arg-type]
