"""What the bucket holds of a dataset: its symbols, and a frame of objects. Prefixes are listed in parallel."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import islice

import polars as pl

from crypto_lakehouse.archive.bucket import Bucket, ListedPage
from crypto_lakehouse.archive.keys import ArchiveKey, object_folder, parse_key
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_symbol
from crypto_lakehouse.vocabulary import Frequency, Interval

_CHECKSUM = ".CHECKSUM"
LISTED_SCHEMA = pl.Schema(
    {
        "key": pl.String(),
        "size": pl.Int64(),
        "etag": pl.String(),
        "last_modified": pl.String(),
        "checksum_etag": pl.String(),
        "symbol": pl.String(),
        "interval": pl.String(),
        "frequency": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
    }
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One archive folder of objects: a symbol's, of one frequency and interval."""

    dataset: Dataset
    frequency: Frequency
    symbol: str
    interval: Interval | None

    @property
    def prefix(self) -> str:
        """The folder with a trailing slash."""
        return object_folder(self.dataset, self.frequency, self.symbol, self.interval)


@dataclass(frozen=True, slots=True)
class FolderDays:
    """The days of a folder's objects, as far as a listing showed them.

    Args:
        folder: The folder.
        first_day: First day of its first object; None where it has objects of days before the listed ones.
        last_day: Last day of its last object.
    """

    folder: Folder
    first_day: date | None
    last_day: date


@dataclass(frozen=True, slots=True)
class Listing:
    """What folders hold: the objects of some days, and the days of every folder that has any objects."""

    objects: pl.DataFrame
    folders: tuple[FolderDays, ...]


def is_pattern(text: str) -> bool:
    """Returns whether a symbol argument is a glob."""
    return "*" in text or "?" in text


def matching_symbols(bucket: Bucket, dataset: Dataset, frequency: Frequency, patterns: Sequence[str]) -> list[str]:
    """Returns the symbols of a dataset that match: globs against the bucket's own folders, names as they are.

    Only the bucket is used, because today's exchange info does not contain delisted symbols.

    Raises:
        InvalidRequest: A name is not a symbol.
    """
    names = {validated_symbol(name) for name in patterns if not is_pattern(name)}
    globs = [pattern for pattern in patterns if is_pattern(pattern)]
    if globs:
        for symbol in bucket.folders(dataset.archive_prefix(frequency)):
            if any(fnmatchcase(symbol, glob) for glob in globs) and _is_symbol(symbol):
                names.add(symbol)
    return sorted(names)


def _is_symbol(text: str) -> bool:
    try:
        validated_symbol(text)
    except InvalidRequest:
        # A stray folder of the bucket; the archive is known to hold some.
        return False
    return True


def list_folders(
    bucket: Bucket,
    folders: Sequence[Folder],
    days: tuple[date, date],
    threads: int,
    progress: Progress = no_progress,
) -> Listing:
    """Returns the objects of folders whose days touch the range, with the columns of `LISTED_SCHEMA` sorted by key.

    Raises:
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: A listing contradicts itself.
    """
    frames: list[pl.DataFrame] = []
    known: list[FolderDays] = []
    with ThreadPoolExecutor(threads) as pool:
        for number, listed in enumerate(pool.map(lambda folder: _list_folder(bucket, folder, days), folders)):
            frames.append(listed.objects)
            known += listed.folders
            progress("folders listed", number + 1, len(folders))
    objects = pl.concat(frames).sort("key") if frames else pl.DataFrame(schema=LISTED_SCHEMA)
    return Listing(objects, tuple(known))


def _list_folder(bucket: Bucket, folder: Folder, days: tuple[date, date]) -> Listing:
    # Names sort by date, so everything before the range can be skipped; a month's file sorts before its days.
    name = folder.interval or folder.dataset.data_type
    first = days[0].replace(day=1) - timedelta(days=1)
    start = f"{folder.prefix}{folder.symbol}-{name}-{first.isoformat()[:7]}"
    # Stray spellings such as 2020-8 sort elsewhere: old months are listed from the start.
    after = start if first.year > 2021 else ""
    frame, seen = _objects(folder, bucket.pages(folder.prefix, start_after=after), days)
    if seen is None:
        return Listing(frame, ())
    begins: date | None = seen[0]
    if after and seen[0] >= days[0].replace(day=1):
        # Nothing of the month before was seen: one page more shows whether the folder begins here.
        _, earlier = _objects(folder, islice(bucket.pages(folder.prefix), 1), days)
        begins = earlier[0] if earlier else begins
    elif after:
        begins = None
    return Listing(frame, (FolderDays(folder, begins, seen[1]),))


def _objects(
    folder: Folder, pages: Iterable[ListedPage], days: tuple[date, date]
) -> tuple[pl.DataFrame, tuple[date, date] | None]:
    """Returns the objects whose days touch the range, and the first and last day of all objects of the pages."""
    columns: dict[str, list[object]] = {name: [] for name in LISTED_SCHEMA}
    seen: tuple[date, date] | None = None
    for page in pages:
        for key, size, etag, modified in zip(page.keys, page.sizes, page.etags, page.modified, strict=True):
            if key.endswith(_CHECKSUM):
                if columns["key"] and key == f"{columns['key'][-1]}{_CHECKSUM}":
                    columns["checksum_etag"][-1] = etag
                continue
            parsed = parse_key(key)
            if parsed is None:
                continue
            seen = (min(seen[0], parsed.first_day), max(seen[1], parsed.last_day)) if seen else _days_of(parsed)
            if parsed.last_day < days[0] or parsed.first_day > days[1]:
                continue
            values = (key, size, etag, modified, "", parsed.symbol, parsed.interval or "", parsed.frequency.value)
            for column, value in zip(columns.values(), (*values, parsed.first_day, parsed.last_day), strict=True):
                column.append(value)
    return pl.DataFrame(columns, schema=LISTED_SCHEMA), seen


def _days_of(key: ArchiveKey) -> tuple[date, date]:
    return key.first_day, key.last_day
