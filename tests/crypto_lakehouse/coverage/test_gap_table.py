"""Gaps: holes and missing days that touch, and what upstream is known to lack."""

from datetime import UTC, date, datetime, timedelta

from crypto_lakehouse.coverage.day_table import coverage
from crypto_lakehouse.coverage.gap_table import GAPS_SCHEMA, find_gaps
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import DayCoverage, Hole
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.vocabulary import DayCondition, HoleKind
from tests.crypto_lakehouse.coverage.logged import NAME, add, query, utc, version_of, whole


def test_days_between_two_partitions_are_missing_whatever_their_partitions_know(log: CoverageLog) -> None:
    add(log, [*whole(version_of("2024-01"), date(2024, 1, 30)), *whole(version_of("2024-02"), date(2024, 2, 9))])
    days = coverage(log, dataset(NAME), query())
    assert days["condition"].to_list() == ["available", *["missing"] * 3, *["pending"] * 6, "available"]
    assert days["reason"][1] == "no object covers it, and there are days before and after it"
    gaps = find_gaps(log, dataset(NAME), query())
    assert gaps.select("start", "end", "missing", "kind", "since").rows() == [
        (utc(date(2024, 1, 31)), utc(date(2024, 2, 3)), 72, "days", utc(date(2024, 2, 8)))
    ]


def test_a_day_that_was_pending_is_degraded_once_the_rest_is_overdue(log: CoverageLog) -> None:
    partition_version, last = version_of("2024-01"), date(2024, 1, 31)
    pending = DayCoverage(partition_version, last, DayCondition.PENDING, "until 10:00 UTC", 10, 10, 0, "rest")
    rest = Hole(partition_version, utc(last, 10), utc(date(2024, 2, 1)), 14, HoleKind.DAYS, "", "")
    add(log, [pending], [rest])
    early = CoverageQuery(datetime(2024, 2, 1, tzinfo=UTC))
    assert coverage(log, dataset(NAME), early).select("condition", "expected", "missing").rows() == [("pending", 10, 0)]
    assert find_gaps(log, dataset(NAME), early).is_empty()
    late = coverage(log, dataset(NAME), query(last_day=last))
    assert late.select("condition", "expected", "missing").rows() == [("degraded", 24, 14)]
    assert late["reason"].item() == "until 10:00 UTC, and the rest never came"
    gaps = find_gaps(log, dataset(NAME), query(last_day=date(2024, 2, 2)))
    assert gaps.select("start", "end", "missing").rows() == [(utc(last, 10), utc(date(2024, 2, 3)), 14 + 48)]


def test_stretches_that_touch_are_one_gap_and_what_is_known_stays_apart(log: CoverageLog) -> None:
    january, february = version_of("2024-01"), version_of("2024-02")
    first, second = date(2024, 1, 31), date(2024, 2, 1)
    add(
        log,
        [*whole(january, first), *whole(february, second, 9)],
        [
            Hole(january, utc(first, 22), utc(second), 2, HoleKind.GRID, "", "archive_daily"),
            Hole(february, utc(second), utc(second, 3), 3, HoleKind.GRID, "", "archive_monthly, rest"),
            Hole(february, utc(second, 3), utc(second, 4), 1, HoleKind.GRID, "halted", "rest"),
            Hole(february, utc(second, 2), utc(second, 5), 7, HoleKind.IDS, "", "rest"),
        ],
    )
    gaps = find_gaps(log, dataset(NAME), query())
    assert gaps.schema == GAPS_SCHEMA
    assert gaps.select("start", "duration", "missing", "kind", "known", "sources").rows() == [
        (utc(first, 22), timedelta(hours=5), 5, "grid", "", "archive_daily, archive_monthly, rest"),
        (utc(second, 2), timedelta(hours=3), 7, "ids", "", "rest"),
        (utc(second, 3), timedelta(hours=1), 1, "grid", "halted", "rest"),
    ]


def test_a_missing_day_beside_a_hole_is_one_gap_with_it(log: CoverageLog) -> None:
    first = date(2024, 2, 1)
    hole = Hole(version_of("2024-02"), utc(first, 22), utc(date(2024, 2, 2)), 2, HoleKind.GRID, "", "archive_daily")
    add(log, whole(version_of("2024-02"), first), [hole], at=utc(date(2024, 2, 2)))
    [gap] = find_gaps(log, dataset(NAME), query()).to_dicts()
    assert (gap["kind"], gap["missing"], gap["duration"]) == ("days, grid", 26, timedelta(hours=26))
    assert gap["since"] == utc(date(2024, 2, 2))


def test_a_refused_partition_is_a_gap_with_its_reason_since_it_was_refused(log: CoverageLog) -> None:
    add(
        log,
        whole(version_of("2024-01", version=""), date(2024, 1, 30), 2, DayCondition.MISSING),
        at=utc(date(2024, 2, 2)),
    )
    [gap] = find_gaps(log, dataset(NAME), query(last_day=date(2024, 1, 31))).to_dicts()
    assert (gap["missing"], gap["reason"], gap["since"]) == (48, "why", utc(date(2024, 2, 2)))


def test_a_log_without_rows_gives_an_empty_table_of_the_same_columns(log: CoverageLog) -> None:
    assert find_gaps(log, dataset(NAME), query()).schema == GAPS_SCHEMA
