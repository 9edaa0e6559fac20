"""The repair step: what is missing or damaged, mended from another copy or layer."""

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.faults import Fault
from crypto_lakehouse.maintenance.repairing import repair as repair_faults
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.marts import tables
from crypto_lakehouse.runs.figures import RepairFigures
from crypto_lakehouse.runs.orders import RepairOrder, first_order_key
from crypto_lakehouse.runs.outcomes import RepairOutcome, ScrubOutcome
from crypto_lakehouse.runs.results import read_outcome
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import Step

ROUNDS = 3
"""A damaged log or catalog hides other faults: the repair looks again after each round."""


def repair(context: StepContext, order: RepairOrder) -> RepairOutcome:
    """Mends what the scrub of the same run found, and what a quick verification finds.

    What cannot be mended here does not raise: the outcome names it, and the runs that bring it again.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    catalog = open_catalog(context.settings)
    seen: dict[Fault, None] = {}
    runs: dict[Fill, None] = {}
    left = _joined(_scrubbed(context, order), verify(catalog, context.storage, tables(), progress=context.progress))
    for _ in range(ROUNDS):
        new = [fault for fault in left if fault not in seen]
        if not new:
            break
        seen |= dict.fromkeys(new)
        repaired = repair_faults(catalog, context.storage, new, context.work_folder)
        runs |= dict.fromkeys(repaired.runs)
        left = verify(catalog, context.storage, tables(), progress=context.progress)
    figures = RepairFigures(
        faults=len(seen),
        faults_mended=sum(fault not in left for fault in seen),
        faults_left=len(left),
        runs_needed=len(runs),
    )
    return RepairOutcome(figures, tuple(left), tuple(runs))


def _scrubbed(context: StepContext, order: RepairOrder) -> tuple[Fault, ...]:
    key = first_order_key(Step.SCRUB, order.subject, order.run_id)
    try:
        return read_outcome(context.storage, key, ScrubOutcome).faults
    except ArchiveFileMissing:
        # A repair may run alone.
        return ()


def _joined(scrubbed: tuple[Fault, ...], verified: list[Fault]) -> list[Fault]:
    """Returns the faults of both, each file once."""
    files = {fault.file for fault in scrubbed}
    return [*scrubbed, *(fault for fault in verified if fault.file not in files)]
