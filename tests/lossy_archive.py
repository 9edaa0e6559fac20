"""Archives with losses, conformed and judged in this process, and an oracle that knows what was taken away.

The oracle sees lines, times and identifiers only. It shares nothing with the code that finds gaps.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import polars as pl

from crypto_lakehouse.coverage.day_table import coverage
from crypto_lakehouse.coverage.days import partition_coverage
from crypto_lakehouse.coverage.gap_table import find_gaps
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import unreadable_days
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import PartitionVersion
from crypto_lakehouse.coverage.row_times import NO_EVIDENCE, SeriesEvidence
from crypto_lakehouse.demo.records import LINES, DayContent
from crypto_lakehouse.lake.bronze import covers
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import partitions_between
from crypto_lakehouse.quality.profile import examine
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import ConformedPartition, InputObject, conform
from crypto_lakehouse.spec import Dataset, HeaderRule
from crypto_lakehouse.vocabulary import Condition, DataType, Frequency, Interval
from tests.archive_builder import ArchiveFile, build_input, kline_rows
from tests.steps_of_gate import empty_verdict

NOW = datetime(2026, 11, 1, tzinfo=UTC)
_TIME_COLUMN = {
    DataType.AGG_TRADES: 5,
    DataType.TRADES: 4,
    DataType.BOOK_TICKER: 5,
}
_TEXT_TIMES = (DataType.BOOK_DEPTH, DataType.METRICS)


@dataclass(frozen=True)
class Row:
    """A line of a source file, when it is, and its identifier where it has one."""

    line: str
    time: datetime
    number: int | None


def day_rows(dataset: Dataset, symbol: str, day: date, interval: Interval | None) -> list[Row]:
    """Returns the rows of a day in the order of the file."""
    rows = [_row(dataset, line) for line in LINES[dataset.data_type](DayContent(dataset, symbol, day, interval))]
    return sorted(rows, key=lambda row: row.time)


def candles(first: date, count: int, days: int) -> list[Row]:
    """Returns spot candles of several days each."""
    starts = [first + timedelta(days=days * number) for number in range(count)]
    rows = [kline_rows(start, 1, days * 86_400)[0] for start in starts]
    return [
        Row(",".join(map(str, row)), datetime(start.year, start.month, start.day, tzinfo=UTC), None)
        for start, row in zip(starts, rows, strict=True)
    ]


def _row(dataset: Dataset, line: str) -> Row:
    cells = line.split(",")
    kind = dataset.data_type
    if kind is DataType.EOH_SUMMARY:
        return Row(line, datetime.fromisoformat(f"{cells[0]}T{cells[1]}:00:00+00:00"), None)
    if kind in _TEXT_TIMES:
        moment = datetime.fromisoformat(f"{cells[0]}+00:00")
        # A stamp of metrics was the end of its five minutes then.
        return Row(line, moment - timedelta(minutes=5) if kind is DataType.METRICS else moment, None)
    stamp = int(cells[_TIME_COLUMN.get(kind, 0)])
    moment = datetime.fromtimestamp(stamp // 1000, UTC) + timedelta(milliseconds=stamp % 1000)
    if kind is DataType.FUNDING_RATE:
        moment = moment.replace(microsecond=0)
    return Row(line, moment, int(cells[0]) if kind in _TIME_COLUMN else None)


@dataclass(frozen=True)
class Told:
    """What the lake reports of the days of an archive."""

    days: pl.DataFrame
    gaps: pl.DataFrame

    @property
    def not_whole(self) -> set[date]:
        """The days that are not available."""
        return set(self.days.filter(pl.col("condition") != "available")["day"])


@dataclass(frozen=True)
class LossyArchive:
    """A series in the archive. `objects` are the rows of each object by its frequency and first day."""

    dataset: Dataset
    symbol: str
    interval: Interval | None
    objects: dict[tuple[Frequency, date], list[Row]]
    evidence: SeriesEvidence = NO_EVIDENCE

    def told(self, folder: Path, days: tuple[date, date]) -> Told:
        """Conforms the archive and returns what is reported of days."""
        inputs = [self._input(key, rows, folder / "bucket") for key, rows in self.objects.items()]
        partitions = partitions_between(self.dataset, self.symbol, *days, self.interval)
        covered = [each for each in partitions if any(covers(given.object, each) for given in inputs)]
        (folder / "work").mkdir()
        made = conform(self.dataset, covered, inputs, folder / "work", ConformSettings())
        assert made.refused == []
        frames = CoverageFrames.of()
        for conformed in made.partitions:
            frames = frames.joined(self._frames(conformed, inputs))
        log = CoverageLog(LocalStorage(folder / "lake"))
        log.append(self.dataset.name, frames, NOW)
        query = CoverageQuery(NOW, first_day=days[0], last_day=days[1])
        return Told(coverage(log, self.dataset, query), find_gaps(log, self.dataset, query))

    def _input(self, key: tuple[Frequency, date], rows: Sequence[Row], folder: Path) -> InputObject:
        layout = self.dataset.layouts[0]
        header = [",".join(layout.columns)] if layout.header is not HeaderRule.NEVER else []
        content = "".join(f"{line}\n" for line in [*header, *(row.line for row in rows)])
        file = ArchiveFile(self.dataset, key[1], self.symbol, self.interval, key[0])
        return build_input(file, content.encode(), folder)

    def _frames(self, conformed: ConformedPartition, inputs: Sequence[InputObject]) -> CoverageFrames:
        partition = conformed.partition
        if conformed.file is None:
            covering = [given.object for given in inputs if covers(given.object, partition)]
            verdict = empty_verdict(partition, Condition.EMPTY)
            return CoverageFrames.of(unreadable_days(self.dataset, [verdict], {partition.name: covering}, {}))
        times = examine(conformed.file, partition, conformed.manifest, self.evidence).times
        version = PartitionVersion.of(partition, conformed.sha256)
        found = partition_coverage(times, conformed.manifest, version, {})
        return CoverageFrames.of(found.days, found.holes)


Keeps = Callable[[Row], bool]


def lose(archive: LossyArchive, keeps: Keeps) -> LossyArchive:
    """Returns the archive with only some of its rows; an object of a day that has none left is not published."""
    objects = {key: [row for row in rows if keeps(row)] for key, rows in archive.objects.items()}
    present = {key: rows for key, rows in objects.items() if rows or key[0] is Frequency.MONTHLY}
    return replace(archive, objects=present)


def some_loss(chance: random.Random, rows: Sequence[Row], days: Sequence[date], kind: str) -> Keeps:
    """Returns a loss of a kind on a random day, which is neither the first nor the last one."""
    day = chance.choice(days[1:-1])
    times = sorted({row.time for row in rows if row.time.date() == day})
    start, length = chance.randrange(len(times)), max(1, len(times) * chance.randrange(5, 60) // 100)
    lost = {
        "head": set(times[:length]),
        "tail": set(times[-length:]),
        "middle": set(times[start : start + length]),
        "row": {times[start]},
        "day": set(times),
        "days": {row.time for row in rows if row.time.date() in {day, days[-2]}},
    }[kind]
    return lambda row: row.time not in lost


LOSSES = ("head", "tail", "middle", "row", "day", "days")


def hours_without(rows: Sequence[Row], first: date, last: date) -> set[datetime]:
    """Returns the clock hours of days without a row."""
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    hours = {midnight + timedelta(hours=number) for number in range(24 * ((last - first).days + 1))}
    return hours - {row.time.replace(minute=0, second=0, microsecond=0) for row in rows}


def longest_pause(rows: Sequence[Row], first: date, last: date) -> timedelta:
    """Returns the longest time without a row from the start of a day to the end of a day."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    times = [start, *sorted(row.time for row in rows), end]
    return max(after - before for before, after in pairwise(times))


def by_day(rows: Sequence[Row]) -> dict[date, list[Row]]:
    """Returns rows by their day."""
    ordered = sorted(rows, key=lambda row: row.time)
    return {day: list(members) for day, members in groupby(ordered, key=lambda row: row.time.date())}
