"""Spans of missing points and identifiers, compared with plain sets and sums."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.grid import FixedGrid
from crypto_lakehouse.coverage.holes import (
    MAX_HOLES,
    IdGaps,
    MissingSpan,
    at_most,
    longest_sequence,
    missing_point_spans,
    uncovered_spans,
)
from crypto_lakehouse.coverage.lifetime import ALWAYS
from crypto_lakehouse.instants import DAY_US, HOUR_US
from crypto_lakehouse.vocabulary import HoleKind

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)


@given(st.sets(st.integers(0, 300)))
def test_runs_of_points_are_the_points_and_never_touch(points: set[int]) -> None:
    runs = missing_point_spans(np.array(sorted(points), np.int64) * HOUR_US, FixedGrid(HOUR_US), HoleKind.GRID)
    assert {hour for run in runs for hour in range(run.start // HOUR_US, run.end // HOUR_US)} == points
    assert all(before.end < after.start for before, after in pairwise(runs))


def test_more_holes_than_are_told_apart_are_counted_in_the_last() -> None:
    points = np.arange(0, 10_000, 2) * HOUR_US
    runs = missing_point_spans(points, FixedGrid(HOUR_US), HoleKind.GRID)
    assert (len(runs), sum(span.missing or 0 for span in runs)) == (MAX_HOLES, 5000)
    assert runs[-1].end == 9_999 * HOUR_US
    many = [MissingSpan(HoleKind.IDS, n, n + 1, 1) for n in range(1500)]
    kept = at_most([*runs, *many])
    assert (len(kept), sum(span.missing or 0 for span in kept)) == (MAX_HOLES, 6500)


@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_more_gaps_between_identifiers_are_held_as_a_thousand(rows: int) -> None:
    gaps, block = IdGaps("id", "time"), rows // 4
    for start in range(0, rows, block):
        ids = pl.arange(2 * start, 2 * (start + block), 2, eager=True)
        times = pl.Series([MIDNIGHT], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(ids))
        gaps.add(pl.DataFrame({"id": ids, "time": times}))
    assert len(gaps.spans) == MAX_HOLES
    assert sum(span.missing or 0 for span in gaps.spans) == rows - 1
    assert gaps.by_day == {19723: (rows - 1, 19723 * DAY_US)}


@given(st.sets(st.integers(0, 60)))
def test_the_longest_sequence_is_the_longest_span_of_points(points: set[int]) -> None:
    ordered = np.array(sorted(points), np.int64)
    spans = missing_point_spans(ordered, FixedGrid(1), HoleKind.GRID)
    assert longest_sequence(ordered, FixedGrid(1)) == max((span.end - span.start for span in spans), default=0)


def test_nothing_is_uncovered_where_nothing_is_covered() -> None:
    assert uncovered_spans([], FixedGrid(HOUR_US), ALWAYS) == []


@given(ids=st.lists(st.integers(0, 80), min_size=1, max_size=60), block=st.integers(1, 20))
def test_missing_identifiers_are_those_between_the_lowest_and_the_highest_in_any_order(
    ids: list[int], block: int
) -> None:
    gaps = IdGaps("id", "time")
    times = [MIDNIGHT + timedelta(seconds=number) for number in range(len(ids))]
    rows = pl.DataFrame({"id": ids, "time": times}, schema={"id": pl.Int64, "time": pl.Datetime("us", "UTC")})
    for start in range(0, rows.height, block):
        gaps.add(rows.slice(start, block))
    absent = set(range(min(ids), max(ids) + 1)) - set(ids)
    assert gaps.missing == sum(span.missing or 0 for span in gaps.spans) == len(absent)
    assert sum(missing for missing, _ in gaps.by_day.values()) == len(absent)
    [ends] = gaps.ends.values()
    assert (ends.first_id, ends.last_id) == (min(ids), max(ids))
