"""The table `coverage`: a row per UTC day of each series, also for days that the coverage log has no rows of."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from crypto_lakehouse.coverage.log import CoverageLog, neighbours_by_id
from crypto_lakehouse.coverage.queries import SERIES, CoverageQuery, null_where_empty
from crypto_lakehouse.coverage.records import NO_OBJECT
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.schedule import is_monthly
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.vocabulary import DayCondition, Interval, Witness

_PUBLISHED_WITHIN = timedelta(days=7)
"""A daily file that is not published by then is missing. Most are published the next day, some took a week."""
_MONTHLY_WITHIN = timedelta(days=15)
"""Monthly files are promised for the first Monday, and were seen as late as the middle of the next month."""

_IDENTIFIED = (Witness.IDS, Witness.IDS_WITH_HOLES)
_MOMENT = "%Y-%m-%d %H:%M:%S"

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
    logged = _with_refused(query.rows_of_series(log.days(table.name)), refused)
    if logged.is_empty():
        return pl.DataFrame(schema=COVERAGE_SCHEMA)
    joined = _calendar(logged, log.last_days(table.name), table, query).join(logged, on=[*SERIES, "day"], how="left")
    per_day = pl.col("kline_interval").replace_strict(_rows_per_day(table, logged), return_dtype=pl.Int64)
    overdue = pl.col("day") < _overdue_before(table, query.now)
    today = joined.with_columns(per_day.alias("_per_day"), overdue.alias("_overdue")).with_columns(_columns_of_today())
    days = _with_reasons(judged_by_ids(today, logged, table), refused)
    names = pl.lit(table.name).alias("dataset"), null_where_empty("kline_interval")
    return days.with_columns(names).select(COVERAGE_SCHEMA.names())


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


def judged_by_ids(days: pl.DataFrame, logged: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Returns days as the identifiers before and after them prove them.

    Where identifiers go on without a gap, days between them are empty and nothing is missing. Where some are missing
    between two days with rows, either of the two days may lack them.
    """
    if table.witness not in _IDENTIFIED:
        return days
    pairs = neighbours_by_id(logged)
    has_gap = pl.lit(value=table.witness is Witness.IDS) & (pl.col("skipped") > 0)
    in_two = pl.col("_partition") != pl.col("partition")
    doubtful = pairs.filter(has_gap & in_two).select(
        *SERIES, "skipped", "day", "_day", at=pl.col("_last_at"), until=pl.col("first_at")
    )
    touched = pl.concat(
        [doubtful.drop("_day"), doubtful.drop("day").rename({"_day": "day"}).select(doubtful.drop("_day").columns)]
    )
    words = pl.format(
        "{} ids are missing between {} and {}",
        "skipped",
        pl.col("at").dt.strftime(_MOMENT),
        pl.col("until").dt.strftime(_MOMENT),
    )
    lacking = touched.group_by(*SERIES, "day").agg(words.str.join("; ").alias("_lacking"))
    bridged = pairs.filter((pl.col("skipped") == 0) & ((pl.col("day") - pl.col("_day")) > timedelta(days=1)))
    proven = (
        bridged.select(
            *SERIES,
            pl.date_ranges(pl.col("_day"), pl.col("day"), closed="none").alias("day"),
            pl.format("no trades: the ids go on from {} to {}", "_last_id", "first_id").alias("_proof"),
        )
        .explode("day", empty_as_null=False)
        .filter(pl.col("day").is_not_null())
    )
    judged = days.join(lacking, on=[*SERIES, "day"], how="left").join(proven, on=[*SERIES, "day"], how="left")
    is_proven = pl.col("_proof").is_not_null() & (pl.col("rows") == 0)
    is_lacking = pl.col("_lacking").is_not_null() & (pl.col("condition") == DayCondition.AVAILABLE.value)
    reasons = pl.concat_str(pl.col("reason").replace("", None), "_lacking", separator="; ", ignore_nulls=True)
    return judged.with_columns(
        pl.when(is_proven)
        .then(pl.lit(DayCondition.AVAILABLE.value))
        .when(is_lacking)
        .then(pl.lit(DayCondition.DEGRADED.value))
        .otherwise("condition")
        .alias("condition"),
        pl.when(is_proven).then("_proof").otherwise(reasons).fill_null("").alias("reason"),
        pl.when(is_proven).then(0).otherwise("missing").alias("missing"),
    )


def publication_delay(table: Table) -> timedelta:
    """Returns how long after its day or month a file of the archive may still be published.

    A mart waits for the slowest of its inputs.
    """
    return _MONTHLY_WITHIN if _waits_for_months(table) else _PUBLISHED_WITHIN


def _waits_for_months(table: Table) -> bool:
    if isinstance(table, Mart):
        return any(_waits_for_months(table_of_name(mart_input.table)) for mart_input in table.inputs)
    return is_monthly(table)


def _calendar(logged: pl.DataFrame, ended: pl.DataFrame, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns a row for every selected day of every series, with the last logged day of the series as `_last`."""
    yesterday = query.now.astimezone(UTC).date() - timedelta(days=1)
    implied = min(query.last_day or yesterday, table.ended or date.max)
    series = logged.group_by(SERIES).agg(pl.col("day").min().alias("_first"), pl.col("day").max().alias("_last"))
    first = pl.max_horizontal("_first", pl.lit(query.first_day or date.min))
    # Days after the end of a series count only where the log has rows of them.
    until = pl.max_horizontal("_last", pl.min_horizontal(pl.lit(implied), "_ended"))
    last = pl.min_horizontal(until, pl.lit(query.last_day or date.max))
    ranged = (
        series.join(ended, on=SERIES, how="left")
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
