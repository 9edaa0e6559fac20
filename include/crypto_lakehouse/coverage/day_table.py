"""The table `coverage`: a row per UTC day of each series, also for days that the coverage log has no rows of."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from crypto_lakehouse.coverage.identifiers import FIRST_ID, IDENTIFIED, judged_by_ids
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.queries import SERIES, CoverageQuery, null_where_empty
from crypto_lakehouse.coverage.records import EMPTY_DAY, NO_OBJECT
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.schedule import is_monthly
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.vocabulary import DayCondition, Interval

_PUBLISHED_WITHIN = timedelta(days=7)
"""A daily file that is not published by then is missing. Most are published the next day, some took a week."""
_MONTHLY_WITHIN = timedelta(days=15)
"""Monthly files are promised for the first Monday, and were seen as late as the middle of the next month."""

_TIME = pl.Datetime("us", "UTC")
COVERAGE_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "symbol": pl.String(),
        "kline_interval": pl.String(),
        "day": pl.Date(),
        "condition": pl.String(),
        "reason": pl.String(),
        "rows": pl.Int64(),
        "expected": pl.Int64(),
        "missing": pl.Int64(),
        "sources": pl.String(),
        "version": pl.String(),
        "at": _TIME,
    }
)


def coverage(log: CoverageLog, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns a row per UTC day of each series, with the columns of COVERAGE_SCHEMA.

    A day without a row in the log is missing, or pending while its file may still be published. The rows of a series
    begin with its first covered day. After the end of the table there are only rows of days that the log has.
    """
    refused = query.rows_of_series(log.refused_days(table.name))
    lifetimes = log.lifetime_days(table.name)
    logged = _since_birth(_with_refused(query.rows_of_series(log.days(table.name)), refused), lifetimes, table)
    if logged.is_empty():
        return pl.DataFrame(schema=COVERAGE_SCHEMA)
    joined = _calendar(logged, lifetimes, table, query).join(logged, on=[*SERIES, "day"], how="left")
    per_day = pl.col("kline_interval").replace_strict(_rows_per_day(table, logged), return_dtype=pl.Int64)
    overdue = pl.col("day") < _overdue_before(table, query.now)
    today = joined.with_columns(per_day.alias("_per_day"), overdue.alias("_overdue")).with_columns(_columns_of_today())
    days = _with_reasons(judged_by_ids(today, logged, table), refused)
    names = pl.lit(table.name).alias("dataset"), null_where_empty("kline_interval")
    return days.with_columns(names).select(COVERAGE_SCHEMA.names())


def _since_birth(logged: pl.DataFrame, lifetimes: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Returns the logged days without the empty days before the first row of series whose start is known.

    A monthly file covers the whole month in which a series began. If only the month is known and rows have identifiers,
    the series must begin with the first one.
    """
    has_data = (pl.col("rows") > 0) | (pl.col("reason") != EMPTY_DAY)
    first = pl.col("day").sort().first().alias("_present"), pl.col("first_id").sort_by("day").first().alias("_first_id")
    begun = logged.filter(has_data).group_by(SERIES).agg(*first).join(lifetimes, on=SERIES, how="inner")
    is_first = pl.lit(value=table.witness not in IDENTIFIED) | (pl.col("_first_id") <= FIRST_ID)
    known = begun.filter((pl.col("born_within") <= 1) | is_first)
    births = known.select(*SERIES, pl.min_horizontal("_present", "born_by").alias("_birth"))
    joined = logged.join(births, on=SERIES, how="left")
    return joined.filter(pl.col("_birth").is_null() | (pl.col("day") >= pl.col("_birth"))).drop("_birth")


def _with_refused(logged: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Returns the days of the log and, as missing, the days of which only refused objects exist."""
    alone = refused.join(logged, on=[*SERIES, "day"], how="anti").select(
        *SERIES,
        "day",
        pl.lit(DayCondition.MISSING.value).alias("condition"),
        pl.lit("").alias("reason"),
        pl.lit(0, pl.Int64).alias("rows"),
        pl.col("refused_at").alias("at"),
    )
    return pl.concat([logged, alone], how="diagonal")


def _with_reasons(days: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Returns days with the refused objects in the reasons of days that are not whole."""
    joined = days.join(refused.select(*SERIES, "day", "refused"), on=[*SERIES, "day"], how="left")
    is_told = pl.col("reason").str.contains(pl.col("refused"), literal=True)
    is_whole = pl.col("condition") == DayCondition.AVAILABLE.value
    nothing = pl.col("reason").is_in(["", NO_OBJECT])
    words = pl.when(nothing).then("refused").otherwise(pl.format("{}; {}", "reason", "refused"))
    is_unchanged = pl.col("refused").is_null() | is_told | is_whole
    return joined.with_columns(pl.when(is_unchanged).then("reason").otherwise(words).alias("reason"))


def publication_delay(table: Table) -> timedelta:
    """Returns how long after its day or month a file of the archive may still be published.

    A mart waits for the slowest of its inputs.
    """
    return _MONTHLY_WITHIN if _waits_for_months(table) else _PUBLISHED_WITHIN


def _waits_for_months(table: Table) -> bool:
    if isinstance(table, Mart):
        return any(_waits_for_months(table_of_name(mart_input.table)) for mart_input in table.inputs)
    return is_monthly(table)


def _calendar(logged: pl.DataFrame, lifetimes: pl.DataFrame, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns a row for every selected day of every series, with the last logged day of the series as `_last`."""
    yesterday = query.now.astimezone(UTC).date() - timedelta(days=1)
    implied = min(query.last_day or yesterday, table.ended or date.max)
    series = logged.group_by(SERIES).agg(pl.col("day").min().alias("_first"), pl.col("day").max().alias("_last"))
    first = pl.max_horizontal("_first", pl.lit(query.first_day or date.min))
    # Days after the end of a series count only where the log has rows of them.
    until = pl.max_horizontal("_last", pl.min_horizontal(pl.lit(implied), "ended"))
    last = pl.min_horizontal(until, pl.lit(query.last_day or date.max))
    ranged = (
        series.join(lifetimes, on=SERIES, how="left")
        .with_columns(first.alias("_from"), last.alias("_to"))
        .filter(pl.col("_from") <= pl.col("_to"))
    )
    days = pl.date_ranges("_from", "_to").alias("day")
    return ranged.select(*SERIES, "_last", days).explode("day").sort(*SERIES, "day")


def _rows_per_day(table: Table, logged: pl.DataFrame) -> dict[str, int | None]:
    return {
        interval: table.rows_per_day(Interval(interval) if interval else None)
        for interval in logged["kline_interval"].unique()
    }


def _overdue_before(table: Table, now: datetime) -> date:
    """Returns the first day whose file may still be published: earlier days are overdue."""
    day = now.astimezone(UTC).date() - publication_delay(table)
    return day.replace(day=1) if _waits_for_months(table) else day


def _columns_of_today() -> list[pl.Expr]:
    """Returns the columns of a day as they are now: filled where the log has no row, no longer pending when overdue."""
    is_unlogged = pl.col("condition").is_null()
    is_late = pl.col("_overdue") & (is_unlogged | (pl.col("condition") == DayCondition.PENDING.value))
    # A day of which only a refused object exists has no figures in the log.
    is_refused = (pl.col("condition") == DayCondition.MISSING.value) & pl.col("version").is_null()
    present = pl.col("expected").fill_null(0) - pl.col("missing").fill_null(0)
    return [
        pl.when(is_unlogged & is_late)
        .then(pl.lit(DayCondition.MISSING.value))
        .when(is_late)
        .then(pl.lit(DayCondition.DEGRADED.value))
        .otherwise(pl.col("condition").fill_null(DayCondition.PENDING.value))
        .alias("condition"),
        pl.when(is_unlogged)
        .then(_reason_of_unlogged())
        .when(is_late)
        .then(pl.format("{}, and the rest never came", "reason"))
        .otherwise("reason")
        .alias("reason"),
        pl.when(is_late | is_refused).then("_per_day").otherwise("expected").alias("expected"),
        pl.when((is_late | is_refused) & pl.col("_per_day").is_not_null())
        .then(pl.col("_per_day") - present)
        .otherwise("missing")
        .alias("missing"),
        pl.col("rows").fill_null(0),
        pl.col("sources", "version").fill_null(""),
    ]


def _reason_of_unlogged() -> pl.Expr:
    since = pl.format("nothing in the lake since {}: not pulled, not published, or the symbol is gone", "_last")
    return (
        pl.when(pl.col("day") < pl.col("_last"))
        .then(pl.lit(NO_OBJECT))
        .when("_overdue")
        .then(since)
        .otherwise(pl.lit("not in the lake yet, and not overdue"))
    )
