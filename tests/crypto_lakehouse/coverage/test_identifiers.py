"""What identifiers prove of the days between them, compared with plain sets."""

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.day_table import coverage
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import EMPTY_DAY, DayCoverage, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.vocabulary import DayCondition

FIRST = date(2024, 3, 1)
AGG, SINGLE = "binance_um_agg_trades", "binance_um_trades"


def told(folder: Path, name: str, ids: list[tuple[int, int] | None]) -> dict[int, tuple[str, str]]:
    """Returns condition and reason of days with these first and last identifiers; None is a day without rows."""
    days = []
    for number, ends in enumerate(ids):
        day = FIRST + timedelta(days=number)
        version = PartitionVersion(name, f"symbol_key=BTCUSDT/date={day}", "BTCUSDT", "", "v" if ends else "")
        if ends is None:
            days.append(DayCoverage(version, day, DayCondition.MISSING, EMPTY_DAY, 0, None, None, "archive_monthly"))
        else:
            times = (midnight(day), midnight(day) + timedelta(hours=23))
            columns = (ends[0], times[0], ends[1], times[1])
            rows = ends[1] - ends[0] + 1
            days.append(
                DayCoverage(version, day, DayCondition.AVAILABLE, "", rows, None, 0, "archive_monthly", *columns)
            )
    log = CoverageLog(LocalStorage(folder))
    log.append(name, CoverageFrames.of(days), midnight(date(2024, 5, 1)))
    query = CoverageQuery(midnight(date(2024, 5, 1)), last_day=FIRST + timedelta(days=len(ids) - 1))
    table: pl.DataFrame = coverage(log, dataset(name), query)
    return {
        (day - FIRST).days: (condition, reason)
        for day, condition, reason in table.select("day", "condition", "reason").rows()
    }


@given(st.data())
def test_days_are_judged_by_the_identifiers_around_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    ids: list[tuple[int, int] | None] = [(1, 10)]
    last, skips = 10, {}
    for number in range(1, data.draw(st.integers(2, 7))):
        if data.draw(st.booleans()):
            ids.append(None)
            continue
        skipped = data.draw(st.sampled_from([0, 0, 3]))
        skips[number] = skipped
        ids.append((last + skipped + 1, last + skipped + 5))
        last = last + skipped + 5
    days = told(tmp_path_factory.mktemp("lake"), AGG, ids)
    with_rows = [number for number, ends in enumerate(ids) if ends]
    for number, ends in enumerate(ids):
        before = [other for other in with_rows if other < number]
        after = [other for other in with_rows if other > number]
        if ends is None:
            is_proven = bool(before and after) and not skips[after[0]]
            assert days[number][0] == ("available" if is_proven else "missing")
        else:
            lacks = bool(before and skips[number]) or bool(after and skips[after[0]])
            assert days[number][0] == ("degraded" if lacks else "available")
            assert ("3 ids are missing between" in days[number][1]) == lacks


def test_identifiers_that_skip_some_legally_prove_a_day_only_where_they_go_on(tmp_path: Path) -> None:
    days = told(tmp_path, SINGLE, [(1, 10), None, (11, 20), None, (25, 30), (40, 50)])
    assert [days[number][0] for number in range(6)] == [
        "available",
        "available",
        "available",
        "missing",
        "available",
        "available",
    ]
    assert days[1][1] == "no trades: the ids go on from 10 to 11"
    assert days[3][1] == EMPTY_DAY


def test_the_missing_identifiers_of_a_gap_are_named_with_its_times(tmp_path: Path) -> None:
    days = told(tmp_path, AGG, [(1, 10), (14, 20)])
    expected = f"3 ids are missing between {datetime(2024, 3, 1, 23):%Y-%m-%d %H:%M:%S} and 2024-03-02 00:00:00"  # noqa: DTZ001
    assert days[0] == days[1] == ("degraded", expected)
