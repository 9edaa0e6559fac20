"""The publish step: the catalog is pointed at the candidates that passed, one partition at a time."""

from dataclasses import asdict
from datetime import UTC, datetime

from crypto_lakehouse import telemetry
from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage, unreadable_days
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition, Verdict
from crypto_lakehouse.lake.staleness import still_current
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.runs.figures import PublishFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.results import GateOutcome, PublishOutcome, read_outcome
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.inputs import inputs_of
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.vocabulary import Condition


def publish(context: StepContext, order: TransformOrder) -> PublishOutcome:
    """Publishes what passed the gate and still agrees with the layer below; readers keep what they have of the rest.

    The coverage is logged first, then the verdicts, then the catalog is called. A crash before the catalog call leaves
    a lake from which the catalog can be rebuilt, and a rerun ends in the same state. Every logged verdict has its
    coverage: a partition that was judged is not looked at again until its inputs change.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    table, catalog = table_of_name(order.dataset), open_catalog(context.settings)
    gated = read_outcome(context.storage, context.order_key, GateOutcome)
    partitions = [Partition.parse(table, verdict.candidate.partition) for verdict in gated.verdicts]
    current = still_current(table, gated.verdicts, inputs_of(table, partitions, context.storage, catalog))
    now = datetime.now(UTC)
    catalog.ensure_table(table)
    if current:
        frames = published_coverage(context.storage, gated.coverage, current)
        unread = [verdict for verdict in current if _is_unread(catalog, table, verdict)]
        if unread and isinstance(table, Dataset):
            objects = BronzeLog(context.storage).objects_by_partition(table, partitions)
            frames = frames.joined(CoverageFrames.of(unreadable_days(table, unread, objects)))
        CoverageLog(context.storage).append(table.name, frames, now)
        VerdictLog(context.storage).append(table, order.run_id, current, now)
    passed = [verdict for verdict in current if verdict.condition.is_published]
    if passed:
        catalog.publish([_record(verdict, order.run_id, now) for verdict in passed])
    for verdict in current:
        _log(verdict)
    figures = PublishFigures(
        partitions_published=len(passed),
        rows_published=sum(verdict.candidate.rows for verdict in passed),
        partitions_quarantined=sum(verdict.condition is Condition.QUARANTINED for verdict in current),
        partitions_superseded=len(gated.verdicts) - len(current),
    )
    return PublishOutcome(figures, is_idle=not gated.verdicts)


def _log(verdict: Verdict) -> None:
    """Logs what became of a partition; the reasons are in the report, because they may quote values of a file."""
    is_published = verdict.condition.is_published
    telemetry.event(
        "partition_published" if is_published else f"partition_{verdict.condition}",
        Level.WARNING if verdict.condition is Condition.QUARANTINED else Level.INFO,
        partition=verdict.candidate.partition,
        condition=verdict.condition.value,
        rows=verdict.candidate.rows,
    )


def _is_unread(catalog: Catalog, table: Table, verdict: Verdict) -> bool:
    """Returns whether readers see nothing of a partition, and will not after this verdict."""
    partition = Partition.parse(table, verdict.candidate.partition)
    return not verdict.condition.is_published and catalog.partition(partition) is None


def _record(verdict: Verdict, run_id: str, now: datetime) -> PublishedPartition:
    return PublishedPartition(
        **asdict(verdict.candidate),
        condition=verdict.condition,
        reasons=verdict.reasons,
        run_id=run_id,
        published_at=now,
    )
