"""A delta first and the archive later: whose rows are kept, and what the two say of each other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.exchange.missing import Series
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.records import ColumnDifference, Manifest, Reconciliation
from crypto_lakehouse.lake.versions import store_candidate
from crypto_lakehouse.quality.gate import gate
from crypto_lakehouse.silver import buffers, range_merge
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.reconcile import PRECEDENCE, Pairs, Tally, tally
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition, Frequency, Interval, MergeStrategy, Source
from tests.archive_builder import input_at
from tests.rest_fixtures import OpenLake
from tests.rest_lake import RestLake, conformed, utc

KLINES = dataset("binance_um_klines")
DAY = date(2025, 1, 1)
WANTED = (utc(2025, 1, 1), utc(2025, 1, 2))
BEFORE, AFTER = utc(2025, 1, 1, 12), utc(2025, 1, 10)
"""When the archive's object was made: before the delta was asked for, and after."""

Edit = Callable[[list[str]], list[str]]


def as_published(lines: list[str]) -> list[str]:
    return lines


def revised(lines: list[str]) -> list[str]:
    """Raises the volume of two rows, of one by most, and adds a trade to one."""
    rows = [line.split(",") for line in lines]
    for number, more in ((601, "0.25"), (700, "1.50")):
        rows[number][5] = f"{Decimal(rows[number][5]) + Decimal(more)}"
    rows[700][8] = str(int(rows[700][8]) + 7)
    return [",".join(row) for row in rows]


def archive(folder: Path, made: datetime, edit: Edit = as_published, table: Dataset = KLINES) -> InputObject:
    key = ArchiveKey(table, Frequency.DAILY, table.sample_symbol, Interval.M1 if table.has_interval else None, DAY)
    csv = "".join(f"{line}\n" for line in edit(synthetic_csv(key).decode().splitlines())).encode()
    return input_at(key, write_object(folder / "archive", key, csv), made)


def build(table: Dataset, inputs: list[InputObject], folder: Path) -> tuple[pl.DataFrame, Manifest]:
    outcome = conformed(table, inputs, folder)
    assert outcome.refused == []
    (made,) = (one for one in outcome.partitions if one.file is not None)
    assert made.file is not None
    return pl.read_parquet(made.file), made.manifest


@pytest.fixture
def lake(open_lake: OpenLake) -> RestLake:
    opened = open_lake(utc(2025, 1, 3, 10))
    assert opened.fetch_missing(KLINES, Series("BTCUSDT", "1m"), WANTED)
    return opened


def test_the_archive_takes_the_place_of_the_delta_and_both_are_counted_equal(lake: RestLake, tmp_path: Path) -> None:
    alone, before = build(KLINES, lake.held(KLINES), tmp_path)
    frame, manifest = build(KLINES, [*lake.held(KLINES), archive(tmp_path, AFTER)], tmp_path)
    assert before.reconciliations == ()
    assert manifest.reconciliations == (Reconciliation("2025-01-01", Source.ARCHIVE_DAILY, Source.REST, 1440, 0),)
    assert (manifest.overlaps, manifest.conflicts, manifest.rows_in, manifest.rows_out) == (1440, 0, 2880, 1440)
    assert_frame_equal(frame, alone)


REST_DAYS = [row for row in DATASETS if row.rest is not None and Frequency.DAILY in row.frequencies]


@pytest.mark.parametrize("table", REST_DAYS, ids=lambda table: table.name)
def test_of_every_dataset_both_sources_are_equal_row_by_row(
    table: Dataset, open_lake: OpenLake, tmp_path: Path
) -> None:
    # Early enough for what reaches back two days only.
    lake = open_lake(utc(2025, 1, 2, 10))
    lake.fetch_missing(table, Series(table.sample_symbol, "1m" if table.has_interval else ""), WANTED)
    outcome = conformed(table, [*lake.held(table), archive(tmp_path, AFTER, table=table)], tmp_path)
    records = [record for made in outcome.partitions for record in made.manifest.reconciliations]
    assert records
    assert sum(record.different for record in records) == 0
    assert sum(record.equal for record in records) == sum(made.rows for made in outcome.partitions)
    assert {(record.kept, record.other) for record in records} == {(Source.ARCHIVE_DAILY, Source.REST)}


DIFFERENCES = (ColumnDifference("base_volume", 2, "1.5"), ColumnDifference("trade_count", 1, "7"))


@pytest.mark.parametrize("made", [BEFORE, AFTER])
def test_rows_of_the_archive_that_differ_are_kept_and_named_by_column_and_size(
    lake: RestLake, tmp_path: Path, made: datetime
) -> None:
    original, _ = build(KLINES, [archive(tmp_path / "plain", made)], tmp_path)
    frame, manifest = build(KLINES, [*lake.held(KLINES), archive(tmp_path, made, revised)], tmp_path)
    (record,) = manifest.reconciliations
    assert (record.equal, record.different, record.columns) == (1438, 2, DIFFERENCES)
    assert (manifest.overlaps, manifest.conflicts) == (1438, 2)
    changed = frame["base_volume"] - original["base_volume"]
    assert sorted(one for one in changed.to_list() if one) == [Decimal("0.25"), Decimal("1.5")]
    assert len(manifest.conflict_examples) == 2


@pytest.mark.parametrize(("made", "kept"), [(BEFORE, Source.REST), (AFTER, Source.ARCHIVE_DAILY)])
def test_newest_first_keeps_whichever_was_made_last(
    lake: RestLake, tmp_path: Path, made: datetime, kept: Source
) -> None:
    table = replace(KLINES, merge=MergeStrategy.NEWEST_FIRST)
    alone, _ = build(table, lake.held(KLINES), tmp_path)
    frame, manifest = build(table, [*lake.held(KLINES), archive(tmp_path, made, revised)], tmp_path)
    (record,) = manifest.reconciliations
    other = Source.REST if kept is Source.ARCHIVE_DAILY else Source.ARCHIVE_DAILY
    assert (record.kept, record.other, record.different, record.columns) == (kept, other, 2, DIFFERENCES)
    assert frame.equals(alone) == (kept is Source.REST)


def test_refuse_on_conflict_counts_the_same_and_keeps_the_archives_rows(lake: RestLake, tmp_path: Path) -> None:
    table = replace(KLINES, merge=MergeStrategy.REFUSE_ON_CONFLICT)
    first, _ = build(KLINES, [archive(tmp_path, AFTER, revised)], tmp_path)
    frame, manifest = build(table, [*lake.held(KLINES), archive(tmp_path, AFTER, revised)], tmp_path)
    assert_frame_equal(frame, first)
    assert manifest.conflicts == 2
    assert manifest.reconciliations[0].columns == DIFFERENCES


@pytest.mark.parametrize(
    ("merge", "made", "edit", "condition"),
    [
        (MergeStrategy.ARCHIVE_FIRST, AFTER, as_published, Condition.AVAILABLE),
        (MergeStrategy.REFUSE_ON_CONFLICT, AFTER, as_published, Condition.AVAILABLE),
        # The archive is known to be the better source: what it corrects is counted and no fault.
        (MergeStrategy.ARCHIVE_FIRST, AFTER, revised, Condition.AVAILABLE),
        (MergeStrategy.NEWEST_FIRST, AFTER, revised, Condition.AVAILABLE),
        (MergeStrategy.NEWEST_FIRST, BEFORE, revised, Condition.DEGRADED),
        (MergeStrategy.REFUSE_ON_CONFLICT, AFTER, revised, Condition.QUARANTINED),
    ],
)
def test_the_gate_judges_a_difference_by_the_datasets_strategy(
    lake: RestLake, tmp_path: Path, merge: MergeStrategy, made: datetime, edit: Edit, condition: Condition
) -> None:
    # The edit changes a volume and not its value, which is no matter here.
    rules = tuple(each for each in KLINES.expectations if each.check is not Check.VALUE_WITHIN_PRICES)
    table = replace(KLINES, merge=merge, expectations=rules)
    outcome = conformed(table, [*lake.held(KLINES), archive(tmp_path, made, edit)], tmp_path)
    (filled,) = (built for built in outcome.partitions if built.file is not None)
    candidate = store_candidate(
        lake.storage, filled.partition, filled.file, filled.manifest, (filled.first_time, filled.last_time)
    )
    (tmp_path / "gate").mkdir()
    judged = gate(table, [(candidate, tmp_path / "rest" / "lake" / candidate.file)], tmp_path / "gate")
    assert [verdict.condition for verdict in judged.verdicts] == [condition]


def test_the_order_of_the_inputs_says_nothing(lake: RestLake, tmp_path: Path) -> None:
    inputs = [*lake.held(KLINES), archive(tmp_path, AFTER, revised)]
    assert build(KLINES, inputs, tmp_path)[1] == build(KLINES, inputs[::-1], tmp_path)[1]


def test_merging_range_by_range_gives_the_same_sums(
    lake: RestLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [*lake.held(KLINES), archive(tmp_path, AFTER, revised)]
    whole = build(KLINES, inputs, tmp_path)[1]
    monkeypatch.setattr(buffers, "MEMORY_ROWS", 100)
    monkeypatch.setattr(range_merge, "ROWS_PER_RANGE", 150)
    monkeypatch.setattr(range_merge, "_SAMPLE_EVERY", 4)
    assert build(KLINES, inputs, tmp_path)[1].reconciliations == whole.reconciliations


def test_a_day_that_only_one_of_them_has_is_not_reconciled(lake: RestLake, tmp_path: Path) -> None:
    lake.fetch_missing(KLINES, Series("BTCUSDT", "1m"), (WANTED[0], utc(2025, 1, 3)))
    frame, manifest = build(KLINES, [*lake.held(KLINES), archive(tmp_path, AFTER)], tmp_path)
    assert frame.height == 2880
    assert [(one.day, one.equal) for one in manifest.reconciliations] == [("2025-01-01", 1440)]


numbers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30)


def pairs_of(rows: list[tuple[int, int, int]]) -> Pairs:
    times = pl.Series("time", [utc(2025, 1, 1 + number % 2) for number in range(len(rows))], pl.Datetime("us", "UTC"))
    kept = pl.DataFrame({"time": times, "a": [row[0] for row in rows], PRECEDENCE: [0] * len(rows)})
    dropped = pl.DataFrame({"time": times, "a": [row[1] for row in rows], PRECEDENCE: [row[2] for row in rows]})
    return Pairs(kept, dropped, kept["a"] == dropped["a"], ["a"])


@given(numbers, st.integers(0, 30))
def test_sums_over_parts_add_up_to_the_sum_over_all(rows: list[tuple[int, int, int]], cut: int) -> None:
    ranks = pl.Series([0, 1, 2])
    whole, parts = tally(pairs_of(rows), "time", ranks), Tally()
    pairs = pairs_of(rows)
    for part in (slice(0, cut), slice(cut, None)):
        some = Pairs(pairs.kept[part], pairs.dropped[part], pairs.equal[part], pairs.values)
        parts.add(tally(some, "time", ranks))
    assert parts.reconciliations() == whole.reconciliations()
    others = [row for row in rows if row[2]]
    assert sum(one.equal for one in whole.reconciliations()) == sum(row[0] == row[1] for row in others)
    assert sum(one.different for one in whole.reconciliations()) == sum(row[0] != row[1] for row in others)
    largest = max((abs(row[0] - row[1]) for row in others), default=0)
    distances = [int(column.largest) for one in whole.reconciliations() for column in one.columns]
    assert max(distances, default=0) == largest
