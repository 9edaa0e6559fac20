"""The names of archive objects: `data/<base>/<frequency>/<type>/<symbol>[/<interval>]/<stem>.zip`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.lake.partition import next_span_start, span_label
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import symbol_key, validated_symbol
from crypto_lakehouse.vocabulary import Frequency, Interval, PartitionSpan, Source

_PREFIXES = {
    dataset.archive_prefix(frequency): (dataset, frequency) for dataset in DATASETS for frequency in dataset.frequencies
}
# A month of one digit exists: ADABKRW-1d-2020-8.zip (binance-public-data issue 469).
_PERIOD = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{2}))?")
_SPANS = {Frequency.DAILY: PartitionSpan.DAY, Frequency.MONTHLY: PartitionSpan.MONTH}
SOURCES = {Frequency.DAILY: Source.ARCHIVE_DAILY, Frequency.MONTHLY: Source.ARCHIVE_MONTHLY}
"""The source of each tree of the archive."""


@dataclass(frozen=True, slots=True)
class ArchiveKey:
    """One archive object by its content.

    Args:
        dataset: Its dataset.
        frequency: Daily or monthly tree.
        symbol: Raw symbol.
        interval: Kline interval, where the dataset has intervals.
        first_day: First UTC day its name covers.
        period: The date in its name, if it differs from the usual format, as in a few old objects.
    """

    dataset: Dataset
    frequency: Frequency
    symbol: str
    interval: Interval | None
    first_day: date
    period: str = ""

    @property
    def last_day(self) -> date:
        """Last UTC day its name covers, inclusive."""
        return next_span_start(_SPANS[self.frequency], self.first_day) - timedelta(days=1)

    @property
    def source(self) -> Source:
        """Which of the sources it is."""
        return SOURCES[self.frequency]

    @property
    def start(self) -> datetime:
        """First instant its name covers, inclusive, UTC."""
        return midnight(self.first_day)

    @property
    def end(self) -> datetime:
        """First instant after what its name covers, UTC."""
        return midnight(self.last_day + timedelta(days=1))

    @property
    def label(self) -> str:
        """The date in its usual spelling: `2024-12-31` or `2024-12`."""
        return span_label(_SPANS[self.frequency], self.first_day)

    @property
    def stem(self) -> str:
        """The name of the zip without its ending. The CSV inside has the same name."""
        return f"{self.symbol}-{self.interval or self.dataset.data_type}-{self.period or self.label}"

    @property
    def folder(self) -> str:
        """The archive folder that holds it, with a trailing slash."""
        return object_folder(self.dataset, self.frequency, self.symbol, self.interval)

    @property
    def key(self) -> str:
        """The key of the zip.

        >>> from crypto_lakehouse.datasets import dataset
        >>> day = date(2024, 1, 31)
        >>> ArchiveKey(dataset("binance_um_klines"), Frequency.DAILY, "BTCUSDT", Interval.M1, day).key
        'data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-31.zip'
        """
        return f"{self.folder}{self.stem}.zip"

    @property
    def checksum_key(self) -> str:
        """The key of its CHECKSUM."""
        return f"{self.key}.CHECKSUM"


def object_folder(dataset: Dataset, frequency: Frequency, symbol: str, interval: Interval | None) -> str:
    """Returns the archive folder of a symbol's objects, with a trailing slash."""
    layer = f"{interval}/" if interval else ""
    return f"{dataset.archive_prefix(frequency)}{symbol}/{layer}"


def parse_key(key: str) -> ArchiveKey | None:
    """Returns the parts of a zip's key, or None if it is not an object of a known dataset.

    The bucket also has other files: part files of a cluster, other top folders, names that differ from their folder.
    """
    parts = key.split("/")
    depth = 5 if parts[1:2] == ["futures"] else 4
    dataset, frequency = _PREFIXES.get("/".join(parts[:depth]) + "/", (None, None))
    if dataset is None or frequency is None or len(parts) != depth + 2 + dataset.has_interval:
        return None
    symbol, name = parts[depth], parts[-1]
    try:
        interval = Interval(parts[depth + 1]) if dataset.has_interval else None
        validated_symbol(symbol)
    except (ValueError, InvalidRequest):
        return None
    start = f"{symbol}-{interval or dataset.data_type}-"
    if not name.startswith(start) or not name.endswith(".zip"):
        return None
    period = name[len(start) : -len(".zip")]
    first_day = _first_day(period, frequency)
    return ArchiveKey(dataset, frequency, symbol, interval, first_day, period) if first_day else None


def _first_day(period: str, frequency: Frequency) -> date | None:
    match = _PERIOD.fullmatch(period)
    if match is None or (match[3] is not None) != (frequency is Frequency.DAILY):
        return None
    try:
        first_day = date(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        return None
    # The last year of the calendar has no end.
    return first_day if first_day.year < date.max.year else None


def bronze_path(key: ArchiveKey, sha256: str) -> str:
    """Returns the path of an object's version in the lake. It is ASCII-safe and contains the sha256."""
    folder = f"bronze/{key.dataset.name}/objects/{key.frequency}/{symbol_key(key.symbol)}/{key.interval or '-'}"
    return f"{folder}/{key.label}/{sha256}.zip"
