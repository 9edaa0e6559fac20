"""What is recorded of a row that was set aside, and when an object is refused whole."""

from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.expectations import RefusalBound
from crypto_lakehouse.lake.records import Manifest, RefusedRow
from crypto_lakehouse.silver.set_aside import BoundCheck
from crypto_lakehouse.vocabulary import Frequency
from tests.archive_builder import agg_trade_rows, kline_rows
from tests.conforming import MARCH, SPOT_KLINES, TRADES, build, kline_input, trades_input


def test_a_row_of_a_batch_is_named_by_its_own_object_and_line(tmp_path: Path) -> None:
    rows = {day: [[*row] for row in kline_rows(date(2024, 3, day), 10)] for day in (1, 2, 3)}
    rows[2][4][5] = "-1"
    given = [kline_input(f"2024-03-0{day}", rows[day], tmp_path) for day in rows]
    [made] = build(SPOT_KLINES, [MARCH], given, tmp_path / "work").partitions
    [row] = made.manifest.refused_rows
    assert (row.key, row.sha256, row.line) == (given[1].object.key, given[1].object.sha256, 5)
    assert row.time == "2024-03-02T00:04:00+00:00"
    assert row.reason.startswith("a quantity is negative: base_volume -1.00000000, quote_volume ")
    assert row.text == ",".join(map(str, rows[2][4]))
    assert Manifest.from_json(made.manifest.to_json()) == made.manifest


@pytest.mark.parametrize("day", [1, 2])
def test_a_row_of_a_monthly_file_belongs_to_the_partition_of_its_day(day: int, tmp_path: Path) -> None:
    rows = [[*row] for first in (1, 2) for row in agg_trade_rows(date(2024, 3, first), 50)]
    for number, row in enumerate(rows):
        row[0] = row[3] = row[4] = number
    rows[25 if day == 1 else 75][1] = "NaN"
    monthly = trades_input("2024-03-01", rows, tmp_path, frequency=Frequency.MONTHLY)
    made = build(TRADES, [MARCH, date(2024, 3, 2)], [monthly], tmp_path / "work").partitions
    assert [len(each.manifest.refused_rows) for each in made] == [int(day == 1), int(day == 2)]
    assert [each.rows for each in made] == [50 - (day == 1), 50 - (day == 2)]


def test_the_same_objects_in_any_order_give_the_same_bytes_with_rows_set_aside(tmp_path: Path) -> None:
    rows = [[*row] for row in kline_rows(MARCH, 30)]
    rows[7][5], rows[9][1] = "-1", "x"
    given = [
        kline_input("2024-03-01", rows, tmp_path),
        kline_input("2024-03-02", kline_rows(date(2024, 3, 2), 5), tmp_path),
    ]
    first = build(SPOT_KLINES, [MARCH], given, tmp_path / "a").partitions[0]
    second = build(SPOT_KLINES, [MARCH], given[::-1], tmp_path / "b").partitions[0]
    assert first.sha256 == second.sha256
    assert [row.line for row in first.manifest.refused_rows] == [8, 10]


RECORD = RefusedRow("key", "sha", 7, "2024-03-01T00:00:00+00:00", "odd", "text")


@pytest.mark.parametrize(
    ("lines", "refused", "is_broken"),
    [
        (1440, 10, False),
        (1440, 11, True),
        (100_000, 100, False),
        (100_000, 101, True),
        (5_000_000, 1000, False),
        (8, 4, False),
        (8, 5, True),
        (1, 1, True),
        (0, 0, False),
    ],
)
def test_the_bound_of_an_object(lines: int, refused: int, is_broken: bool) -> None:
    check = BoundCheck(RefusalBound())
    check.add(lines, refused, [RECORD] if refused else [])
    if not is_broken:
        check.finish()
        return
    with pytest.raises(ContentRefused, match="the first: line 7: odd"):
        check.finish()


def test_no_object_may_have_more_than_a_thousand() -> None:
    with pytest.raises(ContentRefused, match="1001 of 9000000 rows cannot be true, 1000 are allowed"):
        BoundCheck(RefusalBound()).add(9_000_000, 1001, [RECORD])
