"""Which data a run is about: a dataset, symbols, intervals and days, checked once against the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval

EARLIEST = date(2017, 1, 1)
"""No exchange of the table has data of an earlier day that we ask for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Part of a dataset.

    Args:
        dataset: The dataset.
        first_day: First UTC day.
        last_day: Last UTC day, inclusive; tomorrow at the latest.
        symbols: Symbols or globs; empty means the symbols of the deployment's configuration.
        intervals: Kline intervals; empty means the intervals of the configuration, or that the dataset has none.
    """

    dataset: Dataset
    first_day: date
    last_day: date
    symbols: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()

    @classmethod
    def parse(
        cls, dataset_name: str, days: tuple[str, str], *, symbols: Sequence[str] = (), intervals: Sequence[str] = ()
    ) -> "Selection":
        """Returns the selection that these words describe; `days` are the first and the last one, as YYYY-MM-DD.

        Raises:
            InvalidRequest: There is no such dataset or interval, or the days are not a range that can have data.
        """
        dataset = dataset_row(dataset_name)
        first_day, last_day = _days(dataset, days)
        return cls(dataset, first_day, last_day, tuple(symbols), _intervals(dataset, intervals))

    def with_defaults(self, configured: Sequence[Interval]) -> tuple[Interval | None, ...]:
        """Returns the intervals, or the configured ones where none are named; only None where the dataset has none.

        Raises:
            InvalidRequest: The dataset does not have a configured interval.
        """
        if not self.dataset.has_interval:
            return (None,)
        return self.intervals or _intervals(self.dataset, configured)


def _days(dataset: Dataset, days: tuple[str, str]) -> tuple[date, date]:
    try:
        first, last = (date.fromisoformat(day) for day in days)
    except ValueError as error:
        raise InvalidRequest(f"the dates are not YYYY-MM-DD: {error}", dataset=dataset.name) from error
    latest = datetime.now(UTC).date() + timedelta(days=1)
    if not EARLIEST <= first <= last or first > latest:
        raise InvalidRequest(
            f"{first} to {last} is not a range of days between {EARLIEST} and {latest}",
            "Give the first day first",
            dataset=dataset.name,
        )
    return first, min(last, latest)


def _intervals(dataset: Dataset, names: Sequence[str]) -> tuple[Interval, ...]:
    if not dataset.has_interval:
        return ()
    try:
        intervals = tuple(Interval(name) for name in names)
    except ValueError as error:
        raise InvalidRequest(f"{error}", f"Known: {', '.join(Interval)}", dataset=dataset.name) from error
    unknown = [interval.value for interval in intervals if interval not in dataset.intervals]
    if unknown:
        raise InvalidRequest(
            f"has no interval {', '.join(unknown)}", f"It has {', '.join(dataset.intervals)}", dataset=dataset.name
        )
    return intervals
