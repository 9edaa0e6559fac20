"""The days on which the archive has files of a symbol, as spans without long gaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from crypto_lakehouse.vocabulary import Frequency

MAX_HOLE_DAYS = 3
"""Days without a file that do not interrupt a span. Uploads fail, for example of all futures on 2024-06-11 and 12."""


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Days from the first to the last, both inclusive."""

    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class ArchiveDays:
    """The days of one symbol in the archive: at least one span, in order, with long gaps between them."""

    symbol: str
    spans: tuple[DaySpan, ...]


def archive_days(listed: pl.DataFrame) -> list[ArchiveDays]:
    """Returns the days of every symbol of a listing, by symbol.

    In a month with daily files, only their days count. A month without daily files is covered completely by its monthly
    file, because the name of the file does not show the days without trading.

    Args:
        listed: A frame of `LISTED_SCHEMA`, of one interval.
    """
    month = pl.col("first_day").dt.truncate("1mo")
    daily = listed.filter(pl.col("frequency") == Frequency.DAILY.value)
    monthly = listed.filter(pl.col("frequency") == Frequency.MONTHLY.value)
    alone = monthly.join(daily.select("symbol", first_day=month).unique(), on=["symbol", "first_day"], how="anti")
    filled = alone.select("symbol", day=pl.date_ranges("first_day", "last_day")).explode("day", empty_as_null=False)
    days = pl.concat([daily.select("symbol", day="first_day"), filled]).unique().sort("symbol", "day")
    return _spans(days)


def _spans(days: pl.DataFrame) -> list[ArchiveDays]:
    apart = pl.col("day").diff().over("symbol") > timedelta(days=MAX_HOLE_DAYS + 1)
    spans = (
        days.with_columns(span=apart.fill_null(value=False).cum_sum().over("symbol"))
        .group_by("symbol", "span")
        .agg(first_day=pl.col("day").min(), last_day=pl.col("day").max())
        .sort("symbol", "first_day")
    )
    spans_of: dict[str, list[DaySpan]] = {}
    for symbol, first_day, last_day in spans.select("symbol", "first_day", "last_day").iter_rows():
        spans_of.setdefault(symbol, []).append(DaySpan(first_day, last_day))
    return [ArchiveDays(symbol, tuple(symbol_spans)) for symbol, symbol_spans in spans_of.items()]


def clipped(
    spans: Iterable[DaySpan], first_day: date | None = None, last_day: date | None = None
) -> tuple[DaySpan, ...]:
    """Returns the parts of spans from the first to the last day, both inclusive.

    >>> clipped([DaySpan(date(2024, 1, 1), date(2024, 1, 9))], last_day=date(2024, 1, 4))[0].last_day
    datetime.date(2024, 1, 4)
    """
    bounds = (first_day or date.min, last_day or date.max)
    cut = [DaySpan(max(span.first_day, bounds[0]), min(span.last_day, bounds[1])) for span in spans]
    return tuple(span for span in cut if span.first_day <= span.last_day)


def gaps(spans: Sequence[DaySpan]) -> tuple[DaySpan, ...]:
    """Returns the days between spans."""
    step = timedelta(days=1)
    return tuple(DaySpan(before.last_day + step, after.first_day - step) for before, after in pairwise(spans))
