"""The scrub step: the next part of the stored files, read in full."""

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.maintenance.scrubbing import scrub as scrub_lake
from crypto_lakehouse.runs.figures import ScrubFigures
from crypto_lakehouse.runs.orders import ScrubOrder
from crypto_lakehouse.runs.outcomes import ScrubOutcome
from crypto_lakehouse.steps.context import StepContext


def scrub(context: StepContext, _order: ScrubOrder) -> ScrubOutcome:
    """Reads the files after the last one that a scrub read. Damaged files do not raise: the outcome names them.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    catalog, settings = open_catalog(context.settings), context.settings.maintenance
    done = scrub_lake(catalog, context.storage, settings, context.work_folder, context.progress)
    figures = ScrubFigures(
        files_read=len(done.read),
        bytes_read=sum(file.size for file in done.read),
        files_stored=len(done.stored),
        bytes_stored=sum(file.size for file in done.stored),
        files_damaged=len(done.faults),
        rounds_ended=int(done.is_end and bool(done.read)),
    )
    return ScrubOutcome(figures, done.faults)
