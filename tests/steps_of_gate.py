"""Verdicts as the gate step gives them."""

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.vocabulary import Condition


def empty_verdict(partition: Partition, condition: Condition) -> Verdict:
    """Returns a verdict on a partition without a file."""
    return Verdict(Candidate(partition.table.name, partition.name, "", "", "", 0, 0, "d", None, None), condition)
