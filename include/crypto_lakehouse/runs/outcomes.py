"""Outcomes: what the step of each verb did, for later steps and for people."""

from dataclasses import dataclass, field
from datetime import datetime

from crypto_lakehouse.coverage.records import Fill, ReconciledDay
from crypto_lakehouse.lake.faults import Fault
from crypto_lakehouse.lake.records import Candidate, RefusedInput, RefusedRow, Verdict
from crypto_lakehouse.runbook import Entry, entry_of
from crypto_lakehouse.runs.figures import (
    BuildFigures,
    CollectFigures,
    ConformFigures,
    DeltaFigures,
    GapsFigures,
    GateFigures,
    InstrumentsFigures,
    PlanFigures,
    PublishFigures,
    PullFigures,
    RepairFigures,
    RunFigures,
    ScrubFigures,
)
from crypto_lakehouse.vocabulary import Step


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """What a plan found, and the orders it wrote.

    Args:
        figures: In figures.
        orders: Keys of the orders, by the stem of their files: `pull`, `delta`, `transform`.
    """

    figures: PlanFigures
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done."""
        return not any(self.orders.values())


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """What a pull brought.

    Args:
        figures: In figures.
        refused: The objects that failed verification, with reasons.
    """

    figures: PullFigures
    refused: tuple[RefusedInput, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Always False: an order names at least one object."""
        return False


@dataclass(frozen=True, slots=True)
class DeltaOutcome:
    """What the exchange was asked and answered."""

    figures: DeltaFigures

    @property
    def is_idle(self) -> bool:
        """Always False: an order names at least one window."""
        return False


@dataclass(frozen=True, slots=True)
class PartitionWithoutRows:
    """A partition without a candidate: it has no usable row, or lacks rows that readers have.

    Args:
        partition: Its name.
        inputs_digest: Digest of the objects.
        reasons: Why objects were refused or the partition was held back; empty where all objects are sound and have
            no row of the partition.
        refused_rows: Rows of the partition that cannot be true and were set aside.
    """

    partition: str
    inputs_digest: str
    reasons: tuple[str, ...] = ()
    refused_rows: tuple[RefusedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ConformOutcome:
    """What conform built, for the gate.

    Args:
        figures: In figures.
        candidates: The partitions that have a new file.
        refused: The Bronze objects that could not be used.
        without_rows: The partitions that have no file.
        republished: What the replaced objects of a partition changed, a row per day.
    """

    figures: ConformFigures
    candidates: tuple[Candidate, ...] = ()
    refused: tuple[RefusedInput, ...] = ()
    without_rows: tuple[PartitionWithoutRows, ...] = ()
    republished: tuple[ReconciledDay, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether every partition of the order was up to date."""
        return not self.candidates and not self.without_rows


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What was built of a mart, for the gate.

    Args:
        figures: In figures.
        candidates: The partitions that have a new file.
        without_rows: The partitions that have no file.
    """

    figures: BuildFigures
    candidates: tuple[Candidate, ...] = ()
    without_rows: tuple[PartitionWithoutRows, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether every partition of the order was up to date."""
        return not self.candidates and not self.without_rows


@dataclass(frozen=True, slots=True)
class DamagedCandidate:
    """A candidate that cannot be judged, because its file is gone or damaged.

    Args:
        partition: Its name.
        what: What is wrong with the file.
        advice: What to do.
    """

    partition: str
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What the gate found, for the publish step and the report.

    Args:
        figures: In figures.
        verdicts: The verdict on each partition of the batch.
        docs: Key of Great Expectations' Data Docs; empty where nothing was judged.
        coverage: Folder of the coverage of the judged partitions; empty where nothing was judged.
        damaged: The candidates that could not be judged.
    """

    figures: GateFigures
    verdicts: tuple[Verdict, ...] = ()
    docs: str = ""
    coverage: str = ""
    damaged: tuple[DamagedCandidate, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to judge."""
        return not self.verdicts and not self.damaged


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What readers see since then.

    Args:
        figures: In figures.
        is_idle: Whether there was no verdict to act on.
    """

    figures: PublishFigures
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step of a run that failed or did not finish.

    Args:
        step: The verb.
        order_key: Key of its order.
        reason: Why it failed.
        error: The class of its error; empty where it left no result.
    """

    step: Step
    order_key: str
    reason: str
    error: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.step, self.error, self.reason) if part)

    @property
    def entry(self) -> Entry:
        """Its entry in the runbook."""
        return entry_of(self.error, self.step) if self.error else Entry.STEP_UNFINISHED


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What a whole run did.

    Args:
        figures: The figures of all its steps.
        report: URI of the quality report.
        refused_partitions: The partitions that the gate refused, each with the reasons.
        refused_objects: The archive objects that were refused, each with the reason.
        failed: The steps that failed or did not finish.
    """

    figures: RunFigures
    report: str
    refused_partitions: tuple[str, ...] = ()
    refused_objects: tuple[str, ...] = ()
    failed: tuple[FailedStep, ...] = ()

    @property
    def has_refusals(self) -> bool:
        """Whether a partition or an object was refused."""
        return bool(self.refused_partitions or self.refused_objects)

    @property
    def is_idle(self) -> bool:
        """Always False: a report is written even where the run had nothing to do."""
        return False


@dataclass(frozen=True, slots=True)
class GapsOutcome:
    """The runs that may fill gaps.

    Args:
        figures: In figures.
        fills: One run for each dataset with gaps that may be filled.
    """

    figures: GapsFigures
    fills: tuple[Fill, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is missing that may still be had."""
        return not self.fills


@dataclass(frozen=True, slots=True)
class InstrumentsOutcome:
    """What an update of the instrument master found.

    Args:
        figures: In figures.
        is_new_version: Whether the master has a new version.
    """

    figures: InstrumentsFigures
    is_new_version: bool

    @property
    def is_idle(self) -> bool:
        """Whether nothing was new."""
        return not self.is_new_version


@dataclass(frozen=True, slots=True)
class ScrubOutcome:
    """What a scrub found.

    Args:
        figures: In figures.
        faults: The damaged files.
    """

    figures: ScrubFigures
    faults: tuple[Fault, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to read."""
        return not self.figures.files_read


@dataclass(frozen=True, slots=True)
class RepairOutcome:
    """What a repair did.

    Args:
        figures: In figures.
        left: What is still missing or damaged.
        runs: The runs of datasets that bring it again.
    """

    figures: RepairFigures
    left: tuple[Fault, ...] = ()
    runs: tuple[Fill, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether the lake was whole."""
        return not self.figures.faults


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back readers of a table can look: to the earliest instant of which every version is kept."""

    table: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CollectOutcome:
    """What a collection removed, or would remove.

    Args:
        figures: In figures.
        reaches: How far back readers can look afterwards; only tables of which earlier versions are gone.
    """

    figures: CollectFigures
    reaches: tuple[Reach, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to remove."""
        return not any(self.figures.counts().values())


Outcome = (
    PlanOutcome
    | PullOutcome
    | DeltaOutcome
    | ConformOutcome
    | BuildOutcome
    | GateOutcome
    | PublishOutcome
    | ReportOutcome
    | GapsOutcome
    | InstrumentsOutcome
    | ScrubOutcome
    | RepairOutcome
    | CollectOutcome
)
"""What a step did."""

OUTCOME_TYPES: dict[str, type[Outcome]] = {kind.__name__: kind for kind in Outcome.__args__}
"""The types of outcomes by the name that the table of verbs gives."""
