"""A report shows so much of a run's coverage, and counts the rest."""

from collections.abc import Callable

import polars as pl
import pytest

from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.reports import coverage_tables
from crypto_lakehouse.reports.coverage_tables import coverage_part
from crypto_lakehouse.reports.quality_report import DatasetSection, quality_report


def frames_of(days: pl.DataFrame) -> CoverageFrames:
    """Returns what a run found of these days."""
    empty = CoverageFrames.of()
    return CoverageFrames(days, empty.holes, empty.reconciliations, empty.refused_rows)


def test_a_run_without_coverage_shows_none_of_it() -> None:
    part = coverage_part(CoverageFrames.of())
    assert (part.reconciliations, part.gaps, part.charts, part.omitted_charts) == ([], None, [], 0)
    page = quality_report("T", [], [DatasetSection("binance_um_klines", 0, 0, 0.0, (), coverage=CoverageFrames.of())])
    assert "<h3>" not in page


def test_charts_beyond_the_limit_are_counted(
    frame_of: Callable[[str], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_tables, "MAX_CHARTS", 3)
    several = pl.concat([frame_of(f"S{n}USDT") for n in range(5)])
    several = pl.concat([several, several.with_columns(pl.col("day").dt.offset_by("1y"))])
    frames = frames_of(several)
    part = coverage_part(frames)
    assert (len(part.charts), part.series, part.omitted_charts) == (3, 5, 3)
    page = quality_report("T", [], [DatasetSection("binance_um_klines", 0, 0, 0.0, (), coverage=frames)])
    assert page.count('<svg class="calendar" viewBox') == 3
    assert "and 3 more" in page and "The first 3 of 5 series." in page


def test_rows_beyond_the_limit_are_counted_and_figures_stand_to_the_right() -> None:
    frame = pl.DataFrame({"only_kept": range(60), "symbol": "A<b>"})
    table = coverage_tables._table(frame)
    assert (table.columns, len(table.rows), table.omitted, table.numeric) == (["only kept", "symbol"], 50, 10, {0})
