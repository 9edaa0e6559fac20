"""What a run found of coverage, as a piece of the quality report: pairs of sources, holes, and a calendar."""

import html
from collections.abc import Iterable, Sequence

import polars as pl

from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.pictures.calendar import calendars
from crypto_lakehouse.pictures.calendar_html import small_pictures

MAX_LINES = 50
"""Rows of a table in the report; the rest is counted."""
MAX_PICTURES = 12
_PAIR = ["kept", "other"]


def coverage_pieces(frames: CoverageFrames) -> str:
    """Returns the pieces of a dataset's section: reconciliation, holes, calendar; every value is escaped."""
    return "\n".join([_reconciled(frames.reconciliations), _holes(frames.holes), _calendar(frames.days)])


def _reconciled(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return ""
    sums = [pl.col(name).sum() for name in ("equal", "different", "only_kept", "only_other")]
    pairs = rows.group_by(_PAIR).agg(pl.col("day").n_unique().alias("days"), *sums).sort(_PAIR)
    differing = rows.filter(pl.sum_horizontal("different", "only_kept", "only_other") > 0).sort("day", "symbol", *_PAIR)
    columns = ("symbol", "interval", "day", *_PAIR, "equal", "different", "only_kept", "only_other", "largest")
    detail = _table(columns, differing.select(columns).iter_rows()) if differing.height else ""
    return f"<h3>What sources say of each other</h3>{_table(pairs.columns, pairs.iter_rows())}{detail}"


def _holes(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return ""
    columns = ("symbol", "interval", "start", "end", "missing", "kind", "sources", "known")
    times = (pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S") for name in ("start", "end"))
    found = rows.sort("symbol", "interval", "start").with_columns(times).select(columns)
    return f"<h3>Holes</h3>{_table(columns, found.iter_rows())}"


def _calendar(days: pl.DataFrame) -> str:
    if days.is_empty():
        return ""
    series = days.select("symbol", "interval").unique().sort("symbol", "interval")
    # A run may have thousands: cells are only made of those that are drawn.
    drawn = days.join(series.head(MAX_PICTURES), on=["symbol", "interval"], how="semi")
    more = f"<p>The first {MAX_PICTURES} of {series.height:,} series.</p>" if series.height > MAX_PICTURES else ""
    return f"<h3>Days</h3>{more}{small_pictures(calendars(drawn), MAX_PICTURES)}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [_line(row, "td") for row in rows]
    more = f"<p>and {len(lines) - MAX_LINES:,} more</p>" if len(lines) > MAX_LINES else ""
    head = _line([one.replace("_", " ") for one in columns], "th")
    body = "\n".join(lines[:MAX_LINES])
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>{more}'


def _line(cells: Iterable[object], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(_text(one))}</{tag}>" for one in cells) + "</tr>"


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)
