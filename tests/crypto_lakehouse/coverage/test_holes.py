"""Holes against an oracle of plain sets, and days of partitions however their objects lie."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage import known_faults
from crypto_lakehouse.coverage.cover import Cover
from crypto_lakehouse.coverage.days import PartitionCoverage, partition_coverage
from crypto_lakehouse.coverage.holes import (
    DAY_US,
    HOUR_US,
    MAX_HOLES,
    IdGaps,
    Run,
    at_most,
    point_runs,
    uncovered_runs,
)
from crypto_lakehouse.coverage.known_faults import KnownFault
from crypto_lakehouse.coverage.records import DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest, ManifestInput
from crypto_lakehouse.spec import Check
from crypto_lakehouse.vocabulary import ChecksumStatus, DayCondition, HoleKind, Source

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
HOURLY = Partition.parse("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01")
TICKS = Partition.parse("binance_um_agg_trades", "symbol_key=BTCUSDT/date=2024-01-01")
YEAR = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")


def hours(*numbers: float) -> list[datetime]:
    return [MIDNIGHT + timedelta(hours=one) for one in numbers]


def found(
    partition: Partition, times: list[datetime], *covered: tuple[float, float], ids: list[int] | None = None
) -> PartitionCoverage:
    """Returns the coverage of rows at these times, by objects that cover these stretches of hours."""
    stretches = tuple(tuple(one.isoformat() for one in hours(*stretch)) for stretch in covered)
    inputs = tuple(
        ManifestInput(
            f"k{n}", "s", Source.ARCHIVE_DAILY, start, end, ChecksumStatus.VERIFIED, 1, "ms", header=False, inversions=0
        )
        for n, (start, end) in enumerate(stretches)
    )
    manifest = Manifest(
        partition.dataset.name, partition.name, inputs, (), "d", len(times), len(times), 0, 0, 0, 0, stretches
    )
    cover = Cover(partition, stretches)
    row = partition.dataset
    frame = pl.DataFrame({row.event_time: times}, schema={row.event_time: pl.Datetime("us", "UTC")})
    if ids is not None:
        frame = frame.with_columns(pl.Series("agg_trade_id", ids, pl.Int64))
    for start in range(0, frame.height, 7):
        cover.add(frame.slice(start, 7))
    return partition_coverage(cover, manifest, PartitionVersion.of(partition, "0123456789abcdef"))


def told(one: DayCoverage) -> tuple[object, ...]:
    return one.day.day, one.condition.value, one.rows, one.expected, one.missing


@given(
    present=st.sets(st.integers(0, 95)),
    edges=st.lists(st.integers(0, 96), unique=True, min_size=2, max_size=6).filter(lambda one: len(one) % 2 == 0),
)
def test_holes_and_days_are_those_of_plain_sets(present: set[int], edges: list[int]) -> None:
    ordered = sorted(edges)
    stretches = list(zip(ordered[::2], ordered[1::2], strict=True))
    covered = {hour for start, end in stretches for hour in range(start, end)}
    rows = sorted(present & covered)
    coverage = found(HOURLY, hours(*rows), *stretches)
    in_holes: list[int] = []
    for hole in coverage.holes:
        start, end = ((one - MIDNIGHT) // timedelta(hours=1) for one in (hole.start, hole.end))
        in_holes += range(start, end)
        assert hole.missing == end - start
        assert (hole.kind is HoleKind.GRID) == set(range(start, end)).issubset(covered)
    first, last = min(covered) // 24, max(covered) // 24
    assert sorted(in_holes) == sorted(set(range(first * 24, last * 24 + 24)) - set(rows))
    assert [one.day.day - 1 for one in coverage.days] == list(range(first, last + 1))
    for day in coverage.days:
        number = day.day.day - 1
        inside = set(range(number * 24, number * 24 + 24))
        pending = number == last and max(covered) + 1 < number * 24 + 24
        owed = {hour for hour in inside if not pending or hour <= max(covered)}
        assert (day.rows, day.missing) == (len(inside & set(rows)), len(owed - set(rows)))
        expected = DayCondition.DEGRADED if owed - set(rows) else DayCondition.AVAILABLE
        expected = DayCondition.PENDING if pending else expected
        assert day.condition is (expected if inside & covered else DayCondition.MISSING)


@given(st.sets(st.integers(0, 300)))
def test_runs_of_points_are_the_points_and_never_touch(points: set[int]) -> None:
    runs = point_runs(np.array(sorted(points), np.int64), HOUR_US, HoleKind.GRID)
    assert {hour for run in runs for hour in range(run.start // HOUR_US, run.end // HOUR_US)} == points
    assert all(before.end < after.start for before, after in pairwise(runs))


@given(st.lists(st.integers(1, 4), max_size=60))
def test_gaps_between_identifiers_sum_up_to_what_is_skipped(steps: list[int]) -> None:
    ids = [10, *(10 + sum(steps[: n + 1]) for n in range(len(steps)))]
    coverage = found(TICKS, hours(*(n / 10 for n in range(len(ids)))), (0, 24), ids=ids)
    skipped = set(range(10, ids[-1])) - set(ids)
    holes = [one for one in coverage.holes if one.kind is HoleKind.IDS]
    assert sum(one.missing or 0 for one in holes) == len(skipped) == coverage.days[0].missing
    assert len(holes) == sum(step > 1 for step in steps)


def test_more_holes_than_are_told_apart_are_counted_in_the_last() -> None:
    points = np.arange(0, 10_000, 2)
    runs = point_runs(points, HOUR_US, HoleKind.GRID)
    assert (len(runs), sum(one.missing or 0 for one in runs)) == (MAX_HOLES, 5000)
    assert runs[-1].end == 9_999 * HOUR_US
    many = [Run(HoleKind.IDS, n, n + 1, 1) for n in range(1500)]
    kept = at_most([*runs, *many])
    assert (len(kept), sum(one.missing or 0 for one in kept)) == (MAX_HOLES, 6500)


def test_a_million_gaps_between_identifiers_are_held_as_a_thousand() -> None:
    gaps = IdGaps("id", "time")
    for start in range(0, 1_000_000, 250_000):
        ids = pl.arange(2 * start, 2 * (start + 250_000), 2, eager=True)
        times = pl.Series([MIDNIGHT], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(ids))
        gaps.add(pl.DataFrame({"id": ids, "time": times}))
    assert len(gaps.runs) == MAX_HOLES
    assert sum(one.missing or 0 for one in gaps.runs) == 999_999
    assert gaps.by_day == {19723: (999_999, 19723 * DAY_US)}


def test_the_ends_of_a_day_are_its_first_and_last_identifiers_however_rows_come() -> None:
    times = hours(1, 2, 23, 25, 30, 47)
    days = found(TICKS, times, (0, 48), ids=[10, 11, 12, 13, 14, 20]).days
    assert [(one.first_id, one.first_at, one.last_id, one.last_at) for one in days] == [
        (10, times[0], 12, times[2]),
        (13, times[3], 20, times[5]),
    ]
    assert found(HOURLY, hours(*range(24)), (0, 24)).days[0].first_id is None


def test_a_day_without_an_object_between_others_is_missing_and_a_hole() -> None:
    coverage = found(HOURLY, hours(*range(24), *range(72, 96)), (0, 24), (72, 96))
    assert [told(one) for one in coverage.days] == [
        (1, "available", 24, 24, 0), (2, "missing", 0, 24, 24), (3, "missing", 0, 24, 24), (4, "available", 24, 24, 0)
    ]  # fmt: skip
    [hole] = coverage.holes
    assert (hole.kind, hole.missing, hole.sources) == (HoleKind.DAYS, 48, "")
    assert (hole.start, hole.end) == tuple(hours(24, 72))


def test_the_last_day_is_pending_up_to_where_it_is_covered() -> None:
    coverage = found(HOURLY, hours(*range(24), *range(24, 34)), (0, 34 + 7 / 60))
    last = coverage.days[-1]
    assert told(last) == (2, "pending", 34 - 24, 11, 1)
    assert last.reason == "until 10:07 UTC; 1 of 11 rows are missing, the first at 10:00"


def test_a_day_that_is_covered_in_part_says_where_it_is_not() -> None:
    times = [MIDNIGHT + timedelta(minutes=n) for n in range(24 * 60) if not 10 * 60 <= n < 12 * 60]
    coverage = found(TICKS, times, (0, 10), (12, 24), ids=list(range(len(times))))
    assert coverage.days[0].reason == "no object covers 10:00 to 12:00"
    assert coverage.days[0].condition is DayCondition.DEGRADED


def test_a_busy_stream_without_rows_for_hours_has_a_hole_of_hours_and_a_quiet_one_has_none() -> None:
    times = [MIDNIGHT + timedelta(seconds=20 * n) for n in range(24 * 180) if n // 180 not in {5, 6}]
    busy = found(TICKS, times, (0, 24), ids=list(range(len(times))))
    [hole] = busy.holes
    assert (hole.kind, hole.missing, hole.start, hole.end) == (HoleKind.HOURS, None, *hours(5, 7))
    assert busy.days[0].reason == "2 hours have no rows, the first at 05:00"
    quiet = found(TICKS, times[::30], (0, 24), ids=list(range(len(times[::30]))))
    assert quiet.holes == ()
    assert quiet.days[0].condition is DayCondition.AVAILABLE


def test_what_upstream_is_known_not_to_have_leaves_its_day_available(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = KnownFault(
        "binance_um_klines", "*", date(2024, 1, 1), date(2024, 1, 1), Check.GRID_COMPLETE, "halted", "https://e.org/1"
    )
    rows = hours(*(n for n in range(48) if n not in {3, 4, 30}))
    monkeypatch.setattr(known_faults, "KNOWN_FAULTS", ())
    without = found(HOURLY, rows, (0, 48))
    monkeypatch.setattr(known_faults, "KNOWN_FAULTS", (fault,))
    coverage = found(HOURLY, rows, (0, 48))
    assert [one.condition.value for one in coverage.days] == ["available", "degraded"]
    assert coverage.days[0].reason.endswith("the first at 03:00; known: halted, https://e.org/1")
    assert [one.known for one in coverage.holes] == ["halted, https://e.org/1", ""]
    assert [one.condition.value for one in without.days] == ["degraded", "degraded"]


@pytest.mark.parametrize("month", [3, 10])
def test_days_are_utc_and_have_24_hours_when_clocks_change(month: int) -> None:
    partition = Partition.parse("binance_um_klines", f"kline_interval=1h/symbol_key=BTCUSDT/period=2024-{month:02}")
    offset = (partition.start - MIDNIGHT) // timedelta(hours=1)
    count = (partition.end - partition.start) // timedelta(hours=1)
    coverage = found(partition, hours(*range(offset, offset + count)), (offset, offset + count))
    assert {told(one)[1:] for one in coverage.days} == {("available", 24, 24, 0)}
    assert len(coverage.days) == 31


def test_a_leap_year_has_366_days_of_288_periods() -> None:
    times = [YEAR.start + timedelta(minutes=5 * n) for n in range(366 * 288)]
    cover_hours = 366 * 24
    coverage = found(YEAR, times, (0, cover_hours))
    assert {told(one)[1:] for one in coverage.days} == {("available", 288, 288, 0)}
    assert len(coverage.days) == 366


def test_what_no_object_covers_has_no_days() -> None:
    assert found(HOURLY, hours(1)) == PartitionCoverage((), ())
    assert uncovered_runs([], HOUR_US) == []
    assert isinstance(found(HOURLY, hours(1), (0, 24)).holes[0], Hole)
