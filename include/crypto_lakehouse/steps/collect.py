"""The collect step: what no reader and no run needs any more is removed, or counted."""

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.lake.storage import StoredObject
from crypto_lakehouse.maintenance.collecting import collectable
from crypto_lakehouse.runs.figures import CollectFigures
from crypto_lakehouse.runs.orders import CollectOrder
from crypto_lakehouse.runs.outcomes import CollectOutcome, Reach
from crypto_lakehouse.steps.context import StepContext


def collect(context: StepContext, order: CollectOrder) -> CollectOutcome:
    """Removes old versions, leftovers and the records of old runs; a dry run only counts them.

    Raises:
        CorruptObject: A log or the catalog is damaged: nobody knows what is needed.
        LakehouseError: The catalog or the lake did not answer.
    """
    files = collectable(open_catalog(context.settings), context.storage, context.settings.maintenance)
    unfinished = 0
    if not order.dry_run:
        files.remove(context.storage)
        unfinished = context.storage.remove_unfinished()
    return CollectOutcome(
        CollectFigures(
            versions=len(files.versions),
            version_bytes=_bytes(files.versions),
            objects=len(files.objects),
            object_bytes=_bytes(files.objects),
            runs=len(files.runs),
            run_bytes=_bytes(files.runs),
            damaged=len(files.damaged),
            damaged_bytes=_bytes(files.damaged),
            unfinished=unfinished,
        ),
        tuple(Reach(table, as_of) for table, as_of in files.reaches.items()),
    )


def _bytes(files: list[StoredObject]) -> int:
    return sum(file.size for file in files)
