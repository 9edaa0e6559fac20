"""A lake that asks Coinbase and Kraken of the local exchange, and what it brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.records import DayContent, kline_lines, trade_lines
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval
from tests.fakes.exchange.server import LocalExchange
from tests.rest_lake import RestLake, VirtualTime

KLINES = (("coinbase_spot_klines", "BTC-USD"), ("kraken_spot_klines", "XBTUSD"))
TRADES = (("coinbase_spot_trades", "BTC-USD"), ("kraken_spot_trades", "XBTUSD"))


def venue_settings(url: str, folder: Path, **others: object) -> ExchangeSettings:
    """Returns settings that ask both venues of a LocalExchange, with the whole budget."""
    hosts = {f"{venue}_url": f"{url}/{venue}" for venue in ("coinbase", "kraken")}
    return ExchangeSettings(**{**hosts, "limits_file": folder / "limits.sqlite", "budget_share": 1.0, **others})  # type: ignore[arg-type]


@dataclass
class VenueLake(RestLake):
    """A RestLake whose clients ask the exchange of the dataset, in virtual time."""

    def client_of(self, row: Dataset) -> ExchangeClient:
        limiter = open_limiter(self.settings, row.market, row.exchange)
        limiter.clock, limiter.sleep = self.time, self.time.sleep
        return ExchangeClient(self.settings, row.market, limiter, self.time, self.time.sleep, row.exchange)


@dataclass(frozen=True, slots=True)
class AskedLake:
    """A lake that whole runs fill, in real time."""

    settings: Settings

    @classmethod
    def of(cls, exchange: LocalExchange, folder: Path) -> "AskedLake":
        return cls(Settings(lake=str(folder / "lake"), exchange=venue_settings(exchange.url, folder)))

    def run(self, name: str, symbol: str, days: tuple[date, date], intervals: Sequence[str] = ()) -> RunSummary:
        first, last = (day.isoformat() for day in days)
        request = PlanRequest(name, new_run_id("test"), first, last, (symbol,), tuple(intervals))
        return run_pipeline(request, self.settings)

    def rows(self, name: str, interval: str = "") -> pl.DataFrame:
        row = dataset(name)
        where = f" WHERE kline_interval = '{interval}'" if interval else ""
        return Lake(self.settings).sql(f"SELECT * FROM {name}{where} ORDER BY {row.event_time}, {row.key[0]}")

    def held(self, name: str) -> pl.DataFrame:
        return BronzeLog(open_storage(self.settings)).latest(name).sort("start")


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def candle_lines(day: date, interval: Interval) -> list[list[str]]:
    """Returns the candles of a day as Binance's archive has them: both venues tell the same market."""
    return [
        line.split(",") for line in kline_lines(DayContent(dataset("binance_spot_klines"), "BTCUSDT", day, interval))
    ]


def tick_lines(day: date) -> list[list[str]]:
    """Returns the trades of a day as Binance's archive has them."""
    return [line.split(",") for line in trade_lines(DayContent(dataset("binance_spot_trades"), "BTCUSDT", day))]


__all__ = ["KLINES", "TRADES", "AskedLake", "VenueLake", "VirtualTime", "candle_lines", "tick_lines", "yesterday"]
