"""Which partitions are behind what they are made from. One rule for all layers; only the inputs differ."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict, inputs_digest
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.spec import Table

_DAMAGED = "damaged "


class Input(NamedTuple):
    """One thing that a partition is made from: a Bronze object, or the published version of another partition."""

    key: str
    sha256: str

    def damaged(self) -> "Input":
        """Returns it as an input whose bytes are lost: this is another input."""
        return self._replace(sha256=f"{_DAMAGED}{self.sha256.removeprefix(_DAMAGED)}")

    def sound(self) -> "Input":
        """Returns it as an input whose bytes are there."""
        return self._replace(sha256=self.sha256.removeprefix(_DAMAGED))


def input_of(bronze_object: BronzeObject) -> Input:
    """Returns a Bronze object as an input."""
    given = Input(bronze_object.key, bronze_object.version)
    return given.damaged() if bronze_object.damage else given


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
    behind = behind_inputs(partitions, inputs, published)
    return [partition for partition in behind if refused.get(partition.name) != _digest(partition, inputs)]


def behind_inputs(partitions: Sequence[Partition], inputs: Inputs, published: Mapping[str, str]) -> list[Partition]:
    """Returns the partitions that have inputs and whose published version was made from other ones.

    Damage to an input is no reason to rebuild: the version was made from its sound bytes.

    Args:
        partitions: Partitions of one table.
        inputs: What there is now.
        published: The digest that the catalog's version was made from, by partition name.
    """
    sound = {name: [given.sound() for given in of_partition] for name, of_partition in inputs.items()}
    return [
        partition
        for partition in partitions
        if inputs.get(partition.name)
        and published.get(partition.name) not in {_digest(partition, inputs), _digest(partition, sound)}
    ]


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
        if verdict.candidate.inputs_digest == inputs_digest(table, inputs.get(verdict.candidate.partition, ()))
    ]


def _digest(partition: Partition, inputs: Inputs) -> str:
    return inputs_digest(partition.table, inputs[partition.name])
