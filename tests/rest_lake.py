"""A lake's own client and a LocalExchange in one virtual time: what it fetches, and the Silver rows of it."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.demo.records import MICROSECONDS_SINCE
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.exchange.fetching import AnsweredSpan, fetch, store
from crypto_lakehouse.exchange.limiter import RateLimiter
from crypto_lakehouse.exchange.missing import Series, missing_spans
from crypto_lakehouse.lake.bronze import BronzeLog, bronze_object
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import partitions_between
from crypto_lakehouse.lake.records import Manifest, RequestSpan
from crypto_lakehouse.settings import ConformSettings, ExchangeSettings
from crypto_lakehouse.silver.conform import ConformOutcome, InputObject, conform
from crypto_lakehouse.spans import Span
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval, Market, TimeUnit
from tests.archive_builder import input_at
from tests.fakes.exchange import LocalExchange, SyntheticRows
from tests.fakes.exchange.encoding import in_unit
from tests.fakes.exchange.long_candles import is_long
from tests.fakes.exchange.series import DatasetSeries

_numbers = count()


@dataclass
class VirtualTime:
    """A clock that stands still but for those who sleep; `slept` says for how long each."""

    now: float
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(0.0, seconds)


def exchange_settings(url: str, folder: Path, **others: object) -> ExchangeSettings:
    """Returns settings that ask the markets of a LocalExchange, within a budget file of `folder`."""
    hosts = {f"{market}_url": f"{url}/{market}" for market in ("spot", "um", "cm")}
    return ExchangeSettings(**{**hosts, "limits_file": folder / "limits.sqlite", "api_key": "none", **others})  # type: ignore[arg-type]


@dataclass
class RestLake:
    """Who asks, and where the answers are kept; every client is as one of another process, with the budget shared."""

    exchange: LocalExchange
    time: VirtualTime
    folder: Path
    settings: ExchangeSettings

    @property
    def storage(self) -> LocalStorage:
        return LocalStorage(self.folder / "lake")

    def limiter(self, market: Market) -> RateLimiter:
        limiter = open_limiter(self.settings, market)
        limiter.clock, limiter.sleep = self.time, self.time.sleep
        return limiter

    def client(self, market: Market, limiter: RateLimiter | None = None) -> ExchangeClient:
        chosen = limiter or self.limiter(market)
        return ExchangeClient(self.settings, market, chosen, self.time, self.time.sleep)

    def fetch(self, row: Dataset, window: RequestSpan, client: ExchangeClient | None = None) -> list[AnsweredSpan]:
        """Fetches a span and makes each part of it part of Bronze as soon as it is there."""
        parts = []
        for answered in fetch(row, window, client or self.client(row.market)):
            BronzeLog(self.storage).commit([store(answered, row, window, self.storage)])
            parts.append(answered)
        return parts

    def held(self, row: Dataset) -> list[InputObject]:
        """Returns what Bronze holds, as conform gets it."""
        rows = BronzeLog(self.storage).latest(row.name).iter_rows(named=True)
        objects = [bronze_object(one) for one in rows]
        return [InputObject(one, self.folder / "lake" / one.path) for one in objects]

    def missing(self, row: Dataset, series: Series, wanted: tuple[datetime, datetime]) -> list[RequestSpan]:
        """Returns what a run would ask for now."""
        now = datetime.fromtimestamp(self.time.now, UTC)
        covered = [Span(one.object.start, one.object.end) for one in self.held(row)]
        return missing_spans(series, Span(*wanted), covered, now)

    def fetch_missing(self, row: Dataset, series: Series, wanted: tuple[datetime, datetime]) -> list[AnsweredSpan]:
        """Asks for what Bronze does not hold, as a run does."""
        client = self.client(row.market)
        return [part for window in self.missing(row, series, wanted) for part in self.fetch(row, window, client)]

    def silver(self, row: Dataset, inputs: Sequence[InputObject] | None = None) -> pl.DataFrame:
        """Returns the Silver rows of these inputs, or of all that Bronze holds; nothing may be refused."""
        return silver_frame(row, self.held(row) if inputs is None else inputs, self.folder)


def silver_frame(row: Dataset, inputs: Sequence[InputObject], folder: Path) -> pl.DataFrame:
    """Returns the rows of every partition that the inputs cover; fails where an input is refused."""
    outcome = conformed(row, inputs, folder)
    assert outcome.refused == []
    frames = [pl.read_parquet(one.file) for one in outcome.partitions if one.file is not None]
    return pl.concat(frames).sort(row.event_time, *row.key) if frames else pl.DataFrame()


def conformed(row: Dataset, inputs: Sequence[InputObject], folder: Path) -> ConformOutcome:
    """Conforms all partitions that the inputs cover."""
    work = folder / f"conform-{next(_numbers)}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    margin = timedelta(days=1 if row.day_tolerance_seconds else 0)
    found = {
        partition.name: partition
        for one in inputs
        for partition in partitions_between(
            row,
            one.object.symbol,
            one.object.first_day - margin,
            one.object.last_day + margin,
            Interval(one.object.interval) if one.object.interval else None,
        )
    }
    return conform(row, [found[name] for name in sorted(found)], list(inputs), work, ConformSettings())


def manifests(row: Dataset, inputs: Sequence[InputObject], folder: Path) -> list[Manifest]:
    """Returns the manifests of all partitions that the inputs cover and that have rows."""
    return [one.manifest for one in conformed(row, inputs, folder).partitions if one.file is not None]


def archive_csv(key: ArchiveKey) -> bytes:
    """Returns what the archive's object of this key holds, candles longer than a day included."""
    if not is_long(key.interval):
        return synthetic_csv(key)
    series = DatasetSeries(key.dataset.name, key.symbol, key.interval)
    source = SyntheticRows()
    days = [one for one in source.days(series, key.last_day) if one >= key.first_day]
    return "".join(f"{_in_one_unit(key, line)}\n" for day in days for line in source.lines(series, day)).encode()


def _in_one_unit(key: ArchiveKey, line: str) -> str:
    """Returns a candle whose days may be of two units in that of its file."""
    is_micro = key.dataset.market is Market.SPOT and key.first_day >= MICROSECONDS_SINCE
    unit = TimeUnit.MICROSECONDS if is_micro else TimeUnit.MILLISECONDS
    fields = line.split(",")
    fields[0], fields[6] = in_unit(fields[0], unit), in_unit(fields[6], unit, "999")
    return ",".join(fields)


def archive_inputs(keys: Iterable[ArchiveKey], folder: Path) -> list[InputObject]:
    """Writes synthetic archive objects and returns them as conform gets them."""
    return [input_at(key, write_object(folder, key, archive_csv(key))) for key in keys]


def utc(*parts: int) -> datetime:
    """Returns a UTC instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def window(symbol: str, interval: str, start: datetime, end: datetime) -> RequestSpan:
    """Returns the request of a span between two instants."""
    return RequestSpan(symbol, interval, Span(start, end))


def days_between(first: date, last: date) -> list[date]:
    """Returns the days from `first` to `last`, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
