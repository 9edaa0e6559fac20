"""Compares the former Silver file with the new one, by key, after the exchange replaced an object.

Only days that replaced objects cover are compared, and only rows that readers see. If daily files take precedence over
a monthly file, a change of the monthly file is not visible here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from crypto_lakehouse.coverage.records import PartitionVersion, ReconciledDay
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Manifest, ManifestInput, Reconciliation
from crypto_lakehouse.silver.order import own_key
from crypto_lakehouse.silver.reconcile import PRECEDENCE, Pairs, Tally, tally
from crypto_lakehouse.spans import Span, union
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
    former_sha256 = {given.key: given.sha256 for given in former.inputs}
    return [given for given in new.inputs if former_sha256.get(given.key, given.sha256) != given.sha256]


def compare_versions(
    partition: Partition, former: Path, new: Path, replaced: Sequence[ManifestInput]
) -> list[ReconciledDay]:
    """Returns how the two files compare on the days of the replaced objects, one record per day, without a version.

    Both sources of a record are the best source of the day's replaced objects. At most the rows of two row groups are
    in memory, for any size of the files.

    Args:
        partition: The partition of both files.
        former: The published file.
        new: The file that will replace it.
        replaced: The new versions of the replaced objects.
    """
    sources = _sources_by_day(partition, replaced)
    sums = _Sums(Tally(), Counter(), Counter())
    for span in _spans(partition.dataset.event_time, (former, new), sources):
        _compare(partition.dataset, _rows(new, partition, span), _rows(former, partition, span), sums)
    return _reconciled(partition, sources, sums)


def _sources_by_day(partition: Partition, replaced: Sequence[ManifestInput]) -> dict[date, Source]:
    sources: dict[date, Source] = {}
    whole = Span(partition.start, partition.end)
    for given in sorted(replaced, key=lambda given: given.source.rank):
        for day in Span.from_iso(given.start, given.end).intersect(whole).days():
            sources.setdefault(day, given.source)
    return sources


def _spans(time: str, files: Sequence[Path], days: Iterable[date]) -> Iterator[Span]:
    """Yields spans of the days, cut where a row group of either file starts, so that each has few rows."""
    starts = sorted({start for file in files for start in _group_starts(file, time)})
    for span in union(Span.of_days(day, day) for day in days):
        cuts = [start for start in starts if span.start < start < span.end]
        yield from (Span(start, end) for start, end in pairwise([span.start, *cuts, span.end]))


def _group_starts(file: Path, time: str) -> Iterator[datetime]:
    metadata = pq.read_metadata(file)
    column = metadata.schema.to_arrow_schema().get_field_index(time)
    for number in range(metadata.num_row_groups):
        statistics = metadata.row_group(number).column(column).statistics
        if statistics is not None and statistics.has_min_max:
            yield statistics.min


def _rows(file: Path, partition: Partition, span: Span) -> pl.DataFrame:
    time = pl.col(partition.dataset.event_time)
    return (
        pl.scan_parquet(file, glob=False, hive_partitioning=False)
        .filter((time >= span.start) & (time < span.end))
        .collect()
    )


def _compare(dataset: Dataset, new: pl.DataFrame, former: pl.DataFrame, sums: _Sums) -> None:
    key = list(own_key(dataset))
    sides = new.select(key).with_row_index(_NEW), former.select(key).with_row_index(_FORMER)
    both = sides[0].join(sides[1], on=key, how="inner", nulls_equal=True).sort(_NEW)
    # A column that a version of the program added is in one of the files only.
    values = [name for name in new.columns if name in former.columns]
    kept = new.select(values)[both[_NEW]].with_columns(pl.lit(0).alias(PRECEDENCE))
    dropped = former.select(values)[both[_FORMER]].with_columns(pl.lit(1).alias(PRECEDENCE))
    equal = pl.Series([True]).new_from_index(0, both.height)
    for name in values:
        equal &= kept[name].eq_missing(dropped[name])
    if both.height:
        # The ranks are placeholders: the source of a day is set when all rows are summed.
        sums.tally.add(tally(Pairs(kept, dropped, equal, values), dataset.event_time, pl.Series([0, 0])))
    for rows, matched, counter in ((new, both[_NEW], sums.only_kept), (former, both[_FORMER], sums.only_other)):
        alone = rows.with_row_index("_row").filter(~pl.col("_row").is_in(matched.implode()))
        counter.update(dict(alone[dataset.event_time].dt.date().value_counts().iter_rows()))


def _reconciled(partition: Partition, sources: dict[date, Source], sums: _Sums) -> list[ReconciledDay]:
    version = PartitionVersion.of(partition, "")
    pairs = {pair.day: pair for pair in sums.tally.reconciliations()}
    records = []
    for day, source in sorted(sources.items()):
        known = pairs.get(day.isoformat())
        figures = (known.equal, known.different, known.columns) if known else (0, 0, ())
        pair = Reconciliation(day.isoformat(), source, source, *figures)
        records.append(ReconciledDay.of(version, pair, sums.only_kept[day], sums.only_other[day]))
    return records
