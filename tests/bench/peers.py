"""The peers: other people's packages that turn the archive's zips into Parquet. Runs in their own environment.

What is called, unchanged, with files from disk in place of the network:

- `binance-vision`: `binance_vision.fetch_data(...)`, its public function; `requests.Session` answers from the archive
  folder, CHECKSUMs included, and its planning is told that only the job's files exist.
- `binance-syncer`: `binance_syncer.syncer.core.Syncer.download_and_store(session, ...)`, in batches as its own
  `sync_symbol` makes them; the session it is handed answers from the archive folder. It asks for no CHECKSUM.
- `binance-data-loader`: `binance_data_loader.DataProcessor.process_zip_files(...)`, its public function. Klines only.
"""

import asyncio
import logging
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contender import Convert, Job, Outcome, main

_DATE = re.compile(r"-(\d{4}-\d{2}(?:-\d{2})?)\.zip$")
_CHUNK = 8192
MARKETS = {"spot": "spot", "futures/um": "usdm", "futures/cm": "coinm"}


class Named:
    """What an archive key says."""

    def __init__(self, key: str) -> None:
        parts = key.split("/")
        place = parts.index("daily" if "daily" in parts else "monthly")
        self.market = "/".join(parts[1:place])
        self.data_type, self.symbol, *interval = parts[place + 1 : -1]
        self.interval = interval[0] if interval else None
        self.period = _DATE.search(key)[1]  # type: ignore[index]
        self.series_month = (self.symbol, self.period[:7])


def by_month(keys: tuple[str, ...]) -> Iterator[list[str]]:
    """Yields the keys of each symbol and month."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in keys:
        groups[Named(key).series_month].append(key)
    yield from groups.values()


def binance_vision() -> Convert:
    """Returns `fetch_data`, called once per symbol and month."""
    import requests
    from binance_vision import _core

    def convert(job: Job) -> Outcome:
        _core.requests.Session = lambda: _FolderSession(job.archive, requests.Response)  # type: ignore[attr-defined]
        outcome = Outcome()
        for keys in by_month(job.keys):
            _fetch_month(_core, job, keys, outcome)
        return outcome

    return convert


def _fetch_month(core: Any, job: Job, keys: list[str], outcome: Outcome) -> None:
    names = [Named(key) for key in keys]
    months = [tuple(map(int, one.period.split("-"))) for one in names if len(one.period) == 7]
    days = [date.fromisoformat(one.period) for one in names if len(one.period) == 10]
    core._plan_periods = lambda *_: (months, days)
    first = names[0]
    day = f"{first.period}-01"[:10]
    path = job.out / f"{first.symbol}-{first.period[:7]}.parquet"
    what = {"market": MARKETS[first.market], "data_type": first.data_type, "interval": first.interval}
    result = core.fetch_data(first.symbol, day, day, **what, output_path=str(path))
    outcome.complaints += [f"{label}: {reason}" for label, reason in result.failed]
    outcome.complaints += [f"{label}: missing" for label in result.missing]
    if len(result.data):
        outcome.files.append(str(path))


class _FolderSession:
    """Answers as `requests` would, from a folder."""

    def __init__(self, folder: Path, response: Any) -> None:
        self.folder, self.response = folder, response

    def __enter__(self) -> "_FolderSession":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def get(self, url: str, timeout: float) -> Any:
        path = self.folder / url[url.index("/data/") + 1 :]
        answer = self.response()
        answer.status_code = 200 if path.exists() else 404
        answer._content = path.read_bytes() if path.exists() else b""
        return answer


def binance_syncer() -> Convert:
    """Returns `Syncer.download_and_store`, over batches of files as `sync_symbol` makes them."""
    from binance_syncer.constant import DataType, KlineInterval, MarketType
    from binance_syncer.syncer import core

    logs = _Collected()
    core.logger.addHandler(logs)
    core.logger.propagate = False

    @cache
    def syncer_of(market: str, data_type: str, interval: str | None) -> Any:
        return core.Syncer(MarketType(market), DataType(data_type), KlineInterval(interval) if interval else None)

    async def store(job: Job) -> list[bool]:
        done: list[bool] = []
        gate = asyncio.Semaphore(core.Syncer.MAX_CONCURRENT_TASKS // 2)
        for first in range(0, len(job.keys), core.Syncer.BATCH_SIZE_SYNC):
            batch = job.keys[first : first + core.Syncer.BATCH_SIZE_SYNC]
            done += await asyncio.gather(*(store_one(job, key, gate) for key in batch))
        return done

    def store_one(job: Job, key: str, gate: asyncio.Semaphore) -> Any:
        name = Named(key)
        return syncer_of(name.market, name.data_type, name.interval).download_and_store(
            _AsyncSession(job.archive), name.symbol, key, gate, max_retries=0
        )

    def convert(job: Job) -> Outcome:
        logs.said.clear()
        core.Syncer.LOCAL_PREFIX = str(job.out)
        done = asyncio.run(store(job))
        failed = [] if all(done) else [*logs.said] or ["it returned False"]
        return Outcome(sorted(map(str, job.out.rglob("*.parquet"))), failed or logs.warnings())

    return convert


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.said.append(record.getMessage())

    def warnings(self) -> list[str]:
        return [f"warns: {one}" for one in self.said]


class _AsyncSession:
    """Answers as aiohttp would, from a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> "_AsyncResponse":
        return _AsyncResponse(self.folder / key)


class _AsyncResponse:
    def __init__(self, path: Path) -> None:
        self.path, self.content = path, self

    async def __aenter__(self) -> "_AsyncResponse":
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def raise_for_status(self) -> None:
        self.path.stat()

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def binance_data_loader() -> Convert:
    """Returns `DataProcessor.process_zip_files` with its own number of workers."""
    from binance_data_loader import DataProcessor

    def convert(job: Job) -> Outcome:
        good, bad = DataProcessor().process_zip_files(job.paths, job.out, job.archive)
        return Outcome([one["output_path"] for one in good], [one["error"] for one in bad])

    return convert


PEERS = {
    "binance-vision": binance_vision,
    "binance-syncer": binance_syncer,
    "binance-data-loader": binance_data_loader,
}
KLINES_ONLY = {"binance-data-loader"}

if __name__ == "__main__":
    # Their own logs stay away from the one line of JSON.
    logging.getLogger("binance_vision").addHandler(logging.NullHandler())
    main(PEERS)
