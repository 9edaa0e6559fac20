"""No loss untold and no phantom told: archives with every kind of loss, compared with what was taken away.

Where a witness cannot see a loss by nature, the oracle says so: see the table of docs/coverage.md.
"""

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.coverage.day_table import coverage
from crypto_lakehouse.coverage.days import partition_coverage
from crypto_lakehouse.coverage.gap_table import find_gaps
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import unreadable_days
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import PartitionVersion
from crypto_lakehouse.coverage.row_times import RowTimes
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition, partitions_between
from crypto_lakehouse.lake.records import BronzeObject, Manifest, ManifestInput
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, Condition, Exchange, Frequency, Interval, Source, Witness
from tests.lossy_archive import (
    LOSSES,
    NOW,
    LossyArchive,
    Row,
    Told,
    by_day,
    candles,
    day_rows,
    hours_without,
    longest_pause,
    lose,
    some_loss,
)
from tests.steps_of_gate import empty_verdict

FIRST = date(2023, 3, 6)
ARCHIVED = [row for row in DATASETS if row.exchange is Exchange.BINANCE]
PAUSES = {"book_depth": timedelta(seconds=600), "bvol_index": timedelta(seconds=300), "eoh_summary": timedelta(hours=1)}
HOUR = timedelta(hours=1)


def archive(row: Dataset, days: list[date], monthly: bool) -> LossyArchive:
    """Returns a whole archive of days: a file a day, or one of the month with only these days."""
    interval = Interval.H1 if row.has_interval else None
    of_day = {day: day_rows(row, row.sample_symbol, day, interval) for day in days}
    if not monthly:
        objects = {(Frequency.DAILY, day): rows for day, rows in of_day.items()}
    else:
        objects = {(Frequency.MONTHLY, days[0].replace(day=1)): [line for rows in of_day.values() for line in rows]}
    return LossyArchive(row, row.sample_symbol, interval, objects)


def is_visible(row: Dataset, lost: list[Row], left: list[Row], days: list[date]) -> bool:
    """Returns whether a loss can be seen: by nature some cannot."""
    if row.witness in {Witness.GRID, Witness.IDS, Witness.PAYMENTS}:
        return True
    if row.witness is Witness.CADENCE:
        bound = next(bound for kind, bound in PAUSES.items() if row.name.endswith(kind))
        return longest_pause(left, days[0], days[-1]) > bound
    days_left = by_day(left)
    if any(day not in days_left for day in by_day(lost)):
        return True
    if row.witness is Witness.OBJECT:
        return False
    return bool(hours_without(left, days[0], days[-1]))


def check(row: Dataset, whole: LossyArchive, left: LossyArchive, told: Told, days: list[date]) -> None:
    """Compares what is told with what was taken away."""
    before = [line for rows in whole.objects.values() for line in rows]
    after = [line for rows in left.objects.values() for line in rows]
    kept = {(line.time, line.line) for line in after}
    lost = [line for line in before if (line.time, line.line) not in kept]
    assert lost
    lost_days = set(by_day(lost))
    if not is_visible(row, lost, after, days):
        assert told.not_whole <= lost_days
        return
    assert told.not_whole & lost_days, "a loss is untold"
    assert told.gaps.height, "a loss has no gap"
    if row.witness in {Witness.GRID, Witness.IDS, Witness.PAYMENTS}:
        assert lost_days <= told.not_whole
        spans = list(told.gaps.select("start", "end").iter_rows())
        assert all(any(start <= line.time < end for start, end in spans) for line in lost)
    # Identifiers that are missing at an end of a day may belong to the day beside it.
    near = {day + timedelta(days=shift) for day in lost_days for shift in (-1, 0, 1)}
    assert told.not_whole <= (near if row.witness is Witness.IDS else lost_days), "a phantom"
    for start, end in told.gaps.select("start", "end").iter_rows():
        assert any(start <= line.time <= end for line in lost), "a phantom gap"


def lose_and_check(row: Dataset, kind: str, monthly: bool, seed: int, folder: Path) -> None:
    chance = random.Random(f"{row.name} {kind} {monthly} {seed}")
    days = [FIRST + timedelta(days=number) for number in range(4)]
    if monthly:
        month = days[0].replace(day=1)
        days = [month + timedelta(days=number) for number in range(31)]
    whole = archive(row, days, monthly)
    rows = [line for lines in whole.objects.values() for line in lines]
    left = lose(whole, some_loss(chance, rows, days, kind))
    check(row, whole, left, left.told(folder, (days[0], days[-1])), days)


def shrunk(rows: list[Dataset]) -> list[tuple[Dataset, str]]:
    """Returns two kinds of loss for each dataset, so that all kinds occur for each witness."""
    return [(row, LOSSES[(number + shift) % len(LOSSES)]) for number, row in enumerate(rows) for shift in (0, 3)]


@pytest.mark.parametrize(
    "row",
    [row for row in ARCHIVED if Frequency.DAILY in row.frequencies and "bvol" not in row.name],
    ids=lambda row: row.name,
)
def test_a_whole_archive_has_no_gap(row: Dataset, tmp_path: Path) -> None:
    days = [FIRST + timedelta(days=number) for number in range(2)]
    told = archive(row, days, monthly=False).told(tmp_path, (days[0], days[-1]))
    assert (told.not_whole, told.gaps.height, told.days.height) == (set(), 0, 2)


@pytest.mark.parametrize(
    ("row", "kind"),
    shrunk([row for row in ARCHIVED if Frequency.DAILY in row.frequencies and "bvol" not in row.name]),
    ids=lambda value: getattr(value, "name", value),
)
def test_what_daily_files_lack_is_told_and_nothing_else(row: Dataset, kind: str, tmp_path: Path) -> None:
    lose_and_check(row, kind, monthly=False, seed=1, folder=tmp_path)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("name", ["binance_um_klines", "binance_um_funding_rate", "binance_cm_agg_trades"])
def test_what_a_monthly_file_lacks_is_told_and_nothing_else(name: str, kind: str, tmp_path: Path) -> None:
    lose_and_check(dataset(name), kind, monthly=True, seed=1, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("row", ARCHIVED, ids=lambda row: row.name)
def test_every_loss_of_every_dataset_is_told(row: Dataset, kind: str, seed: int, tmp_path: Path) -> None:
    for frequency in row.frequencies:
        folder = tmp_path / frequency
        folder.mkdir()
        lose_and_check(row, kind, frequency is Frequency.MONTHLY, seed, folder)


@pytest.mark.parametrize(("interval", "days", "first"), [("3d", 3, date(2023, 3, 2)), ("1w", 7, date(2023, 3, 6))])
@pytest.mark.parametrize("place", range(4))
def test_a_candle_of_several_days_that_is_missing_is_a_gap_of_its_days(
    interval: str, days: int, first: date, place: int, tmp_path: Path
) -> None:
    row = dataset("binance_spot_klines")
    count = (date(2023, 3, 31) - first).days // days + 1
    whole = candles(first, count, days)
    objects = {(Frequency.MONTHLY, date(2023, 3, 1)): [*whole[:place], *whole[place + 1 :]]}
    told = LossyArchive(row, "BTCUSDT", Interval(interval), objects).told(tmp_path, (first, date(2023, 3, 31)))
    start = first + timedelta(days=days * place)
    covered = [start + timedelta(days=number) for number in range(days)]
    assert told.not_whole == {day for day in covered if day.month == 3}
    [gap] = told.gaps.to_dicts()
    assert (gap["start"].date(), gap["end"].date(), gap["missing"]) == (start, start + timedelta(days=days), 1)


REST_ONLY = [row for row in DATASETS if not row.frequencies]


def answered(row: Dataset, rows: list[Row], days: list[date], folder: Path) -> Told:
    """Returns what is reported of days that the exchange has answered with these rows."""
    interval = Interval.H1 if row.has_interval else None
    log, frames = CoverageLog(LocalStorage(folder)), CoverageFrames.of()
    for partition in partitions_between(row, row.sample_symbol, days[0], days[-1], interval):
        own = [line for line in rows if partition.start <= line.time < partition.end]
        start, end = max(partition.start, midnight(days[0])), min(partition.end, midnight(days[-1] + timedelta(days=1)))
        if own:
            found = partition_coverage(*collected(row, partition, own, (start, end)), {})
            frames = frames.joined(CoverageFrames.of(found.days, found.holes))
        else:
            objects = {partition.name: [answer_object(row, start, end)]}
            verdict = empty_verdict(partition, Condition.EMPTY)
            frames = frames.joined(CoverageFrames.of(unreadable_days(row, [verdict], objects, {})))
    log.append(row.name, frames, NOW)
    query = CoverageQuery(NOW, first_day=days[0], last_day=days[-1])
    return Told(coverage(log, row, query), find_gaps(log, row, query))


def collected(
    row: Dataset, partition: Partition, rows: list[Row], span: tuple[datetime, datetime]
) -> tuple[RowTimes, Manifest, PartitionVersion]:
    covered = ((span[0].isoformat(), span[1].isoformat()),)
    given = ManifestInput(
        "k", "s", Source.REST, *covered[0], ChecksumStatus.UNPUBLISHED, 1, "ms", header=False, inversions=0
    )
    manifest = Manifest(row.name, partition.name, (given,), (), "d", len(rows), len(rows), 0, 0, 0, 0, covered)
    times = RowTimes(partition, covered)
    schema = {row.event_time: pl.Datetime("us", "UTC"), "trade_id": pl.Int64}
    times.add(pl.DataFrame([(line.time, line.number) for line in rows], schema=schema, orient="row"))
    return times, manifest, PartitionVersion.of(partition, "v")


def answer_object(row: Dataset, start: datetime, end: datetime) -> BronzeObject:
    tags = ("e", start, 1, "s", ChecksumStatus.UNPUBLISHED, start, "p")
    return BronzeObject(row.name, "rest/k", row.sample_symbol, "", Source.REST, start, end, *tags)


@pytest.mark.parametrize("kind", [*LOSSES, "none"])
@pytest.mark.parametrize("row", REST_ONLY, ids=lambda row: row.name)
def test_what_answers_of_an_exchange_without_an_archive_lack_is_told(row: Dataset, kind: str, tmp_path: Path) -> None:
    days = [FIRST + timedelta(days=number) for number in range(4)]
    step = HOUR if row.has_interval else timedelta(seconds=30)
    count = timedelta(days=4) // step
    rows = [Row(str(number), midnight(days[0]) + step * number, number) for number in range(count)]
    keeps = (lambda _: True) if kind == "none" else some_loss(random.Random(f"{row.name} {kind}"), rows, days, kind)
    left = [line for line in rows if keeps(line)]
    told, lost = answered(row, left, days, tmp_path), {line.time.date() for line in rows if not keeps(line)}
    # Coinbase has no candle where nothing was traded. An answer without trades proves an empty day of single trades.
    silent = row.witness is Witness.OBJECT or (row.witness is Witness.IDS_WITH_HOLES and kind in {"day", "days", "row"})
    if kind == "none" or silent:
        assert (told.not_whole, told.gaps.height) == (set(), 0)
    elif row.witness in {Witness.GRID, Witness.IDS}:
        assert lost <= told.not_whole
        spans = list(told.gaps.select("start", "end").iter_rows())
        gone = [line.time for line in rows if not keeps(line)]
        assert all(any(start <= time < end for start, end in spans) for time in gone)
    near = {day + timedelta(days=shift) for day in lost for shift in (-1, 0, 1)}
    assert told.not_whole <= near
