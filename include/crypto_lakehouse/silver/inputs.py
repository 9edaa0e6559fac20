"""What conform reads: Bronze objects with their local files, and which of them is preferred where two hold one key."""

from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.lake.records import BronzeObject, RefusedInput
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import MergeStrategy


@dataclass(frozen=True, slots=True)
class InputObject:
    """A Bronze object and a local path with its bytes."""

    object: BronzeObject
    path: Path

    @property
    def stem(self) -> str:
        """The name that the only member of a zip must have, without its ending."""
        return self.object.key.rpartition("/")[2].removesuffix(".zip")

    def refused(self, error: Exception) -> RefusedInput:
        """Returns the record that this object was left out because of `error`."""
        reason = getattr(error, "what", str(error))
        given = self.object
        span = (given.start.isoformat(), given.end.isoformat())
        return RefusedInput(given.key, given.sha256, type(error).__name__, reason, *span)


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows of a block that come from one object."""

    input: InputObject
    rows: int


def precedences(dataset: Dataset, inputs: list[InputObject]) -> dict[str, int]:
    """Returns the precedence of each input, by identity: of two rows with one key, the lower precedence is kept.

    The dataset's merge strategy decides between source and age. Between equals, the key and the sha256 decide.
    """
    ordered = sorted(inputs, key=lambda given: (given.object.key, given.object.sha256))
    newest_first = dataset.merge is MergeStrategy.NEWEST_FIRST
    if newest_first:
        ordered.sort(key=lambda given: given.object.source.rank)
    ordered.sort(key=lambda given: given.object.last_modified, reverse=True)
    if not newest_first:
        ordered.sort(key=lambda given: given.object.source.rank)
    return {identity(input_object): precedence for precedence, input_object in enumerate(ordered)}


def identity(input_object: InputObject) -> str:
    """Returns what distinguishes an input from all others: its key and its version."""
    return f"{input_object.object.key} {input_object.object.sha256}"


def allowed_times(dataset: Dataset, bronze_object: BronzeObject) -> tuple[int, int]:
    """Returns the first allowed event time of an object's rows and the first one past it, in microseconds."""
    tolerance = dataset.day_tolerance_seconds * 1_000_000
    return (
        microseconds(bronze_object.start) - tolerance,
        microseconds(bronze_object.end) + tolerance,
    )
