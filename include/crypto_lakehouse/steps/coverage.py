"""The coverage that publishing appends: what the gate found of published partitions, and the days of the others."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from crypto_lakehouse.lake.coverage import CoverageFrames, DayCoverage, Place, read_frames
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.silver.inputs import RANK
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition, DayCondition


def published_coverage(storage: Storage, folder: str, verdicts: Sequence[Verdict]) -> CoverageFrames:
    """Returns what the gate left in a folder about those of the verdicts that let their partitions be published.

    Raises:
        ArchiveFileMissing: It is not there.
    """
    if not folder:
        return CoverageFrames.of()
    return read_frames(storage, folder).of_partitions(
        one.candidate.partition for one in verdicts if one.condition.is_published
    )


def unread_days(
    row: Dataset, verdicts: Sequence[Verdict], objects: Mapping[str, Sequence[BronzeObject]]
) -> Iterator[DayCoverage]:
    """Yields the days of partitions that readers see nothing of, as far as Bronze holds objects of them.

    Args:
        row: Their dataset.
        verdicts: Why there is nothing to read of each.
        objects: What Bronze holds, by partition name.
    """
    for one in verdicts:
        partition = Partition.parse(row, one.candidate.partition)
        expected = row.rows_per_day(partition.interval)
        # No row of a stream that owes none is an answer, too.
        is_sound = one.condition is Condition.EMPTY and expected is None
        condition = DayCondition.AVAILABLE if is_sound else DayCondition.MISSING
        for day, sources in sorted(_sources_by_day(partition, objects.get(partition.name, ())).items()):
            yield DayCoverage(
                Place.of(partition, ""), day, condition, _reason(one), 0, expected, expected, ", ".join(sources)
            )


def _reason(verdict: Verdict) -> str:
    if verdict.condition is Condition.EMPTY:
        return "its objects hold no row of it"
    return f"quarantined: {'; '.join(verdict.reasons)}"


def _sources_by_day(partition: Partition, objects: Sequence[BronzeObject]) -> dict[date, list[str]]:
    found: dict[date, list[str]] = {}
    for one in sorted(objects, key=lambda one: RANK[one.source]):
        day, last = max(one.first_day, partition.first_day), min(one.last_day, partition.last_day)
        while day <= last:
            sources = found.setdefault(day, [])
            if one.source.value not in sources:
                sources.append(one.source.value)
            day += timedelta(days=1)
    return found
