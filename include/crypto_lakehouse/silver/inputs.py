"""What conform is given, and the stretches of rows that one file contributes to a block."""

from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.lake.records import BronzeObject, RefusedInput
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import MergeStrategy, Source

RANK = {source: rank for rank, source in enumerate(Source)}
"""The place of each source when two hold one key: the lowest is the best."""


@dataclass(frozen=True, slots=True)
class InputObject:
    """A Bronze object and a local path with its bytes."""

    object: BronzeObject
    path: Path

    @property
    def stem(self) -> str:
        """The name that the zip's only member must have, without its ending."""
        return self.object.key.rpartition("/")[2].removesuffix(".zip")

    def refused(self, error: Exception) -> RefusedInput:
        """Returns the record of this object being left out because of `error`."""
        reason = getattr(error, "what", str(error))
        return RefusedInput(self.object.key, self.object.sha256, type(error).__name__, reason)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a block's rows that come from one file."""

    input: InputObject
    rows: int


def precedence(dataset: Dataset, inputs: list[InputObject]) -> dict[str, int]:
    """Returns the place of each input, by key and sha256, when two hold one key: the lowest place is kept.

    The dataset's merge strategy decides between source and age; the key settles what is left.
    """
    ordered = sorted(inputs, key=lambda one: (one.object.key, one.object.sha256))
    newest_first = dataset.merge is MergeStrategy.NEWEST_FIRST
    if newest_first:
        ordered.sort(key=lambda one: RANK[one.object.source])
    ordered.sort(key=lambda one: one.object.last_modified, reverse=True)
    if not newest_first:
        ordered.sort(key=lambda one: RANK[one.object.source])
    return {identity(one): place for place, one in enumerate(ordered)}


def identity(one: InputObject) -> str:
    """Returns what tells an input from all others: its key and version."""
    return f"{one.object.key} {one.object.sha256}"


def allowed_times(dataset: Dataset, one: BronzeObject) -> tuple[int, int]:
    """Returns the first allowed event time of an object's rows and the first one past it, in microseconds."""
    tolerance = dataset.day_tolerance_seconds * 1_000_000
    return (
        microseconds(one.start) - tolerance,
        microseconds(one.end) + tolerance,
    )
