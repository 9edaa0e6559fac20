"""Which days there are, and what is missing: the coverage log as two tables, with the days that no row speaks of."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase

import polars as pl

from crypto_lakehouse.coverage.known_holes import holes_of
from crypto_lakehouse.coverage.log import RECONCILIATIONS_SCHEMA, CoverageLog
from crypto_lakehouse.schedule import is_monthly
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DayCondition, HoleKind, Interval

PUBLISHED_WITHIN = timedelta(days=7)
"""A daily file that is not out by then is missing; most are out the next day, some took a week."""
MONTHLY_WITHIN = timedelta(days=15)
"""Monthly files are promised for the first Monday and seen until the middle of the next month."""

_TIME = pl.Datetime("us", "UTC")
_SERIES = ["symbol", "kline_interval"]
_PLACE = {"dataset": pl.String(), "symbol": pl.String(), "kline_interval": pl.String()}
COVERAGE_SCHEMA = pl.Schema(
    {
        **_PLACE,
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
GAPS_SCHEMA = pl.Schema(
    {
        **_PLACE,
        "start": _TIME,
        "end": _TIME,
        "duration": pl.Duration("us"),
        "kind": pl.String(),
        "missing": pl.Int64(),
        "reason": pl.String(),
        "known": pl.String(),
        "sources": pl.String(),
        "since": _TIME,
    }
)
RECONCILIATION_SCHEMA = pl.Schema({name: kind for name, kind in RECONCILIATIONS_SCHEMA.items() if name != "partition"})


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """Which series and days are asked for.

    Args:
        now: What is overdue is measured against it.
        symbols: Symbols, or globs of `*` and `?`; all by default.
        intervals: Kline intervals; all by default.
        first_day: First UTC day; the first covered one of each series by default.
        last_day: Last UTC day, inclusive; yesterday by default, or later where the lake already has rows.
    """

    now: datetime
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None


def coverage(log: CoverageLog, dataset: Dataset, query: CoverageQuery) -> pl.DataFrame:
    """Returns a row per UTC day of each series, of the columns of COVERAGE_SCHEMA.

    A day that the log does not speak of is missing, or pending while its file may still come. There is none before
    the first covered day of a series, and none of these after the dataset's end.
    """
    spoken = _asked_for(log.days(dataset.name), query)
    if spoken.is_empty():
        return pl.DataFrame(schema=COVERAGE_SCHEMA)
    joined = _calendar(spoken, dataset, query).join(spoken, on=[*_SERIES, "day"], how="left")
    per_day = pl.col("kline_interval").replace_strict(_rows_per_day(dataset, spoken), return_dtype=pl.Int64)
    overdue = pl.col("day") < _overdue_before(dataset, query.now)
    told = joined.with_columns(per_day.alias("_per_day"), overdue.alias("_overdue")).with_columns(_implied())
    return told.with_columns(pl.lit(dataset.name).alias("dataset"), _interval()).select(COVERAGE_SCHEMA.names())


def find_gaps(log: CoverageLog, dataset: Dataset, query: CoverageQuery) -> pl.DataFrame:
    """Returns what is missing, of the columns of GAPS_SCHEMA: one row per unbroken stretch of time of a series.

    Holes and missing days that touch are one gap, except that what upstream is known not to have stays apart.
    Identifiers that are skipped are gaps of their own: the time around them is not empty.
    """
    days = coverage(log, dataset, query).with_columns(pl.col("kline_interval").fill_null(""))
    holes = _holes(log, dataset, query, days)
    ids = pl.col("kind") == HoleKind.IDS.value
    stretches = explained(pl.concat([holes.filter(~ids), _missing_days(days, dataset)]), dataset)
    found = pl.concat([_merged(stretches), holes.filter(ids)]).sort(*_SERIES, "start", "end")
    told = found.with_columns(
        (pl.col("end") - pl.col("start")).alias("duration"), pl.lit(dataset.name).alias("dataset")
    )
    return told.with_columns(_interval()).select(GAPS_SCHEMA.names())


def reconciliation(log: CoverageLog, dataset: Dataset, query: CoverageQuery) -> pl.DataFrame:
    """Returns what sources with the same keys said, a row per series, day and pair of sources."""
    found = _asked_for(log.reconciliations(dataset.name), query)
    within = [pl.lit(value=True)]
    within += [pl.col("day") >= query.first_day] if query.first_day else []
    within += [pl.col("day") <= query.last_day] if query.last_day else []
    sorted_rows = found.filter(*within).sort(*_SERIES, "day", "kept", "other")
    return sorted_rows.with_columns(_interval()).select(RECONCILIATION_SCHEMA.names())


def _asked_for(rows: pl.DataFrame, query: CoverageQuery) -> pl.DataFrame:
    if query.intervals:
        rows = rows.filter(pl.col("kline_interval").is_in(list(query.intervals)))
    if query.symbols:
        held = rows["symbol"].unique().to_list()
        wanted = [one for one in held if any(fnmatchcase(one, pattern) for pattern in query.symbols)]
        rows = rows.filter(pl.col("symbol").is_in(wanted))
    return rows


def _calendar(spoken: pl.DataFrame, dataset: Dataset, query: CoverageQuery) -> pl.DataFrame:
    """Returns a row for every day asked for of every series, with the first and last day spoken of."""
    yesterday = query.now.astimezone(UTC).date() - timedelta(days=1)
    implied = min(query.last_day or yesterday, dataset.ended or date.max)
    series = spoken.group_by(_SERIES).agg(pl.col("day").min().alias("_first"), pl.col("day").max().alias("_last"))
    first = pl.max_horizontal("_first", pl.lit(query.first_day or date.min))
    last = pl.min_horizontal(pl.max_horizontal("_last", pl.lit(implied)), pl.lit(query.last_day or date.max))
    ranged = series.with_columns(first.alias("_from"), last.alias("_to")).filter(pl.col("_from") <= pl.col("_to"))
    days = pl.date_ranges("_from", "_to").alias("day")
    return ranged.select(*_SERIES, "_last", days).explode("day").sort(*_SERIES, "day")


def _rows_per_day(dataset: Dataset, spoken: pl.DataFrame) -> dict[str, int | None]:
    return {
        one: dataset.rows_per_day(Interval(one) if one else None) for one in spoken["kline_interval"].unique().to_list()
    }


def _overdue_before(dataset: Dataset, now: datetime) -> date:
    today = now.astimezone(UTC).date()
    return (today - MONTHLY_WITHIN).replace(day=1) if is_monthly(dataset) else today - PUBLISHED_WITHIN


def _implied() -> list[pl.Expr]:
    """Returns the columns of a day as they are now: filled where no row speaks, and no longer pending when overdue."""
    is_silent = pl.col("condition").is_null()
    is_late = pl.col("_overdue") & (is_silent | (pl.col("condition") == DayCondition.PENDING.value))
    present = pl.col("expected").fill_null(0) - pl.col("missing").fill_null(0)
    lost = DayCondition.MISSING.value
    return [
        pl.when(is_silent & is_late)
        .then(pl.lit(lost))
        .when(is_late)
        .then(pl.lit(DayCondition.DEGRADED.value))
        .otherwise(pl.col("condition").fill_null(DayCondition.PENDING.value))
        .alias("condition"),
        pl.when(is_silent)
        .then(_silence())
        .when(is_late)
        .then(pl.format("{}, and the rest never came", "reason"))
        .otherwise("reason")
        .alias("reason"),
        pl.when(is_late).then("_per_day").otherwise("expected").alias("expected"),
        pl.when(is_late & pl.col("_per_day").is_not_null())
        .then(pl.col("_per_day") - present)
        .otherwise("missing")
        .alias("missing"),
        pl.col("rows").fill_null(0),
        pl.col("sources", "version").fill_null(""),
    ]


def _silence() -> pl.Expr:
    after = pl.format("nothing in the lake since {}: not pulled, not published, or the symbol is gone", "_last")
    return (
        pl.when(pl.col("day") < pl.col("_last"))
        .then(pl.lit("no object covers it, and there are days before and after it"))
        .when("_overdue")
        .then(after)
        .otherwise(pl.lit("not in the lake yet, and not overdue"))
    )


def _interval() -> pl.Expr:
    return pl.when(pl.col("kline_interval") != "").then("kline_interval").alias("kline_interval")


_GAP = ["start", "end", "kind", "missing", "reason", "known", "sources", "since"]


def _holes(log: CoverageLog, dataset: Dataset, query: CoverageQuery, days: pl.DataFrame) -> pl.DataFrame:
    """Returns the holes that lie in days asked for, without the rest of a day that is still to come."""
    held = _asked_for(log.holes(dataset.name), query).with_columns(
        pl.lit("").alias("reason"), pl.col("first_seen").alias("since")
    )
    first, last = pl.col("start").dt.date(), (pl.col("end") - pl.duration(microseconds=1)).dt.date()
    within = pl.lit(value=True)
    within &= last >= query.first_day if query.first_day else within
    within &= first <= query.last_day if query.last_day else within
    awaited = days.filter(pl.col("condition") == DayCondition.PENDING.value).select(*_SERIES, "day")
    rest = (held.filter(pl.col("kind") == HoleKind.DAYS.value).with_columns(first.alias("day"))).join(
        awaited, on=[*_SERIES, "day"], how="semi"
    )
    kept = held.filter(within).join(rest, on=[*_SERIES, "start", "kind"], how="anti")
    return kept.select(*_SERIES, *_GAP)


def _missing_days(days: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Returns the missing days that no hole speaks of: those without a version that readers see."""
    lost = days.filter((pl.col("condition") == DayCondition.MISSING.value) & (pl.col("version") == ""))
    start = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    grace = MONTHLY_WITHIN if is_monthly(dataset) else PUBLISHED_WITHIN
    told = lost.with_columns(
        start.alias("start"),
        (start + timedelta(days=1)).alias("end"),
        pl.lit(HoleKind.DAYS.value).alias("kind"),
        pl.lit("").alias("known"),
        # Nobody saw it go missing: it was not there when it should have been.
        pl.coalesce("at", start + timedelta(days=1) + grace).alias("since"),
    )
    return told.select(*_SERIES, *_GAP)


def explained(stretches: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Returns stretches cut at the ends of the holes that nobody is known to have rows of, with the reason of those."""
    for hole in holes_of(dataset.name):
        of_symbol = [one for one in stretches["symbol"].unique() if hole.is_of(dataset.name, one)]
        touched = pl.col("symbol").is_in(of_symbol) & (pl.col("start") < hole.end) & (pl.col("end") > hole.start)
        affected = stretches.filter(touched & (pl.col("known") == ""))
        if affected.is_empty():
            continue
        parts = [_part(affected, None, hole.start, ""), _part(affected, hole.start, hole.end, hole.reason)]
        parts.append(_part(affected, hole.end, None, ""))
        stretches = pl.concat([stretches.filter(~touched | (pl.col("known") != "")), *parts])
    return stretches


def _part(stretches: pl.DataFrame, first: datetime | None, end: datetime | None, known: str) -> pl.DataFrame:
    """Returns what lies between two instants; a part of a stretch lacks its share of the rows."""
    whole = pl.col("end") - pl.col("start")
    cut = stretches.with_columns(whole.alias("_whole")).with_columns(
        pl.max_horizontal("start", pl.lit(first)) if first else pl.col("start"),
        pl.min_horizontal("end", pl.lit(end)) if end else pl.col("end"),
    )
    share = pl.col("missing") * (pl.col("end") - pl.col("start")) / pl.col("_whole")
    told = cut.filter(pl.col("start") < pl.col("end")).with_columns(
        share.round().cast(pl.Int64).alias("missing"), pl.lit(known).alias("known")
    )
    return told.select(stretches.columns)


def _merged(stretches: pl.DataFrame) -> pl.DataFrame:
    """Returns stretches of a series that touch or overlap as one, where both are known or both are not."""
    group = [*_SERIES, "known"]
    reached = pl.col("end").cum_max().shift(1).over(group, order_by="start")
    ordered = stretches.sort(*group, "start").with_columns(
        ((pl.col("start") > reached) | reached.is_null()).cum_sum().alias("_run")
    )
    words = [_joined("kind"), _joined("sources"), pl.col("reason").filter(pl.col("reason") != "").first()]
    return (
        ordered.group_by(*group, "_run")
        .agg(
            pl.col("start").min(),
            pl.col("end").max(),
            # Where one part cannot be counted, nor can the whole.
            pl.when(pl.col("missing").is_null().any()).then(None).otherwise(pl.col("missing").sum()).alias("missing"),
            pl.col("since").min(),
            *words,
        )
        .with_columns(pl.col("reason").fill_null(""))
        .select(*_SERIES, *_GAP)
    )


def _joined(name: str) -> pl.Expr:
    parts = pl.col(name).str.split(", ").explode()
    return parts.filter(parts != "").unique().sort().str.join(", ").alias(name)
