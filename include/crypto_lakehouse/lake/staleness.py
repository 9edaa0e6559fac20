"""Which partitions are behind what Bronze holds."""

from collections.abc import Mapping, Sequence

from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import inputs_digest
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.spec import Dataset


def stale_partitions(
    dataset: Dataset,
    partitions: Sequence[Partition],
    bronze: BronzeLog,
    verdicts: VerdictLog,
    published: Mapping[str, str],
) -> list[Partition]:
    """Returns the partitions whose published version was made from other objects than Bronze holds now.

    One whose objects were already judged, and found bad or without rows, is left alone until they change.

    Args:
        dataset: Their dataset.
        partitions: Those to look at.
        bronze: What Bronze holds.
        verdicts: What the gate has said.
        published: The digest the catalog's version was made from, by partition name.
    """
    objects = bronze.objects_by_partition(dataset, partitions)
    refused = {
        name: logged.verdict.candidate.inputs_digest
        for name, logged in verdicts.latest(dataset.name).items()
        if not logged.verdict.condition.is_published
    }
    stale = []
    for one in partitions:
        held = objects[one.name]
        digest = inputs_digest((item.key, item.sha256) for item in held)
        if held and digest not in {published.get(one.name), refused.get(one.name)}:
            stale.append(one)
    return stale
