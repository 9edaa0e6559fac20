"""What became of rows when the exchange replaced an object: the former Silver file held against the new one, by key.

Only the days that replaced objects cover are compared, and only as far as readers see them: a monthly file whose rows
give way to daily ones may change without a trace here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from crypto_lakehouse.coverage.records import PartitionVersion, ReconciledDay
from crypto_lakehouse.lake.partition import Partition, midnight
from crypto_lakehouse.lake.records import Manifest, ManifestInput, Reconciliation
from crypto_lakehouse.silver.inputs import RANK
from crypto_lakehouse.silver.order import own_key
from crypto_lakehouse.silver.reconcile import PLACE, Pairs, Tally, tally
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Source

_NEW, _FORMER = "_new", "_former"


@dataclass(slots=True)
class _Sums:
    tally: Tally
    only_kept: Counter[date]
    only_other: Counter[date]


def replaced_inputs(former: Manifest, new: Manifest) -> list[ManifestInput]:
    """Returns the new versions of objects that the former file was made from under the same key."""
    held = {one.key: one.sha256 for one in former.inputs}
    return [one for one in new.inputs if held.get(one.key, one.sha256) != one.sha256]


def compare_versions(
    partition: Partition, former: Path, new: Path, replaced: Sequence[ManifestInput]
) -> list[ReconciledDay]:
    """Returns what the two files say of the replaced objects' days, a row per day; the version is left open.

    Both sources of a row are the best one of the day's replaced objects. Memory is bounded by a stretch of two row
    groups, whatever the size of the files.

    Args:
        partition: What both files hold.
        former: The file that is published.
        new: The file that is to replace it.
        replaced: The new versions of the replaced objects.
    """
    sources = _sources_by_day(partition, replaced)
    sums = _Sums(Tally(), Counter(), Counter())
    for start, end in _stretches(partition.dataset.event_time, (former, new), sorted(sources)):
        _compare(partition.dataset, _rows(new, partition, start, end), _rows(former, partition, start, end), sums)
    return _reconciled(partition, sources, sums)


def _sources_by_day(partition: Partition, replaced: Sequence[ManifestInput]) -> dict[date, Source]:
    found: dict[date, Source] = {}
    for one in sorted(replaced, key=lambda one: RANK[one.source]):
        start = max(datetime.fromisoformat(one.start), partition.start)
        end = min(datetime.fromisoformat(one.end), partition.end)
        day = start.date()
        while midnight(day) < end:
            found.setdefault(day, one.source)
            day += timedelta(days=1)
    return found


def _stretches(time: str, files: Sequence[Path], days: Sequence[date]) -> Iterator[tuple[datetime, datetime]]:
    """Yields stretches of the days, cut where a row group of either file starts, so that each holds few rows."""
    starts = sorted({start for file in files for start in _group_starts(file, time)})
    for first, last in _runs(days):
        edges = [midnight(first), *(one for one in starts if midnight(first) < one < midnight(last)), midnight(last)]
        yield from pairwise(edges)


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yields runs of ascending days: the first, and the one after the last."""
    first = None
    for at, day in enumerate(days):
        first = first or day
        after = day + timedelta(days=1)
        if at + 1 == len(days) or days[at + 1] != after:
            yield first, after
            first = None


def _group_starts(file: Path, time: str) -> Iterator[datetime]:
    metadata = pq.read_metadata(file)
    column = metadata.schema.to_arrow_schema().get_field_index(time)
    for number in range(metadata.num_row_groups):
        statistics = metadata.row_group(number).column(column).statistics
        if statistics is not None and statistics.has_min_max:
            yield statistics.min


def _rows(file: Path, partition: Partition, start: datetime, end: datetime) -> pl.DataFrame:
    time = pl.col(partition.dataset.event_time)
    return pl.scan_parquet(file, glob=False).filter((time >= start) & (time < end)).collect()


def _compare(dataset: Dataset, new: pl.DataFrame, former: pl.DataFrame, sums: _Sums) -> None:
    key = list(own_key(dataset))
    sides = new.select(key).with_row_index(_NEW), former.select(key).with_row_index(_FORMER)
    both = sides[0].join(sides[1], on=key, how="inner", nulls_equal=True).sort(_NEW)
    # Columns that a version of the program added are in one of the files only.
    values = [name for name in new.columns if name in former.columns]
    kept = new.select(values)[both[_NEW]].with_columns(pl.lit(0).alias(PLACE))
    dropped = former.select(values)[both[_FORMER]].with_columns(pl.lit(1).alias(PLACE))
    equal = pl.Series([True]).new_from_index(0, both.height)
    for name in values:
        equal &= kept[name].eq_missing(dropped[name])
    if both.height:
        # The rank is a stand-in: the source of a day is known only when all days are summed.
        sums.tally.add(tally(Pairs(kept, dropped, equal, values), dataset.event_time, pl.Series([0, 0])))
    for rows, found, counter in ((new, both[_NEW], sums.only_kept), (former, both[_FORMER], sums.only_other)):
        alone = rows.with_row_index("_row").filter(~pl.col("_row").is_in(found.implode()))
        counter.update(dict(alone[dataset.event_time].dt.date().value_counts().iter_rows()))


def _reconciled(partition: Partition, sources: dict[date, Source], sums: _Sums) -> list[ReconciledDay]:
    place = PartitionVersion.of(partition, "")
    said = {one.day: one for one in sums.tally.reconciliations()}
    rows = []
    for day, source in sorted(sources.items()):
        found = said.get(day.isoformat())
        figures = (found.equal, found.different, found.columns) if found else (0, 0, ())
        pair = Reconciliation(day.isoformat(), source, source, *figures)
        rows.append(ReconciledDay.of(place, pair, sums.only_kept[day], sums.only_other[day]))
    return rows
