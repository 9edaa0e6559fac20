"""The publish step: the catalog is pointed at the candidates that passed, one partition at a time.

Publishing compares and sets. The step first notes how far the logs and the partitions of the catalog are, and only then
looks at the inputs. What it writes after that is accepted only if no other run has written of the same partition
meanwhile. So a run that was stopped at any line never replaces a newer answer by its older one.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from crypto_lakehouse import telemetry
from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.catalog.rebuilding import published_record
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.published import published_coverage, unreadable_days
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition, Verdict
from crypto_lakehouse.lake.staleness import still_current
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.lake.versions import discard_download, verify_candidate
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.runs.figures import PublishFigures
from crypto_lakehouse.runs.orders import TransformOrder
from crypto_lakehouse.runs.outcomes import GateOutcome, PublishOutcome
from crypto_lakehouse.runs.results import read_outcome
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.inputs import inputs_of
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.vocabulary import Condition

ATTEMPTS = 3
"""How often a verdict is looked at again after another run wrote of its partition; then it counts as superseded."""

_VERIFY_THREADS = 4


def publish(context: StepContext, order: TransformOrder) -> PublishOutcome:
    """Publishes what passed the gate and still agrees with the layer below; readers keep what they have of the rest.

    The coverage is logged first, then the verdicts, then the catalog is called. A crash before the catalog call leaves
    a lake from which the catalog can be rebuilt, and a rerun ends in the same state. Every logged verdict has its
    coverage: a partition that was judged is not looked at again until its inputs change.

    Raises:
        CorruptObject: The file of a candidate is gone or damaged; the other partitions are published.
        LakehouseError: The catalog or the lake did not answer.
    """
    gated = read_outcome(context.storage, context.order_key, GateOutcome)
    publication = _Publication(context, order, table_of_name(order.dataset), open_catalog(context.settings), gated)
    publication.damaged += [
        CorruptObject(damaged.what, damaged.advice, dataset=order.dataset, partition=damaged.partition)
        for damaged in gated.damaged
    ]
    waiting = gated.verdicts
    for _ in range(ATTEMPTS):
        if waiting:
            waiting = publication.attempt(waiting)
    for verdict in publication.logged:
        _log(verdict)
    if publication.damaged:
        raise publication.damaged[0]
    return PublishOutcome(_figures(gated.verdicts, publication.logged), is_idle=not gated.verdicts)


@dataclass(slots=True)
class _Publication:
    """The publication of a batch.

    Args:
        context: The step's.
        order: The order.
        table: The table of the partitions.
        catalog: The catalog.
        gated: What the gate found.
        logged: The verdicts that now count; the good ones among them are published.
        damaged: The candidates that cannot be published, because their files are gone or damaged.
    """

    context: StepContext
    order: TransformOrder
    table: Table
    catalog: Catalog
    gated: GateOutcome
    logged: list[Verdict] = field(default_factory=list)
    damaged: list[CorruptObject] = field(default_factory=list)

    def attempt(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """Publishes verdicts. Returns the ones whose partition another run has written of meanwhile."""
        partitions = [Partition.parse(self.table, verdict.candidate.partition) for verdict in verdicts]
        self.catalog.ensure_table(self.table)
        # How far everything is, before the inputs are looked at: the order of these lines is what makes it safe.
        published = {record.partition: record for record in self._published(partitions)}
        coverage, log = CoverageLog(self.context.storage), VerdictLog(self.context.storage)
        coverage_head, verdict_head = coverage.head(self.table.name), log.head(self.table)
        inputs = inputs_of(self.table, partitions, self.context.storage, self.catalog)
        current = self._intact(still_current(self.table, verdicts, inputs))
        if not current:
            return ()
        now = utc_now()
        frames = self._coverage(current, published)
        overtaken = coverage.append(self.table.name, frames, now, coverage_head)
        judged = _without(current, overtaken)
        overtaken |= log.append(self.table, self.order.run_id, judged, now, verdict_head)
        judged = _without(judged, overtaken)
        overtaken |= self._point(judged, {name: record.generation for name, record in published.items()}, now)
        self.logged += _without(judged, overtaken)
        return tuple(verdict for verdict in current if verdict.candidate.partition in overtaken)

    def _published(self, partitions: Sequence[Partition]) -> list[PublishedPartition]:
        return self.catalog.partitions(self.table, symbols={partition.symbol for partition in partitions})

    def _intact(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Returns the verdicts whose candidates are as the gate saw them; the others are left to the end."""
        folder = self.context.work_folder / "published"

        def fault(verdict: Verdict) -> CorruptObject | None:
            if not verdict.condition.is_published:
                return None
            try:
                path = verify_candidate(self.context.storage, verdict.candidate, folder)
            except CorruptObject as error:
                return error
            discard_download(path, folder)
            return None

        with ThreadPoolExecutor(_VERIFY_THREADS) as pool:
            faults = list(pool.map(fault, verdicts))
        for error in faults:
            if error is not None:
                telemetry.event("candidate_damaged", Level.ERROR, partition=error.partition, fault=error.what)
                self.damaged.append(error)
        return [verdict for verdict, error in zip(verdicts, faults, strict=True) if error is None]

    def _coverage(self, current: Sequence[Verdict], published: Collection[str]) -> CoverageFrames:
        frames = published_coverage(self.context.storage, self.gated.coverage, current)
        refused = [verdict for verdict in current if not verdict.condition.is_published]
        if not refused or not isinstance(self.table, Dataset):
            return frames
        partitions = [Partition.parse(self.table, verdict.candidate.partition) for verdict in refused]
        lifetimes = LifetimeLog(self.context.storage, self.table.name).read()
        objects = BronzeLog(self.context.storage).objects_by_partition(self.table, partitions)
        unreadable = CoverageFrames.of(unreadable_days(self.table, refused, objects, lifetimes))
        # Where readers keep a former version, its days stay as they were, and the verdict explains the others.
        kept = sorted({partition.name for partition in partitions} & set(published))
        former = CoverageLog(self.context.storage, skip_damage=True).published_frames(self.table.name, kept)
        return frames.joined(former).joined(unreadable.without_days_of(former))

    def _point(self, judged: Sequence[Verdict], seen: dict[str, int], now: datetime) -> set[str]:
        """Points the catalog at what passed. Returns the partitions that another run has published meanwhile."""
        passed = [verdict for verdict in judged if verdict.condition.is_published]
        if not passed:
            return set()
        records = [published_record(LoggedVerdict(verdict, self.order.run_id, now)) for verdict in passed]
        refused = {record.partition for record in self.catalog.publish(records, seen)}
        if not self.catalog.is_conditional:
            self._restore_newer([record for record in records if record.partition not in refused])
        return refused

    def _restore_newer(self, records: Sequence[PublishedPartition]) -> None:
        """Points the catalog at the newest verdicts where another run has logged newer ones during the call.

        A catalog without conditions accepts a late call of a run that was stopped right before it. The log of verdicts
        does not: it shows which version is the newest.
        """
        for _ in range(ATTEMPTS):
            newest = VerdictLog(self.context.storage).latest_publishable(self.table, skip_damage=True)
            logged = {record.partition: newest.get(record.partition) for record in records}
            newer = [
                published_record(verdict)
                for record in records
                if (verdict := logged[record.partition]) and verdict.verdict.candidate.sha256 != record.sha256
            ]
            if not newer:
                return
            telemetry.event("newer_version_restored", Level.WARNING, partitions=len(newer))
            self.catalog.publish(newer)
            records = newer


def _without(verdicts: Sequence[Verdict], names: Collection[str]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.candidate.partition not in names]


def _figures(gated: Sequence[Verdict], logged: Sequence[Verdict]) -> PublishFigures:
    passed = [verdict for verdict in logged if verdict.condition.is_published]
    return PublishFigures(
        partitions_published=len(passed),
        rows_published=sum(verdict.candidate.rows for verdict in passed),
        partitions_quarantined=sum(verdict.condition is Condition.QUARANTINED for verdict in logged),
        partitions_superseded=len(gated) - len(logged),
    )


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
