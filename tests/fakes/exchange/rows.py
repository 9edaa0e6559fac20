"""Where the rows come from: the generator of the synthetic archive, or a folder laid out as the bucket is."""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from crypto_lakehouse.archive.keys import ArchiveKey, object_folder, parse_key
from crypto_lakehouse.demo.records import LINES, DayContent
from crypto_lakehouse.spec import TimeEncoding
from crypto_lakehouse.vocabulary import DataType, Frequency, Interval
from tests.fakes.exchange.long_candles import is_long, merged, next_open, opens_on
from tests.fakes.exchange.series import DatasetSeries

_TIME_FIELD = {DataType.AGG_TRADES: 5, DataType.TRADES: 4}
_MICROSECONDS = 10**14


class RowSource(Protocol):
    """The rows of the archive, a day at a time."""

    def days(self, series: DatasetSeries, until: date) -> Sequence[date]:
        """Returns the days up to and with `until` on which the series has rows, ascending."""
        ...

    def lines(self, series: DatasetSeries, day: date) -> list[str]:
        """Returns the CSV rows of one day, without a header."""
        ...


class SyntheticRows:
    """The rows that the generator of the demonstration's archive makes, for any day from `since` on.

    The generator stops at candles of a day. Longer ones are merged from days, as the exchange itself makes them.
    """

    def __init__(self, since: date = date(2020, 1, 1)) -> None:
        self._since = since

    def days(self, series: DatasetSeries, until: date) -> Sequence[date]:
        return _synthetic_days(self._since, until, series.interval)

    def lines(self, series: DatasetSeries, day: date) -> list[str]:
        make = LINES[series.dataset.data_type]
        if not is_long(series.interval):
            return list(make(DayContent(series.dataset, series.symbol, day, series.interval)))
        length = (next_open(series.interval, day) - day).days
        days = [day + timedelta(days=number) for number in range(length)]
        return [merged([next(make(DayContent(series.dataset, series.symbol, one, Interval.D1))) for one in days])]


@lru_cache(maxsize=64)
def _synthetic_days(since: date, until: date, interval: Interval | None) -> tuple[date, ...]:
    days = (since + timedelta(days=number) for number in range((until - since).days + 1))
    return tuple(day for day in days if not is_long(interval) or opens_on(interval, day))


class FolderRows:
    """The rows of real archive zips; a day's own zip is taken before its month's."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[DatasetSeries, dict[date, ArchiveKey]] = {}

    def days(self, series: DatasetSeries, until: date) -> Sequence[date]:
        return sorted(day for day in self._objects(series) if day <= until)

    def lines(self, series: DatasetSeries, day: date) -> list[str]:
        key = self._objects(series).get(day)
        if key is None:
            return []
        rows = _zip_lines(self._root / key.key)
        if key.frequency is Frequency.DAILY:
            return rows
        field = _TIME_FIELD.get(series.dataset.data_type, 0)
        return [row for row in rows if _row_day(series, row.split(",")[field]) == day]

    def _objects(self, series: DatasetSeries) -> dict[date, ArchiveKey]:
        if series not in self._found:
            # Monthly first: the daily object of a day then takes its place.
            keys = [key for one in (Frequency.MONTHLY, Frequency.DAILY) for key in self._keys(series, one)]
            self._found[series] = {day: key for key in keys for day in _days_of(key)}
        return self._found[series]

    def _keys(self, series: DatasetSeries, frequency: Frequency) -> Iterator[ArchiveKey]:
        if frequency not in series.dataset.frequencies:
            return
        folder = self._root / object_folder(series.dataset, frequency, series.symbol, series.interval)
        for path in sorted(folder.glob("*.zip")):
            key = parse_key(path.relative_to(self._root).as_posix())
            if key is not None:
                yield key


def _days_of(key: ArchiveKey) -> list[date]:
    return [key.first_day + timedelta(days=number) for number in range((key.last_day - key.first_day).days + 1)]


def _zip_lines(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    return lines[1:] if lines and lines[0][:1].isalpha() else lines


def _row_day(series: DatasetSeries, stamp: str) -> date:
    if series.dataset.time_encoding is not TimeEncoding.EPOCH:
        return date.fromisoformat(stamp[:10])
    number = int(stamp)
    return datetime.fromtimestamp(number / (1_000_000 if number >= _MICROSECONDS else 1_000), UTC).date()
