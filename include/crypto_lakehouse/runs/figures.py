"""The figures of steps: whole numbers that are summed over the batches of a run, in this one place."""

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field, fields
from typing import TypeVar

AnyFigures = TypeVar("AnyFigures", bound="Figures")


@dataclass(frozen=True, slots=True)
class Figures:
    """Base of all figures: every field is a whole number, and two of a kind can be added."""

    def counts(self) -> dict[str, int]:
        """Returns the figures by name, for XCom, the command line and logs."""
        return asdict(self)


def total(kind: type[AnyFigures], several: Iterable[AnyFigures]) -> AnyFigures:
    """Returns the sum of figures of one kind; zeros where there are none.

    >>> total(PullFigures, [PullFigures(objects=2, bytes=10), PullFigures(objects=1)])
    PullFigures(objects=3, bytes=10, unverified=0, objects_quarantined=0)
    """
    columns = zip(*(astuple(figures) for figures in several), strict=True)
    return kind(*(sum(column) for column in columns))


@dataclass(frozen=True, slots=True)
class PlanFigures(Figures):
    """The figures of a plan.

    Args:
        objects_to_pull: Archive objects that Bronze lacks.
        bytes_to_pull: Their bytes.
        objects_new: Objects to pull that Bronze does not have at all.
        objects_republished: Objects to pull of which Bronze has an older version.
        objects_damaged: Objects to pull whose stored bytes are damaged.
        objects_unchanged: Objects that Bronze has in the same version.
        objects_known_bad: Objects that failed verification and have not changed since.
        objects_vanished: Objects that Bronze has and the bucket no longer lists.
        objects_odd: Objects that the bucket lists without a size or a time that can be true. They are left out.
        days_without_object: Days of the request that no object covers, summed over symbols and intervals.
        spans_to_request: Spans to request from the exchange.
        partitions: Partitions to build.
    """

    objects_to_pull: int = 0
    bytes_to_pull: int = 0
    objects_new: int = 0
    objects_republished: int = 0
    objects_damaged: int = 0
    objects_unchanged: int = 0
    objects_known_bad: int = 0
    objects_vanished: int = 0
    objects_odd: int = 0
    days_without_object: int = 0
    spans_to_request: int = 0
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class PullFigures(Figures):
    """The figures of a pull.

    Args:
        objects: Objects stored.
        bytes: Their bytes.
        unverified: Stored objects without a published checksum.
        objects_quarantined: Objects that failed verification and were not stored.
    """

    objects: int = 0
    bytes: int = 0
    unverified: int = 0
    objects_quarantined: int = 0


@dataclass(frozen=True, slots=True)
class DeltaFigures(Figures):
    """What the exchange was asked and answered.

    Args:
        spans: Spans of the order.
        objects_requested: Bronze objects made from the answers.
        requests: Requests sent.
        bytes_requested: Bytes of the objects.
    """

    spans: int = 0
    objects_requested: int = 0
    requests: int = 0
    bytes_requested: int = 0


@dataclass(frozen=True, slots=True)
class ConformFigures(Figures):
    """What conform built.

    Args:
        candidates: Partitions with a new file that no reader sees yet.
        rows: Their rows.
        objects_refused: Bronze objects that could not be used.
        rows_refused: Rows of other objects that cannot be true and were set aside.
        partitions_without_rows: Partitions of which no object has a usable row.
        partitions_held_back: Partitions that lack days which readers have, because objects are damaged or refused.
        unchanged: Partitions of the order that were up to date.
        days_republished: Days of partitions whose objects were replaced, compared with the former version.
    """

    candidates: int = 0
    rows: int = 0
    objects_refused: int = 0
    rows_refused: int = 0
    partitions_without_rows: int = 0
    partitions_held_back: int = 0
    unchanged: int = 0
    days_republished: int = 0


@dataclass(frozen=True, slots=True)
class BuildFigures(Figures):
    """What was built of a mart.

    Args:
        candidates_built: Partitions with a new file that no reader sees yet.
        rows_built: Their rows.
        partitions_without_result: Partitions for which the mart's function returned no row.
        partitions_not_built: Partitions with a damaged input, or that would lack days which readers have.
        partitions_current: Partitions of the order that were up to date.
    """

    candidates_built: int = 0
    rows_built: int = 0
    partitions_without_result: int = 0
    partitions_not_built: int = 0
    partitions_current: int = 0


@dataclass(frozen=True, slots=True)
class GateFigures(Figures):
    """How many partitions the gate put into each condition."""

    partitions_available: int = 0
    partitions_degraded: int = 0
    partitions_quarantined: int = 0
    partitions_empty: int = 0


@dataclass(frozen=True, slots=True)
class PublishFigures(Figures):
    """What readers see since the publish step.

    Args:
        partitions_published: Partitions that readers see in a new version.
        rows_published: Their rows.
        partitions_quarantined: Partitions that the gate refused.
        partitions_superseded: Partitions whose objects changed after they were built; a later run builds them.
    """

    partitions_published: int = 0
    rows_published: int = 0
    partitions_quarantined: int = 0
    partitions_superseded: int = 0


@dataclass(frozen=True, slots=True)
class GapsFigures(Figures):
    """What is missing and may still be had.

    Args:
        datasets: Datasets with such gaps.
        symbols: Symbols with such gaps, summed over the datasets.
    """

    datasets: int = 0
    symbols: int = 0


@dataclass(frozen=True, slots=True)
class InstrumentsFigures(Figures):
    """What an update of the instrument master found.

    Args:
        symbols: Symbols that the archive has days of.
        instruments: Instruments of the market.
        added: Instruments that the version before did not have.
        removed: Instruments that only the version before had.
        changed: Instruments that differ from the version before.
        exchange_info_rows: New facts in the answers of the exchange.
    """

    symbols: int = 0
    instruments: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    exchange_info_rows: int = 0


@dataclass(frozen=True, slots=True)
class ScrubFigures(Figures):
    """What a scrub read.

    Args:
        files_read: Files read in full.
        bytes_read: Their bytes.
        files_stored: Files that there are to read.
        bytes_stored: Their bytes.
        files_damaged: Files without the bytes of their names.
        rounds_ended: 1 if the scrub came to the last file; the next one starts with the first.
    """

    files_read: int = 0
    bytes_read: int = 0
    files_stored: int = 0
    bytes_stored: int = 0
    files_damaged: int = 0
    rounds_ended: int = 0


@dataclass(frozen=True, slots=True)
class RepairFigures(Figures):
    """What a repair did.

    Args:
        faults: What was missing or damaged.
        faults_mended: Faults that are gone.
        faults_left: What is still missing or damaged.
        runs_needed: Runs that bring again what could not be mended.
    """

    faults: int = 0
    faults_mended: int = 0
    faults_left: int = 0
    runs_needed: int = 0


@dataclass(frozen=True, slots=True)
class CollectFigures(Figures):
    """What a collection removed, or would remove.

    Args:
        versions: Versions of partitions that the catalog does not name.
        version_bytes: Their bytes.
        objects: Stored objects that no record of a Bronze log names.
        object_bytes: Their bytes.
        runs: Files of runs and of their evidence.
        run_bytes: Their bytes.
        damaged: Damaged files that a repair set aside.
        damaged_bytes: Their bytes.
        unfinished: Files that a killed process left unfinished; a dry run does not count them.
    """

    versions: int = 0
    version_bytes: int = 0
    objects: int = 0
    object_bytes: int = 0
    runs: int = 0
    run_bytes: int = 0
    damaged: int = 0
    damaged_bytes: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of a whole run, summed over the batches of each step; zeros for a step that did not run."""

    plan: PlanFigures = field(default_factory=PlanFigures)
    pull: PullFigures = field(default_factory=PullFigures)
    delta: DeltaFigures = field(default_factory=DeltaFigures)
    conform: ConformFigures = field(default_factory=ConformFigures)
    build: BuildFigures = field(default_factory=BuildFigures)
    gate: GateFigures = field(default_factory=GateFigures)
    publish: PublishFigures = field(default_factory=PublishFigures)

    @classmethod
    def of(cls, several: Iterable[Figures]) -> "RunFigures":
        """Returns the sums of the figures of a run's steps; figures of other kinds are left out."""
        given = list(several)
        kinds = {place.name: type(getattr(_ZEROS, place.name)) for place in fields(cls)}
        sums = {
            name: total(kind, [figures for figures in given if type(figures) is kind]) for name, kind in kinds.items()
        }
        return cls(**sums)

    @property
    def quarantined(self) -> int:
        """Objects and partitions that were kept from readers."""
        return self.pull.objects_quarantined + self.conform.objects_refused + self.publish.partitions_quarantined

    def by_step(self) -> dict[str, dict[str, int]]:
        """Returns the figures of each step by name, by the name of the step."""
        return {place.name: getattr(self, place.name).counts() for place in fields(self)}

    def counts(self) -> dict[str, int]:
        """Returns all figures by name.

        Of the gate only the degraded partitions: the others come again, as published or quarantined, from publish. What
        a mart's build made comes again from publish, too.
        """
        others = (self.plan, self.pull, self.delta, self.conform, self.publish)
        counts = {name: count for figures in others for name, count in figures.counts().items()}
        return {**counts, "partitions_degraded": self.gate.partitions_degraded}


_ZEROS = RunFigures()
