"""The gaps step: which datasets lack days that the archive or the exchange may still have."""

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.answers import Coverage
from crypto_lakehouse.coverage.filling import fills
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.runs.figures import GapsFigures
from crypto_lakehouse.runs.orders import GapsOrder
from crypto_lakehouse.runs.outcomes import GapsOutcome
from crypto_lakehouse.steps.context import StepContext


def gaps(context: StepContext, _order: GapsOrder) -> GapsOutcome:
    """Returns one run for each dataset with gaps that may be filled; asks neither the archive nor the exchange.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    catalog = open_catalog(context.settings)
    runs = tuple(fills(Coverage(CoverageLog(context.storage, skip_damage=True), catalog.tables)))
    return GapsOutcome(GapsFigures(datasets=len(runs), symbols=sum(len(run.symbols) for run in runs)), runs)
