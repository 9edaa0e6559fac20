"""The table `gaps`: a row per span of time in which something is missing from a series."""

from datetime import datetime, timedelta

import polars as pl

from crypto_lakehouse.coverage.day_table import coverage, publication_delay
from crypto_lakehouse.coverage.known_holes import holes_of
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.queries import SERIES, CoverageQuery, null_where_empty
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

_TIME = pl.Datetime("us", "UTC")
GAPS_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "symbol": pl.String(),
        "kline_interval": pl.String(),
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
_GAP = ("start", "end", "kind", "missing", "reason", "known", "sources", "since")


def find_gaps(log: CoverageLog, table: Table, query: CoverageQuery) -> pl.DataFrame:
    """Returns what is missing, with the columns of GAPS_SCHEMA: one row per unbroken span of time of a series.

    Holes and missing days that touch are one gap; a part that upstream is known to lack is a gap of its own.
    Missing identifiers are gaps of their own, too: there are rows around them at the same time.
    """
    days = coverage(log, table, query).with_columns(pl.col("kline_interval").fill_null(""))
    holes = _holes(log, table, query, days)
    is_of_ids = pl.col("kind") == HoleKind.IDS.value
    spans = explained(pl.concat([holes.filter(~is_of_ids), _missing_days(days, table)]), table)
    gaps = pl.concat([_merged(spans), holes.filter(is_of_ids)]).sort(*SERIES, "start", "end")
    duration = (pl.col("end") - pl.col("start")).alias("duration")
    names = pl.lit(table.name).alias("dataset"), null_where_empty("kline_interval")
    return gaps.with_columns(duration, *names).select(GAPS_SCHEMA.names())


def _holes(log: CoverageLog, table: Table, query: CoverageQuery, days: pl.DataFrame) -> pl.DataFrame:
    """Returns the holes that touch the selected days, without the rest of a pending day."""
    holes = query.rows_of_series(log.holes(table.name)).with_columns(
        pl.lit("").alias("reason"), pl.col("first_seen").alias("since")
    )
    first, last = pl.col("start").dt.date(), (pl.col("end") - pl.duration(microseconds=1)).dt.date()
    pending = days.filter(pl.col("condition") == DayCondition.PENDING.value).select(*SERIES, "day")
    uncovered = holes.filter(pl.col("kind") == HoleKind.DAYS.value).with_columns(first.alias("day"))
    rest_of_pending = uncovered.join(pending, on=[*SERIES, "day"], how="semi")
    selected = holes.filter(query.touches_days(first, last))
    return selected.join(rest_of_pending, on=[*SERIES, "start", "kind"], how="anti").select(*SERIES, *_GAP)


def _missing_days(days: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Returns the missing days that no hole describes: days without a version that readers see."""
    missing = days.filter((pl.col("condition") == DayCondition.MISSING.value) & (pl.col("version") == ""))
    start = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    end = start + timedelta(days=1)
    spans = missing.with_columns(
        start.alias("start"),
        end.alias("end"),
        pl.lit(HoleKind.DAYS.value).alias("kind"),
        pl.lit("").alias("known"),
        # A day without a row in the log is missing since its file was overdue.
        pl.coalesce("at", end + publication_delay(table)).alias("since"),
    )
    return spans.select(*SERIES, *_GAP)


def explained(spans: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Returns spans cut at the ends of known holes; the parts within a known hole get its reason."""
    for hole in holes_of(table.name):
        symbols = [symbol for symbol in spans["symbol"].unique() if hole.is_of_symbol(symbol)]
        touches = pl.col("symbol").is_in(symbols) & (pl.col("start") < hole.end) & (pl.col("end") > hole.start)
        is_short = (pl.col("end") - pl.col("start") <= hole.longest) if hole.longest else pl.lit(value=True)
        is_affected = touches & is_short & (pl.col("known") == "")
        affected = spans.filter(is_affected)
        if affected.is_empty():
            continue
        before = _clipped(affected, None, hole.start, "")
        within = _clipped(affected, hole.start, hole.end, hole.reason)
        after = _clipped(affected, hole.end, None, "")
        spans = pl.concat([spans.filter(~is_affected), before, within, after])
    return spans


def _clipped(spans: pl.DataFrame, start: datetime | None, end: datetime | None, known: str) -> pl.DataFrame:
    """Returns the parts of spans between two instants; a part lacks its share of the missing rows."""
    length = pl.col("end") - pl.col("start")
    parts = spans.with_columns(length.alias("_length")).with_columns(
        pl.max_horizontal("start", pl.lit(start)) if start else pl.col("start"),
        pl.min_horizontal("end", pl.lit(end)) if end else pl.col("end"),
    )
    share = pl.col("missing") * (pl.col("end") - pl.col("start")) / pl.col("_length")
    not_empty = parts.filter(pl.col("start") < pl.col("end"))
    counted = not_empty.with_columns(share.round().cast(pl.Int64).alias("missing"), pl.lit(known).alias("known"))
    return counted.select(spans.columns)


def _merged(spans: pl.DataFrame) -> pl.DataFrame:
    """Returns spans of a series that touch or overlap as one span, where `known` is equal."""
    group = [*SERIES, "known"]
    reached = pl.col("end").cum_max().shift(1).over(group, order_by="start")
    ordered = spans.sort(*group, "start").with_columns(
        ((pl.col("start") > reached) | reached.is_null()).cum_sum().alias("_number")
    )
    missing = pl.col("missing")
    merged = ordered.group_by(*group, "_number").agg(
        pl.col("start").min(),
        pl.col("end").max(),
        # The sum is known only where every part is.
        pl.when(missing.is_null().any()).then(None).otherwise(missing.sum()).alias("missing"),
        pl.col("since").min(),
        _joined("kind"),
        _joined("sources"),
        pl.col("reason").filter(pl.col("reason") != "").first(),
    )
    return merged.with_columns(pl.col("reason").fill_null("")).select(*SERIES, *_GAP)


def _joined(column: str) -> pl.Expr:
    """Returns the distinct parts of comma separated texts, in order."""
    parts = pl.col(column).str.split(", ").explode()
    return parts.filter(parts != "").unique().sort().str.join(", ").alias(column)
