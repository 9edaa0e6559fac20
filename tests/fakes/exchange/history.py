"""Finding rows of a series by time or by identifier, across days."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from crypto_lakehouse.vocabulary import TimeUnit
from tests.fakes.exchange.encoding import DayCache, EncodedDay, RowShape, encoded_day
from tests.fakes.exchange.rows import RowSource
from tests.fakes.exchange.series import DatasetSeries

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Library:
    """The source of rows with the days that were encoded before."""

    source: RowSource
    cache: DayCache

    def history(self, series: DatasetSeries, shape: RowShape, until: int, unit: TimeUnit) -> "History":
        """Returns the rows of a series up to an instant in microseconds, inclusive."""
        return History(self, series, shape, until, unit)


@dataclass(frozen=True, slots=True)
class History:
    """The rows of a series up to now."""

    library: Library
    series: DatasetSeries
    shape: RowShape
    until: int
    unit: TimeUnit = TimeUnit.MILLISECONDS

    def from_time(self, start: int, end: int, limit: int) -> list[bytes]:
        """Returns the oldest rows of a range of time, both ends inclusive, oldest first."""
        days = self._days()
        first = bisect_left(days, _day_of(start)) - self.shape.days_over if start <= self.until else len(days)
        return self._forward(days[max(0, first) :], (start, min(end, self.until)), limit)

    def until_time(self, end: int, limit: int) -> list[bytes]:
        """Returns the newest rows up to an instant, oldest first."""
        return self._backward(self._days(), min(end, self.until), limit)

    def from_id(self, start: int, limit: int) -> list[bytes]:
        """Returns the rows from an identifier on, oldest first."""
        days = self._days()
        first = max(0, self._day_with(days, start))
        rows: list[bytes] = []
        for day in days[first:]:
            one = self._day(day)
            stop = bisect_right(one.times, self.until)
            rows += one.rows[bisect_left(one.ids, start) : stop]
            if len(rows) >= limit:
                break
        return rows[:limit]

    def before_id(self, end: int, limit: int) -> list[bytes]:
        """Returns the newest rows below an identifier, oldest first."""
        days = self._days()
        chunks: list[list[bytes]] = []
        missing = limit
        for day in reversed(days[: max(0, self._day_with(days, end)) + 1]):
            one = self._day(day)
            stop = min(bisect_left(one.ids, end), bisect_right(one.times, self.until))
            chunks.append(one.rows[max(0, stop - missing) : stop])
            missing -= len(chunks[-1])
            if missing <= 0:
                break
        return [row for chunk in reversed(chunks) for row in chunk]

    def first_id(self, start: int) -> int | None:
        """Returns the first identifier at or after an instant, or None where there is no row."""
        days = self._days()
        for day in days[bisect_left(days, _day_of(start)) :]:
            one = self._day(day)
            at = bisect_left(one.times, start)
            if at < len(one.times) and one.times[at] <= self.until:
                return one.ids[at]
        return None

    def _forward(self, days: Sequence[date], span: tuple[int, int], limit: int) -> list[bytes]:
        start, end = span
        rows: list[bytes] = []
        for day in days:
            if _start_of(day) > end or len(rows) >= limit:
                break
            one = self._day(day)
            rows += one.rows[bisect_left(one.times, start) : bisect_right(one.times, end)]
        return rows[:limit]

    def _backward(self, days: Sequence[date], end: int, limit: int) -> list[bytes]:
        chunks: list[list[bytes]] = []
        missing = limit
        last = bisect_right(days, _day_of(end))
        for day in reversed(days[:last]):
            one = self._day(day)
            stop = bisect_right(one.times, end)
            chunks.append(one.rows[max(0, stop - missing) : stop])
            missing -= len(chunks[-1])
            if missing <= 0:
                break
        return [row for chunk in reversed(chunks) for row in chunk]

    def _day_with(self, days: Sequence[date], row_id: int) -> int:
        """Returns the place of the last day that starts at or below an identifier, -1 where none does."""

        def first(day: date) -> int:
            ids = self._day(day).ids
            return ids[0] if ids else row_id

        return bisect_right(days, row_id, key=first) - 1

    def _days(self) -> Sequence[date]:
        return self.library.source.days(self.series, _day_of(self.until))

    def _day(self, day: date) -> EncodedDay:
        def make() -> EncodedDay:
            return encoded_day(self.series, self.library.source.lines(self.series, day), self.shape, self.unit)

        return self.library.cache.get((self.series, day, self.shape, self.unit), make)


def _day_of(instant: int) -> date:
    return date.fromordinal(_EPOCH + instant // _DAY)


def _start_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
