"""Builds archive objects for tests: zips as the exchange publishes them, with content chosen by the test."""

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, Frequency, Interval

LAST_MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ArchiveFile:
    """What an archive object is to hold; `days` are counted from 1970, so that files are easy to enumerate."""

    dataset: Dataset
    first_day: date
    symbol: str = "BTCUSDT"
    interval: Interval | None = None
    frequency: Frequency = Frequency.DAILY

    @property
    def key(self) -> ArchiveKey:
        return ArchiveKey(self.dataset, self.frequency, self.symbol, self.interval, self.first_day)


def archive_file(name: str, day: str, **others: object) -> ArchiveFile:
    """Returns a description of an object of the dataset called `name` whose date is `day`."""
    return ArchiveFile(dataset_row(name), date.fromisoformat(day), **others)  # type: ignore[arg-type]


def write_zip(file: ArchiveFile, content: bytes, folder: Path, *, level: int = 1) -> Path:
    """Writes the object below `folder`, laid out as the bucket is."""
    path = folder / file.key.key
    path.parent.mkdir(parents=True, exist_ok=True)
    member = zipfile.ZipInfo(f"{file.key.stem}.csv", (2026, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr(member, content, zipfile.ZIP_DEFLATED, level)
    return path


def write_chunks(file: ArchiveFile, chunks: Iterable[bytes], folder: Path, *, level: int = 6) -> Path:
    """Writes an object of any size, piece by piece."""
    path = folder / file.key.key
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        member = zipfile.ZipInfo(f"{file.key.stem}.csv", (2026, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(member, "w", force_zip64=False) as out:
            for chunk in chunks:
                out.write(chunk)
    return path


def input_at(key: ArchiveKey, path: Path, last_modified: datetime = LAST_MODIFIED) -> InputObject:
    """Returns a zip on disk as conform gets it: with the record that Bronze would hold of it."""
    held = BronzeObject(
        dataset=key.dataset.name,
        key=key.key,
        symbol=key.symbol,
        interval=str(key.interval or ""),
        source=key.source,
        start=key.start,
        end=key.end,
        etag="etag",
        last_modified=last_modified,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        checksum=ChecksumStatus.VERIFIED,
        seen_at=LAST_MODIFIED,
        path=str(path),
    )
    return InputObject(held, path)


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_input(
    file: ArchiveFile, content: bytes, folder: Path, last_modified: datetime = LAST_MODIFIED
) -> InputObject:
    """Writes an object and returns it as conform gets it."""
    return input_at(file.key, write_zip(file, content, folder), last_modified)


def csv(rows: Sequence[Sequence[object]]) -> bytes:
    """Returns rows as the archive writes them: commas, line feeds, no quotes."""
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def epoch_ms(day: date, seconds: float = 0.0) -> int:
    """Returns the milliseconds of a moment of a day."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)
    return round(moment.timestamp() * 1000)


def kline_rows(day: date, count: int = 1440, step_seconds: int = 60, scale: int = 1) -> list[list[object]]:
    """Returns plausible klines from midnight on; `scale` 1000 gives microseconds."""
    rows: list[list[object]] = []
    for number in range(count):
        opened = epoch_ms(day, number * step_seconds)
        price = 40_000 + (number * 7919) % 977 / 10
        close = (opened + step_seconds * 1000) * scale - 1
        volume = 1 + number % 89 / 16
        rows.append(
            [
                opened * scale,
                *(f"{price + shift:.8f}" for shift in (0, 1.5, -2.25, 0.5)),
                f"{volume:.8f}",
                close,
                f"{price * volume:.8f}",
                10 + number % 5,
                "0.50000000",
                f"{price / 2:.8f}",
                0,
            ]
        )
    return rows


def agg_trade_rows(day: date, count: int, first_id: int = 1000, step_seconds: float = 1.0) -> list[list[object]]:
    """Returns spot aggregated trades with contiguous identifiers."""
    return [
        [
            first_id + number,
            f"{42_000 + number % 100 / 4:.8f}",
            f"{0.001 * (1 + number % 9):.8f}",
            number,
            number,
            epoch_ms(day, number * step_seconds),
            "True" if number % 2 else "False",
            "True",
        ]
        for number in range(count)
    ]
