"""Which data a run is about: a table, symbols, intervals and days, checked once against the table's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import Interval

EARLIEST = date(2017, 1, 1)
"""No exchange of the table has data of an earlier day that we ask for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Part of a table.

    Args:
        table: The table.
        first_day: First UTC day.
        last_day: Last UTC day, inclusive; tomorrow at the latest.
        symbols: Symbols or globs; empty means the symbols of the deployment's configuration.
        intervals: Kline intervals; empty means the intervals of the configuration, or that the table has none.
    """

    table: Table
    first_day: date
    last_day: date
    symbols: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()

    @classmethod
    def parse(
        cls, table_name: str, days: tuple[str, str], *, symbols: Sequence[str] = (), intervals: Sequence[str] = ()
    ) -> "Selection":
        """Returns the selection that these words describe; `days` are the first and the last one, as YYYY-MM-DD.

        Raises:
            InvalidRequest: There is no such table or interval, or the days are not a range that can have data.
        """
        table = table_of_name(table_name)
        first_day, last_day = _days(table, days)
        return cls(table, first_day, last_day, tuple(symbols), _intervals(table, intervals))

    @property
    def dataset(self) -> Dataset:
        """Its table where that is a dataset, which has sources.

        Raises:
            TypeError: It is part of a mart.
        """
        if not isinstance(self.table, Dataset):
            raise TypeError(f"{self.table.name} is a mart: it has no sources")
        return self.table

    def with_defaults(self, configured: Sequence[Interval]) -> tuple[Interval | None, ...]:
        """Returns the intervals, or the configured ones where none are named; only None where the table has none.

        Raises:
            InvalidRequest: The table does not have a configured interval.
        """
        if not self.table.has_interval:
            return (None,)
        return self.intervals or _intervals(self.table, configured)


def _days(table: Table, days: tuple[str, str]) -> tuple[date, date]:
    try:
        first, last = (date.fromisoformat(day) for day in days)
    except ValueError as error:
        raise InvalidRequest(f"the dates are not YYYY-MM-DD: {error}", dataset=table.name) from error
    latest = utc_now().date() + timedelta(days=1)
    if not EARLIEST <= first <= last or first > latest:
        raise InvalidRequest(
            f"{first} to {last} is not a range of days between {EARLIEST} and {latest}",
            "Give the first day first",
            dataset=table.name,
        )
    return first, min(last, latest)


def _intervals(table: Table, names: Sequence[str]) -> tuple[Interval, ...]:
    if not table.has_interval:
        return ()
    try:
        intervals = tuple(Interval(name) for name in names)
    except ValueError as error:
        raise InvalidRequest(f"{error}", f"Known: {', '.join(Interval)}", dataset=table.name) from error
    unknown = [interval.value for interval in intervals if interval not in table.intervals]
    if unknown:
        raise InvalidRequest(
            f"has no interval {', '.join(unknown)}", f"It has {', '.join(table.intervals)}", dataset=table.name
        )
    return intervals
