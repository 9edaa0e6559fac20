"""Runs against a bucket and an exchange on loopback, in this process or in one that may be killed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.records import Manifest
from crypto_lakehouse.running import RunSummary, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.crypto_lakehouse.archive.objects import put_object, settings_for
from tests.fakes.bucket import FakeBucket
from tests.fakes.exchange import LocalExchange, SeenRequest
from tests.rest_lake import exchange_settings

NAME = "binance_um_klines"
KLINES = dataset(NAME)


@dataclass
class Deployment:
    """A lake in a folder, a bucket and an exchange."""

    bucket: FakeBucket
    exchange: LocalExchange
    folder: Path
    runs: int = 0
    summaries: list[RunSummary] = field(default_factory=list)

    def settings(self, **exchange: object) -> Settings:
        asked = exchange_settings(self.exchange.url, self.folder, **exchange)
        return settings_for(self.bucket, self.folder).model_copy(update={"exchange": asked})

    def publish(self, *days: date, symbol: str = "BTCUSDT", edit: Callable[[bytes], bytes] = bytes) -> None:
        """Puts days of synthetic candles of a minute into the bucket."""
        for day in days:
            key = ArchiveKey(KLINES, Frequency.DAILY, symbol, Interval.M1, day)
            put_object(self.bucket, NAME, day, symbol=symbol, rows=edit(synthetic_csv(key)))

    def request(
        self, first: date, last: date, symbols: tuple[str, ...] = ("BTCUSDT",), **others: object
    ) -> PlanRequest:
        """Returns a request of a run of its own."""
        self.runs += 1
        fields = {"dataset": NAME, "intervals": ("1m",), **others}
        return PlanRequest(
            run_id=f"run-{self.runs}",
            first_day=f"{first}",
            last_day=f"{last}",
            symbols=symbols,
            **fields,  # type: ignore[arg-type]
        )

    def run(self, request: PlanRequest, **exchange: object) -> RunSummary:
        return run_pipeline(request, self.settings(**exchange))

    def asked(self, since: int = 0) -> list[SeenRequest]:
        """Returns the requests for rows, without those for the time."""
        return [one for one in self.exchange.requests[since:] if not one.path.endswith("time")]

    def rows(self, name: str = NAME) -> pl.DataFrame:
        """Returns what readers see."""
        files = [self.folder / "lake" / one.file for one in self._published(name)]
        return pl.concat([pl.read_parquet(one) for one in files]).sort("symbol", dataset(name).event_time)

    def manifests(self, name: str = NAME) -> list[Manifest]:
        return [read_manifest(self.folder / "lake" / one.file) for one in self._published(name)]

    def conditions(self, name: str = NAME) -> list[str]:
        return [one.condition.value for one in self._published(name)]

    def _published(self, name: str) -> list:  # type: ignore[type-arg]
        path = self.folder / "lake" / "catalog" / "catalog.sqlite"
        return EmbeddedCatalog(path).partitions(dataset(name)) if path.exists() else []


def starts(requests: list[SeenRequest]) -> list[datetime]:
    """Returns the instants that requests asked from."""
    return [datetime.fromtimestamp(int(one.params["startTime"]) / 1000, UTC) for one in requests]


def carry_out(settings: Settings, request: PlanRequest) -> None:
    """Runs the pipeline; the target of a process."""
    sys.exit(1 if run_pipeline(request, settings).failures else 0)


def unreachable(settings: Settings) -> Settings:
    """Returns settings of an exchange that nobody is at."""
    nobody = {f"{market}_url": "http://127.0.0.1:9" for market in ("spot", "um", "cm")}
    exchange: ExchangeSettings = settings.exchange.model_copy(update={**nobody, "attempts": 1, "timeout_seconds": 2.0})
    return settings.model_copy(update={"exchange": exchange})
