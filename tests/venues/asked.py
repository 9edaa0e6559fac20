"""A lake that asks the local exchange, and what runs of it bring."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.work import PlanRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.settings import ExchangeSettings, Settings
from tests.exchange.server import LocalExchange


@dataclass(frozen=True, slots=True)
class AskedLake:
    """A lake in a folder and the exchange that it asks."""

    settings: Settings
    exchange: LocalExchange

    @classmethod
    def of(cls, exchange: LocalExchange, folder: Path, share: float = 1.0) -> "AskedLake":
        asked = ExchangeSettings(
            coinbase_url=f"{exchange.url}/coinbase",
            kraken_url=f"{exchange.url}/kraken",
            limits_file=folder / "limits.sqlite",
            budget_share=share,
            workers=2,
        )
        return cls(Settings(lake=str(folder / "lake"), exchange=asked), exchange)

    def request(self, dataset: str, symbol: str, days: tuple[date, date], intervals: Sequence[str] = ()) -> PlanRequest:
        first, last = days
        return PlanRequest(
            dataset, new_run_id("test"), first.isoformat(), last.isoformat(), (symbol,), tuple(intervals)
        )

    def run(self, request: PlanRequest) -> RunSummary:
        return run_pipeline(replace(request, run_id=new_run_id("test")), self.settings)

    def rows(self, dataset: str, symbol: str) -> pl.DataFrame:
        frame = Lake(self.settings).sql(f"SELECT * FROM {dataset} WHERE symbol = '{symbol}'")
        return frame

    def held(self, dataset: str) -> pl.DataFrame:
        return BronzeLog(open_storage(self.settings)).latest(dataset).sort("start")


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)
