"""Which input is preferred where two have rows with one key."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import permutations
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.silver.inputs import InputObject, allowed_times, identity, precedences
from crypto_lakehouse.vocabulary import Interval, MergeStrategy, Source
from tests.archive_builder import archive_file, build_input, csv, kline_rows

KLINES = dataset("binance_spot_klines")
OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def sound(tmp_path: Path) -> InputObject:
    file = archive_file(KLINES.name, "2024-03-01", interval=Interval.M1)
    return build_input(file, csv(kline_rows(date(2024, 3, 1), 5)), tmp_path)


def versions(sound: InputObject) -> dict[str, InputObject]:
    return {
        f"{source} {'new' if modified is NEW else 'old'}": InputObject(
            replace(sound.object, source=source, last_modified=modified, key=f"{source} {modified}"), sound.path
        )
        for source in (Source.ARCHIVE_DAILY, Source.REST, Source.STREAM)
        for modified in (OLD, NEW)
    }


@pytest.mark.parametrize(
    ("merge", "best_first"),
    [
        (
            MergeStrategy.ARCHIVE_FIRST,
            ["archive_daily new", "archive_daily old", "rest new", "rest old", "stream new", "stream old"],
        ),
        (
            MergeStrategy.NEWEST_FIRST,
            ["archive_daily new", "rest new", "stream new", "archive_daily old", "rest old", "stream old"],
        ),
    ],
)
def test_the_merge_strategy_decides_between_source_and_age(
    merge: MergeStrategy, best_first: list[str], sound: InputObject
) -> None:
    given = versions(sound)
    expected = {identity(given[name]): number for number, name in enumerate(best_first)}
    for order in list(permutations(given.values()))[::97]:
        assert precedences(replace(KLINES, merge=merge), list(order)) == expected


def test_a_tolerance_widens_the_allowed_times_on_both_sides(sound: InputObject) -> None:
    tolerant = replace(KLINES, day_tolerance_seconds=2)
    start, end = microseconds(sound.object.start), microseconds(sound.object.end)
    assert allowed_times(KLINES, sound.object) == (start, end)
    assert allowed_times(tolerant, sound.object) == (start - 2_000_000, end + 2_000_000)


def test_a_refusal_records_the_version_and_the_reason(sound: InputObject) -> None:
    record = sound.refused(ContentRefused("5 rows, the limit is 4", "advice"))
    assert (record.key, record.sha256) == (sound.object.key, sound.object.sha256)
    assert (record.error, record.reason) == ("ContentRefused", "5 rows, the limit is 4")
    assert sound.stem == "BTCUSDT-1m-2024-03-01"
