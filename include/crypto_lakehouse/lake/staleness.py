"""Which partitions are behind what they are made from. One rule for all layers; only the inputs differ."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict, inputs_digest
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.spec import Table


class Input(NamedTuple):
    """One thing that a partition is made from: a Bronze object, or the published version of another partition."""

    key: str
    sha256: str
    is_damaged: bool = False

    @property
    def entry(self) -> tuple[str, str]:
        """What a digest takes of it. Without its bytes, a damaged input is another input."""
        return self.key, f"{self.sha256} damaged" if self.is_damaged else self.sha256


def input_of(bronze_object: BronzeObject) -> Input:
    """Returns a Bronze object as an input."""
    return Input(bronze_object.key, bronze_object.sha256, bool(bronze_object.damage))


Inputs = Mapping[str, Sequence[Input]]
"""What each partition is made from now, by the partition's name."""


def stale_partitions(
    partitions: Sequence[Partition], inputs: Inputs, published: Mapping[str, str], verdicts: VerdictLog
) -> list[Partition]:
    """Returns the partitions that have inputs and whose published version was made from other ones.

    A partition whose inputs were already judged, and found bad or without rows, is left alone until they change.

    Args:
        partitions: Partitions of one table.
        inputs: What there is now.
        published: The digest that the catalog's version was made from, by partition name.
        verdicts: The log of the gate's verdicts.
    """
    if not partitions:
        return []
    refused = {
        name: logged.verdict.candidate.inputs_digest
        for name, logged in verdicts.latest(partitions[0].table).items()
        if not logged.verdict.condition.is_published
    }
    return [
        partition
        for partition in partitions
        if inputs.get(partition.name)
        and is_behind(partition.table, inputs[partition.name], published.get(partition.name))
        and digest_of(partition.table, inputs[partition.name]) != refused.get(partition.name)
    ]


def is_behind(table: Table, inputs: Sequence[Input], published: str | None) -> bool:
    """Returns whether a published version was made from other inputs than there are now.

    Damage to an input is no reason to rebuild: the version was made from its sound bytes.

    Args:
        table: The table.
        inputs: What there is now.
        published: The digest that the version was made from; None where nothing is published.
    """
    as_sound = [given._replace(is_damaged=False) for given in inputs]
    return published not in {digest_of(table, as_sound), digest_of(table, inputs)}


def digest_of(table: Table, inputs: Sequence[Input]) -> str:
    """Returns the digest of what a partition is made from."""
    return inputs_digest(table, (given.entry for given in inputs))


def still_current(table: Table, verdicts: Sequence[Verdict], inputs: Inputs) -> list[Verdict]:
    """Returns the verdicts whose candidate was made from what there is now.

    A run that was overtaken by a newer one must not replace the newer version by its older one.

    Args:
        table: The table of the candidates.
        verdicts: The verdicts on the candidates.
        inputs: What there is now.
    """
    return [
        verdict
        for verdict in verdicts
        if verdict.candidate.inputs_digest == digest_of(table, inputs.get(verdict.candidate.partition, ()))
    ]
