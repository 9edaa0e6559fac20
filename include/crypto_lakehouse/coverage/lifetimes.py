"""The log of lifetimes: when the series of a dataset began and ended, as far as plans found out."""

from collections.abc import Mapping
from datetime import date, datetime

import polars as pl

from crypto_lakehouse.coverage.lifetime import UNKNOWN_LIFETIME, Bounds, Lifetime
from crypto_lakehouse.instants import DAY_US, instant, microseconds
from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.lake.storage import Storage

Series = tuple[str, str]
"""A symbol and an interval, empty where there is none."""

_TIME = pl.Datetime("us", "UTC")
_BOUNDS = ("starts_from", "starts_to", "ends_from", "ends_to")
LIFETIMES_SCHEMA = pl.Schema(
    {"symbol": pl.String(), "kline_interval": pl.String(), **dict.fromkeys(_BOUNDS, _TIME), "at": _TIME}
)
"""A row per change of a series; bounds that are not known are null."""


class LifetimeLog:
    """The lifetimes of a dataset's series. The last entry of a series counts.

    Args:
        storage: The lake.
        dataset_name: The dataset.
    """

    def __init__(self, storage: Storage, dataset_name: str) -> None:
        self._log = AppendLog(storage, f"lifetimes/{dataset_name}/", LIFETIMES_SCHEMA)

    def read(self) -> dict[Series, Lifetime]:
        """Returns the known lifetimes; a damaged file of the log is as if its series had no known bounds."""
        rows = self._log.read(skip_damage=True).unique(["symbol", "kline_interval"], keep="last", maintain_order=True)
        return {
            (symbol, interval): Lifetime(_span(*bounds[:2]), _span(*bounds[2:]))
            for symbol, interval, *bounds in rows.select("symbol", "kline_interval", *_BOUNDS).iter_rows()
        }

    def note(self, lifetimes: Mapping[Series, Lifetime], at: datetime) -> None:
        """Appends the lifetimes that differ from what the log has."""
        known = self.read()
        new = [item for item in sorted(lifetimes.items()) if known.get(item[0], UNKNOWN_LIFETIME) != item[1]]
        rows = [(*series, *_instants(lifetime.starts), *_instants(lifetime.ends), at) for series, lifetime in new]
        if rows:
            self._log.append_frame(pl.DataFrame(rows, schema=LIFETIMES_SCHEMA, orient="row"))

    def compact(self) -> int:
        """Merges the files of the log into one if there are many; returns the number of replaced files."""
        return self._log.compact()


def lifetime_days(lifetimes: Mapping[Series, Lifetime]) -> pl.DataFrame:
    """Returns lifetimes in days: `born_by` is the last day on which a series may have begun, `ended` its last day.

    `born_within` is the number of days among which its first day is. All are null where they are not known.
    """
    rows = [
        (
            *series,
            _last_day(lifetime.starts),
            (lifetime.starts[1] - lifetime.starts[0]) // DAY_US if lifetime.starts else None,
            _last_day(lifetime.ends),
        )
        for series, lifetime in lifetimes.items()
    ]
    days = {"born_by": pl.Date(), "born_within": pl.Int64(), "ended": pl.Date()}
    schema = {"symbol": pl.String(), "kline_interval": pl.String(), **days}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _last_day(bounds: Bounds | None) -> date | None:
    return instant(bounds[1] - 1).date() if bounds else None


def _span(start: datetime | None, end: datetime | None) -> Bounds | None:
    return (microseconds(start), microseconds(end)) if start and end else None


def _instants(bounds: Bounds | None) -> tuple[datetime | None, datetime | None]:
    return (instant(bounds[0]), instant(bounds[1])) if bounds else (None, None)
