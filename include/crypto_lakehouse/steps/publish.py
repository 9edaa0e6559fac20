"""The publish step: the catalog is pointed at the candidates that passed, one partition at a time."""

from dataclasses import asdict
from datetime import UTC, datetime

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage, unreadable_days
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, PublishedPartition, Verdict, inputs_digest, verdict_from_json
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.work import StepResult, read_result, read_transform_order
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps.context import Outcome, StepContext, result
from crypto_lakehouse.vocabulary import Condition, Step


def publish(context: StepContext) -> StepResult:
    """Publishes what passed the gate and is still what Bronze says; the rest leaves readers' view untouched.

    The coverage is logged first, then the verdicts, then the catalog is called. A crash before the catalog call leaves
    a lake from which the catalog can be rebuilt, and a rerun ends in the same state. What a verdict speaks of has its
    coverage: a partition that was judged is not looked at again until its objects change.

    Raises:
        LakehouseError: The catalog or the lake did not answer.
    """
    order = read_transform_order(context.storage, context.order_key)
    row = dataset_row(order.dataset)
    gated = read_result(context.storage, context.order_key, Step.GATE)
    verdicts = [verdict_from_json(raw) for raw in gated.payload["verdicts"]]
    partitions = [Partition.parse(row, one.candidate.partition) for one in verdicts]
    objects = BronzeLog(context.storage).objects_by_partition(row, partitions)
    current = _still_current(verdicts, objects)
    now = datetime.now(UTC)
    catalog = open_catalog(context.settings)
    catalog.ensure_table(row)
    if current:
        frames = published_coverage(context.storage, str(gated.payload.get("coverage", "")), current)
        unread = [one for one in current if _is_unread(catalog, row, one)]
        frames = frames.joined(CoverageFrames.of(unreadable_days(row, unread, objects)))
        CoverageLog(context.storage).append(row.name, frames, now)
        VerdictLog(context.storage).append(row.name, order.run_id, current, now)
    passed = [one for one in current if one.condition.is_published]
    if passed:
        catalog.publish([_record(one, order.run_id, now) for one in passed])
    counts = {
        "partitions_published": len(passed),
        "rows_published": sum(one.candidate.rows for one in passed),
        "partitions_quarantined": sum(one.condition is Condition.QUARANTINED for one in current),
        "partitions_superseded": len(verdicts) - len(current),
    }
    return result(Step.PUBLISH, order, Outcome(counts, idle=not verdicts))


def _is_unread(catalog: Catalog, row: Dataset, verdict: Verdict) -> bool:
    """Returns whether readers see nothing of a partition, and will not by this verdict."""
    partition = Partition.parse(row, verdict.candidate.partition)
    return not verdict.condition.is_published and catalog.partition(partition) is None


def _still_current(verdicts: list[Verdict], objects: dict[str, list[BronzeObject]]) -> list[Verdict]:
    """Returns the verdicts whose candidate was made from what Bronze holds now.

    A run that was overtaken by a newer one must not put its older answer over the newer.
    """
    return [
        one
        for one in verdicts
        if one.candidate.inputs_digest
        == inputs_digest((held.key, held.sha256) for held in objects.get(one.candidate.partition, ()))
    ]


def _record(verdict: Verdict, run_id: str, now: datetime) -> PublishedPartition:
    return PublishedPartition(
        **asdict(verdict.candidate),
        condition=verdict.condition,
        reasons=verdict.reasons,
        run_id=run_id,
        published_at=now,
    )
