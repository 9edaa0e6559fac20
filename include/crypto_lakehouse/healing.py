"""Verifies a lake, repairs it, and runs the datasets that have to bring something again."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.extras import require
from crypto_lakehouse.lake.faults import Fault
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.ownership import scratch_folder
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Table
from crypto_lakehouse.verbs import verb_of
from crypto_lakehouse.vocabulary import Step

ROUNDS = 4
"""A damaged log hides other faults, and a mart waits for its inputs: a repair looks again after each round."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What a verification found, and what a repair left of it.

    Args:
        left: The faults that are there now.
        healed: The faults that were there and are gone.
        failures: Why runs that were to bring something again failed.
    """

    left: tuple[Fault, ...]
    healed: tuple[Fault, ...] = ()
    failures: tuple[str, ...] = ()


def heal(
    settings: Settings,
    tables: Sequence[Table],
    *,
    deep: bool = False,
    repair: bool = False,
    progress: Progress = no_progress,
) -> Healed:
    """Returns what is wrong with a lake, after it was repaired if that is wanted.

    Args:
        settings: The deployment.
        tables: The tables to look at.
        deep: Whether to read every byte.
        repair: Whether to repair.
        progress: Listener for long work.

    Raises:
        MissingExtra: A library that a repair needs is not installed; nothing was done.
        LakehouseError: The lake or the catalog did not answer.
    """
    catalog, storage = open_catalog(settings), open_storage(settings)
    if repair:
        require(*verb_of(Step.REPAIR).extras)
    left = verify(catalog, storage, tables, deep=deep, progress=progress)
    seen: dict[Fault, None] = dict.fromkeys(left)
    failures: dict[str, None] = {}
    for _ in range(ROUNDS if repair else 0):
        # A repair makes Silver again. To verify, no library of conform is needed.
        from crypto_lakehouse.maintenance.repairing import repair as repair_faults

        if not left:
            break
        with scratch_folder(settings.work_folder, "repair") as folder:
            repaired = repair_faults(catalog, storage, left, folder)
        failures |= dict.fromkeys(failure for run in repaired.runs for failure in _run(run, settings, progress))
        before, left = left, verify(catalog, storage, tables, deep=deep, progress=progress)
        seen |= dict.fromkeys(left)
        if left == before:
            break
    return Healed(tuple(left), tuple(fault for fault in seen if fault not in left), tuple(failures))


def _run(fill: Fill, settings: Settings, progress: Progress) -> list[str]:
    """Runs a dataset over the days of a fill, and returns why it failed."""
    request = PlanRequest(
        dataset=fill.dataset,
        run_id=new_run_id("repair"),
        first_day=fill.first_day.isoformat(),
        last_day=fill.last_day.isoformat(),
        symbols=fill.symbols,
        intervals=fill.intervals,
    )
    try:
        summary = run_pipeline(request, settings, progress)
    except LakehouseError as error:
        return [str(error)]
    return [f"{failure.step} of {failure.order_key}: {failure.error}" for failure in summary.failures]
