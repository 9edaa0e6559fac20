"""A small archive on loopback and a lake that is filled from it: for tests of what whole runs leave behind."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, zipped
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import ArchiveSettings, Settings
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.fakes.bucket import FakeBucket, serving

Lines = list[str]
Change = Callable[[Lines], object]


def unchanged(_: Lines) -> None:
    """Leaves the rows as they are."""


def dropped(start: int, end: int) -> Change:
    """Removes rows."""

    def change(lines: Lines) -> None:
        del lines[start:end]

    return change


def put(row: int, column: int, value: str) -> Change:
    """Writes one value."""

    def change(lines: Lines) -> None:
        cells = lines[row].split(",")
        cells[column] = value
        lines[row] = ",".join(cells)

    return change


def put_in_all(column: int, value: str) -> Change:
    """Writes one value into every row: an object that is refused whole if the value cannot be true."""

    def change(lines: Lines) -> None:
        for row in range(len(lines)):
            put(row, column, value)(lines)

    return change


@dataclass(frozen=True)
class SmallLake:
    """See the module."""

    bucket: FakeBucket
    settings: Settings

    @property
    def storage(self) -> LocalStorage:
        return LocalStorage(Path(self.settings.lake))

    @property
    def lake(self) -> Lake:
        return Lake(self.settings)

    def publish(self, name: str, day: str, change: Change = unchanged, monthly: bool = False) -> ArchiveKey:
        """Puts an object of synthetic rows into the bucket, or replaces it; headers are left out of `change`."""
        row, first = dataset(name), date.fromisoformat(day)
        frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
        key = ArchiveKey(row, frequency, row.sample_symbol, Interval.H1 if row.has_interval else None, first)
        lines = synthetic_csv(key).decode().splitlines()
        header = [] if lines[0][0].isdigit() else [lines.pop(0)]
        change(lines)
        content = zipped(f"{key.stem}.csv", "\n".join([*header, *lines, ""]).encode())
        self.bucket.objects[key.key] = content
        self.bucket.objects[key.checksum_key] = f"{hashlib.sha256(content).hexdigest()}  {key.stem}.zip".encode()
        return key

    def run(self, name: str, first: str, last: str) -> RunSummary:
        """Runs the pipeline over the dataset's sample symbol, and hourly klines."""
        row = dataset(name)
        intervals = ("1h",) if row.has_interval else ()
        request = PlanRequest(name, new_run_id("test"), first, last, (row.sample_symbol,), intervals)
        summary = run_pipeline(request, self.settings)
        assert summary.failures == []
        return summary


@contextmanager
def small_lake(folder: Path) -> Iterator[SmallLake]:
    """Serves an empty archive and opens an empty lake in a folder."""
    with serving(FakeBucket()) as bucket:
        archive = ArchiveSettings(endpoint_url=bucket.endpoint)
        yield SmallLake(bucket, Settings(lake=str(folder / "lake"), work_folder=folder / "work", archive=archive))
