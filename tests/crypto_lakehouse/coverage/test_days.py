"""The days and holes of a partition, compared with plain sets, for objects that lie in many ways."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.days import FaultsByKind, PartitionCoverage, partition_coverage
from crypto_lakehouse.coverage.known_faults import KnownFault
from crypto_lakehouse.coverage.records import DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.coverage.row_times import RowTimes
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest, ManifestInput
from crypto_lakehouse.vocabulary import ChecksumStatus, DayCondition, HoleKind, Source

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
HOURLY = Partition.parse("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01")
TICKS = Partition.parse("binance_um_agg_trades", "symbol_key=BTCUSDT/date=2024-01-01")
YEAR = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")


def hours(*numbers: float) -> list[datetime]:
    return [MIDNIGHT + timedelta(hours=number) for number in numbers]


def coverage_of(
    partition: Partition,
    times: list[datetime],
    *covered: tuple[float, float],
    ids: list[int] | None = None,
    faults: FaultsByKind | None = None,
) -> PartitionCoverage:
    """Returns the coverage of rows at these times, by objects that cover these spans of hours."""
    spans = tuple(tuple(edge.isoformat() for edge in hours(*span)) for span in covered)
    inputs = tuple(
        ManifestInput(
            f"k{n}", "s", Source.ARCHIVE_DAILY, start, end, ChecksumStatus.VERIFIED, 1, "ms", header=False, inversions=0
        )
        for n, (start, end) in enumerate(spans)
    )
    manifest = Manifest(
        partition.dataset.name, partition.name, inputs, (), "d", len(times), len(times), 0, 0, 0, 0, spans
    )
    collected = RowTimes(partition, spans)
    row = partition.dataset
    frame = pl.DataFrame({row.event_time: times}, schema={row.event_time: pl.Datetime("us", "UTC")})
    if ids is not None:
        frame = frame.with_columns(pl.Series("agg_trade_id", ids, pl.Int64))
    for start in range(0, frame.height, 7):
        collected.add(frame.slice(start, 7))
    return partition_coverage(collected, manifest, PartitionVersion.of(partition, "0123456789abcdef"), faults or {})


def facts(day: DayCoverage) -> tuple[object, ...]:
    return day.day.day, day.condition.value, day.rows, day.expected, day.missing


@given(
    present=st.sets(st.integers(0, 95)),
    edges=st.lists(st.integers(0, 96), unique=True, min_size=2, max_size=6).filter(lambda edges: len(edges) % 2 == 0),
)
def test_holes_and_days_are_those_of_plain_sets(present: set[int], edges: list[int]) -> None:
    ordered = sorted(edges)
    spans = list(zip(ordered[::2], ordered[1::2], strict=True))
    covered = {hour for start, end in spans for hour in range(start, end)}
    rows = sorted(present & covered)
    coverage = coverage_of(HOURLY, hours(*rows), *spans)
    in_holes: list[int] = []
    for hole in coverage.holes:
        start, end = ((edge - MIDNIGHT) // timedelta(hours=1) for edge in (hole.start, hole.end))
        in_holes += range(start, end)
        assert hole.missing == end - start
        assert (hole.kind is HoleKind.GRID) == set(range(start, end)).issubset(covered)
    first, last = min(covered) // 24, max(covered) // 24
    assert sorted(in_holes) == sorted(set(range(first * 24, last * 24 + 24)) - set(rows))
    assert [day.day.day - 1 for day in coverage.days] == list(range(first, last + 1))
    for day in coverage.days:
        number = day.day.day - 1
        inside = set(range(number * 24, number * 24 + 24))
        pending = number == last and max(covered) + 1 < number * 24 + 24
        owed = {hour for hour in inside if not pending or hour <= max(covered)}
        assert (day.rows, day.missing) == (len(inside & set(rows)), len(owed - set(rows)))
        lacking = DayCondition.DEGRADED if inside & set(rows) else DayCondition.MISSING
        expected = lacking if owed - set(rows) else DayCondition.AVAILABLE
        expected = DayCondition.PENDING if pending else expected
        assert day.condition is (expected if inside & covered else DayCondition.MISSING)


@given(st.lists(st.integers(1, 4), max_size=60))
def test_gaps_between_identifiers_sum_up_to_what_is_skipped(steps: list[int]) -> None:
    ids = [10, *(10 + sum(steps[: n + 1]) for n in range(len(steps)))]
    coverage = coverage_of(TICKS, hours(*(n / 10 for n in range(len(ids)))), (0, 24), ids=ids)
    skipped = set(range(10, ids[-1])) - set(ids)
    holes = [hole for hole in coverage.holes if hole.kind is HoleKind.IDS]
    assert sum(hole.missing or 0 for hole in holes) == len(skipped) == coverage.days[0].missing
    assert len(holes) == sum(step > 1 for step in steps)


def test_the_ends_of_a_day_are_its_first_and_last_identifiers_however_rows_come() -> None:
    times = hours(1, 2, 23, 25, 30, 47)
    days = coverage_of(TICKS, times, (0, 48), ids=[10, 11, 12, 13, 14, 20]).days
    assert [(day.first_id, day.first_at, day.last_id, day.last_at) for day in days] == [
        (10, times[0], 12, times[2]),
        (13, times[3], 20, times[5]),
    ]
    assert coverage_of(HOURLY, hours(*range(24)), (0, 24)).days[0].first_id is None


def test_a_day_without_an_object_between_others_is_missing_and_a_hole() -> None:
    coverage = coverage_of(HOURLY, hours(*range(24), *range(72, 96)), (0, 24), (72, 96))
    assert [facts(day) for day in coverage.days] == [
        (1, "available", 24, 24, 0), (2, "missing", 0, 24, 24), (3, "missing", 0, 24, 24), (4, "available", 24, 24, 0)
    ]  # fmt: skip
    [hole] = coverage.holes
    assert (hole.kind, hole.missing, hole.sources) == (HoleKind.DAYS, 48, "")
    assert (hole.start, hole.end) == tuple(hours(24, 72))


def test_the_last_day_is_pending_up_to_where_it_is_covered() -> None:
    coverage = coverage_of(HOURLY, hours(*range(24), *range(24, 34)), (0, 34 + 7 / 60))
    last = coverage.days[-1]
    assert facts(last) == (2, "pending", 34 - 24, 11, 1)
    assert last.reason == "until 10:07 UTC; 1 of 11 rows are missing, the first at 10:00"


def test_a_day_that_is_covered_in_part_says_where_it_is_not() -> None:
    times = [MIDNIGHT + timedelta(minutes=n) for n in range(24 * 60) if not 10 * 60 <= n < 12 * 60]
    coverage = coverage_of(TICKS, times, (0, 10), (12, 24), ids=list(range(len(times))))
    assert coverage.days[0].reason == "no object covers 10:00 to 12:00"
    assert coverage.days[0].condition is DayCondition.DEGRADED


def test_a_busy_stream_without_rows_for_hours_has_a_hole_of_hours_and_a_quiet_one_has_none() -> None:
    times = [MIDNIGHT + timedelta(seconds=20 * n) for n in range(24 * 180) if n // 180 not in {5, 6}]
    busy = coverage_of(TICKS, times, (0, 24), ids=list(range(len(times))))
    [hole] = busy.holes
    assert (hole.kind, hole.missing, hole.start, hole.end) == (HoleKind.HOURS, None, *hours(5, 7))
    assert busy.days[0].reason == "2 hours have no rows, the first at 05:00"
    quiet = coverage_of(TICKS, times[::30], (0, 24), ids=list(range(len(times[::30]))))
    assert quiet.holes == ()
    assert quiet.days[0].condition is DayCondition.AVAILABLE


def test_what_upstream_is_known_not_to_have_leaves_its_day_available() -> None:
    fault = KnownFault(
        "binance_um_klines", "*", date(2024, 1, 1), date(2024, 1, 1), Check.GRID_COMPLETE, "halted", "https://e.org/1"
    )
    rows = hours(*(n for n in range(48) if n not in {3, 4, 30}))
    without = coverage_of(HOURLY, rows, (0, 48))
    coverage = coverage_of(HOURLY, rows, (0, 48), faults={HoleKind.GRID: [fault]})
    assert [day.condition.value for day in coverage.days] == ["available", "degraded"]
    assert coverage.days[0].reason.endswith("the first at 03:00; known: halted, https://e.org/1")
    assert [hole.known for hole in coverage.holes] == ["halted, https://e.org/1", ""]
    assert [day.condition.value for day in without.days] == ["degraded", "degraded"]


@pytest.mark.parametrize("month", [3, 10])
def test_days_are_utc_and_have_24_hours_when_clocks_change(month: int) -> None:
    partition = Partition.parse("binance_um_klines", f"kline_interval=1h/symbol_key=BTCUSDT/period=2024-{month:02}")
    offset = (partition.start - MIDNIGHT) // timedelta(hours=1)
    count = (partition.end - partition.start) // timedelta(hours=1)
    coverage = coverage_of(partition, hours(*range(offset, offset + count)), (offset, offset + count))
    assert {facts(day)[1:] for day in coverage.days} == {("available", 24, 24, 0)}
    assert len(coverage.days) == 31


def test_a_leap_year_has_366_days_of_288_periods() -> None:
    times = [YEAR.start + timedelta(minutes=5 * n) for n in range(366 * 288)]
    cover_hours = 366 * 24
    coverage = coverage_of(YEAR, times, (0, cover_hours))
    assert {facts(day)[1:] for day in coverage.days} == {("available", 288, 288, 0)}
    assert len(coverage.days) == 366


def test_what_no_object_covers_has_no_days() -> None:
    assert coverage_of(HOURLY, hours(1)) == PartitionCoverage((), ())
    assert isinstance(coverage_of(HOURLY, hours(1), (0, 24)).holes[0], Hole)
