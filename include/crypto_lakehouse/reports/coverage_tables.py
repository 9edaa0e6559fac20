"""The coverage part of a quality report: pairs of sources, gaps, refused rows, and a calendar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.reports.calendar import calendars, charts
from crypto_lakehouse.reports.calendar_page import SvgChart, svg_chart

MAX_ROWS = 50
"""Rows of a table in the report. The report only counts the rest."""
MAX_CHARTS = 12
"""Years of calendars in one section, and series that are looked at to draw them."""
_PAIR = ["kept", "other"]
_COUNTS = ["equal", "different", "only_kept", "only_other"]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report, cut off after MAX_ROWS rows.

    Args:
        columns: Names of the columns.
        rows: The rows to show.
        omitted: Number of rows that are not shown.
        numeric: Positions of the columns that are aligned to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    omitted: int
    numeric: frozenset[int]


@dataclass(frozen=True, slots=True)
class CoveragePart:
    """What a section of a report shows about coverage; empty parts are not shown.

    Args:
        reconciliations: Tables that compare sources with the same keys.
        gaps: The table of gaps; None where there is no gap.
        refused_rows: The table of rows that were set aside; None where there is none.
        charts: Years of calendars.
        series: Number of series in the section.
        omitted_charts: Number of years that are not drawn.
    """

    reconciliations: Sequence[ReportTable]
    gaps: ReportTable | None
    refused_rows: ReportTable | None
    charts: Sequence[SvgChart]
    series: int
    omitted_charts: int

    @property
    def drawn_series(self) -> int:
        """The number of series that the charts were chosen from."""
        return min(self.series, MAX_CHARTS)


def coverage_part(frames: CoverageFrames) -> CoveragePart:
    """Returns the coverage part of a dataset's section."""
    series = frames.days.select("symbol", "kline_interval").unique().sort("symbol", "kline_interval")
    # A run may have thousands of series. Cells are made only for those that are drawn.
    drawn_days = frames.days.join(
        series.head(MAX_CHARTS), on=["symbol", "kline_interval"], how="semi", nulls_equal=True
    )
    blocks = charts(calendars(drawn_days))
    return CoveragePart(
        reconciliations=_reconciliation_tables(frames.reconciliations),
        gaps=_gap_table(frames.holes),
        refused_rows=_refused_table(frames.refused_rows),
        charts=[svg_chart(chart) for chart in blocks[:MAX_CHARTS]],
        series=series.height,
        omitted_charts=max(0, len(blocks) - MAX_CHARTS),
    )


def _reconciliation_tables(days: pl.DataFrame) -> list[ReportTable]:
    if days.is_empty():
        return []
    totals = days.group_by(_PAIR).agg(pl.col("day").n_unique().alias("days"), pl.col(_COUNTS).sum()).sort(_PAIR)
    different = days.filter(pl.sum_horizontal("different", "only_kept", "only_other") > 0)
    detail = different.sort("day", "symbol", *_PAIR).select(
        "symbol", "kline_interval", "day", *_PAIR, *_COUNTS, "largest"
    )
    return [_table(totals)] + ([_table(detail)] if detail.height else [])


def _gap_table(holes: pl.DataFrame) -> ReportTable | None:
    if holes.is_empty():
        return None
    times = pl.col("start", "end").dt.strftime("%Y-%m-%d %H:%M:%S")
    ordered = holes.sort("symbol", "kline_interval", "start").with_columns(times)
    return _table(ordered.select("symbol", "kline_interval", "start", "end", "missing", "kind", "sources", "known"))


def _refused_table(rows: pl.DataFrame) -> ReportTable | None:
    if rows.is_empty():
        return None
    ordered = rows.sort("symbol", "kline_interval", "day", "key", "line")
    return _table(ordered.select("symbol", "kline_interval", "day", "key", "line", "reason", "text"))


def _table(frame: pl.DataFrame) -> ReportTable:
    kinds: Iterable[pl.DataType] = frame.dtypes
    return ReportTable(
        columns=[name.replace("_", " ") for name in frame.columns],
        rows=frame.head(MAX_ROWS).rows(),
        omitted=max(0, frame.height - MAX_ROWS),
        numeric=frozenset(number for number, kind in enumerate(kinds) if kind.is_numeric()),
    )
