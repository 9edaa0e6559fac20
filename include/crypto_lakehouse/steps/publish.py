"""The publish step: the catalog is pointed at the candidates that passed, one partition at a time."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage, unreadable_days
from crypto_lakehouse.datasets import dataset as dataset_of_name
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, PublishedPartition, Verdict, inputs_digest
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.runs.figures import PublishFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.results import GateOutcome, PublishOutcome, read_outcome
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.vocabulary import Condition


def publish(context: StepContext, order: TransformOrder) -> PublishOutcome:
    """Publishes what passed the gate and still agrees with Bronze; readers keep what they have of the rest.

    The coverage is logged first, then the verdicts, then the catalog is called. A crash before the catalog call leaves
    a lake from which the catalog can be rebuilt, and a rerun ends in the same state. Every logged verdict has its
    coverage: a partition that was judged is not looked at again until its objects change.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    dataset = dataset_of_name(order.dataset)
    gated = read_outcome(context.storage, context.order_key, GateOutcome)
    partitions = [Partition.parse(dataset, verdict.candidate.partition) for verdict in gated.verdicts]
    objects = BronzeLog(context.storage).objects_by_partition(dataset, partitions)
    current = _still_current(gated.verdicts, objects)
    now = datetime.now(UTC)
    catalog = open_catalog(context.settings)
    catalog.ensure_table(dataset)
    if current:
        frames = published_coverage(context.storage, gated.coverage, current)
        unread = [verdict for verdict in current if _is_unread(catalog, dataset, verdict)]
        frames = frames.joined(CoverageFrames.of(unreadable_days(dataset, unread, objects)))
        CoverageLog(context.storage).append(dataset.name, frames, now)
        VerdictLog(context.storage).append(dataset.name, order.run_id, current, now)
    passed = [verdict for verdict in current if verdict.condition.is_published]
    if passed:
        catalog.publish([_record(verdict, order.run_id, now) for verdict in passed])
    figures = PublishFigures(
        partitions_published=len(passed),
        rows_published=sum(verdict.candidate.rows for verdict in passed),
        partitions_quarantined=sum(verdict.condition is Condition.QUARANTINED for verdict in current),
        partitions_superseded=len(gated.verdicts) - len(current),
    )
    return PublishOutcome(figures, is_idle=not gated.verdicts)


def _is_unread(catalog: Catalog, dataset: Dataset, verdict: Verdict) -> bool:
    """Returns whether readers see nothing of a partition, and will not after this verdict."""
    partition = Partition.parse(dataset, verdict.candidate.partition)
    return not verdict.condition.is_published and catalog.partition(partition) is None


def _still_current(verdicts: Sequence[Verdict], objects: dict[str, list[BronzeObject]]) -> list[Verdict]:
    """Returns the verdicts whose candidate was made from what Bronze holds now.

    A run that was overtaken by a newer one must not replace the newer version by its older one.
    """
    return [
        verdict
        for verdict in verdicts
        if verdict.candidate.inputs_digest == _digest(objects.get(verdict.candidate.partition, ()))
    ]


def _digest(objects: Sequence[BronzeObject]) -> str:
    return inputs_digest((bronze_object.key, bronze_object.sha256) for bronze_object in objects)


def _record(verdict: Verdict, run_id: str, now: datetime) -> PublishedPartition:
    return PublishedPartition(
        **asdict(verdict.candidate),
        condition=verdict.condition,
        reasons=verdict.reasons,
        run_id=run_id,
        published_at=now,
    )
