"""The plan step: what to pull, and which partitions are then to be rebuilt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import groupby

import polars as pl

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.archive.planning import DAMAGED, NEW, REPUBLISHED, PullPlan, batches, plan_pull
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.filling import doubtful_days
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.exchange.missing import batched
from crypto_lakehouse.instants import midnight, utc_now
from crypto_lakehouse.instruments.lifetimes import known_lifetimes
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition, partitions_between
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.lake.staleness import stale_partitions
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.runs.figures import PlanFigures
from crypto_lakehouse.runs.listing import run_log
from crypto_lakehouse.runs.orders import (
    MAX_BATCH,
    MAX_ORDERS,
    DeltaOrder,
    Order,
    PlanRequest,
    PullOrder,
    TransformOrder,
    write_order,
)
from crypto_lakehouse.runs.outcomes import PlanOutcome
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Dataset, Mart
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.delta_plan import DeltaPlan, DeltaRequest, can_be_requested, plan_delta
from crypto_lakehouse.steps.inputs import inputs_of
from crypto_lakehouse.steps.plan_mart import compare_mart
from crypto_lakehouse.symbols import unknown_symbol
from crypto_lakehouse.vocabulary import Interval

_DAYS = (pl.col("start").dt.date(), (pl.col("end") - pl.duration(microseconds=1)).dt.date())
"""First and last day that an object of the Bronze log covers."""


def plan(context: StepContext, order: PlanRequest) -> PlanOutcome:
    """Compares each layer of the request's table with the layer below; writes orders for what differs.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    run_log(context.storage, order.subject).append([{"plan_key": context.order_key}])
    comparison = compare(context, order)
    by_stem: dict[str, Sequence[Order]] = {
        "pull": _pull_orders(context, order, comparison),
        "delta": _delta_orders(comparison, order),
        "transform": _transform_orders(context, order, comparison),
    }
    for stem, orders in by_stem.items():
        _refuse_too_many(stem, orders, order)
    table = table_of_name(order.dataset)
    if isinstance(table, Dataset):
        now = utc_now()
        lifetimes = known_lifetimes(context.storage, table, comparison.pull.folders, now.date())
        LifetimeLog(context.storage, table.name).note(lifetimes, now)
    keys = {stem: _write_orders(context, stem, orders) for stem, orders in by_stem.items()}
    return PlanOutcome(comparison.figures(), keys)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be pulled, asked and built.

    Args:
        pull: What Bronze lacks of the archive.
        delta: What the exchange is to be asked for.
        stale: The partitions to build.
        bytes: Bytes that each partition is read from, by its name: of archive objects, or of a mart's inputs.
    """

    pull: PullPlan
    delta: DeltaPlan
    stale: list[Partition]
    bytes: dict[str, int]

    def figures(self) -> PlanFigures:
        """Returns it in figures."""
        reasons = [wanted.reason for wanted in self.pull.objects]
        return PlanFigures(
            objects_to_pull=len(self.pull.objects),
            bytes_to_pull=self.pull.bytes,
            objects_new=reasons.count(NEW),
            objects_republished=reasons.count(REPUBLISHED),
            objects_damaged=reasons.count(DAMAGED),
            objects_unchanged=self.pull.unchanged,
            objects_known_bad=self.pull.quarantined,
            objects_vanished=self.pull.vanished,
            objects_odd=self.pull.odd,
            days_without_object=sum(self.pull.days_without_object.values()),
            spans_to_request=len(self.delta.spans),
            partitions=len(self.stale),
        )


def compare(context: StepContext, request: PlanRequest) -> Comparison:
    """Returns what is to be pulled, asked and built; writes nothing, so it also serves a dry run.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    table = table_of_name(request.dataset)
    if isinstance(table, Mart):
        return Comparison(PullPlan(), DeltaPlan(), *compare_mart(context, table, request))
    settings, bronze = context.settings, BronzeLog(context.storage)
    selection, profile = request.selection(), settings.transfer_profile(request.profile)
    dataset = selection.dataset
    coverage_log = CoverageLog(context.storage, skip_damage=True)
    pull_plan = PullPlan()
    if request.pull:
        doubtful = doubtful_days(coverage_log, selection)
        pull_plan = plan_pull(selection, settings, bronze, profile, progress=context.progress, doubtful=doubtful)
    if pull_plan.unseen and pull_plan.has_symbols and not (request.delta and can_be_requested(dataset, settings)):
        symbol, nearest = next(iter(pull_plan.unseen.items()))
        raise unknown_symbol(symbol, "the archive", nearest, dataset.name)
    delta_request = DeltaRequest(selection, is_wanted=request.delta, fill=request.fill)
    delta_plan = plan_delta(delta_request, settings, bronze, coverage_log, pull_plan)
    present = _partitions_in_bronze(selection, bronze, settings)
    pulled = [*_partitions_to_pull(dataset, pull_plan)]
    changing = [partition for partition, _ in pulled] + [*_partitions_to_ask(dataset, delta_plan)]
    sizes: Counter[str] = Counter()
    for partition, size in (*present, *pulled):
        sizes[partition.name] += size
    behind = _behind(context, dataset, {partition.name: partition for partition, _ in present})
    stale = {partition.name: partition for partition in (*changing, *behind)}
    return Comparison(pull_plan, delta_plan, sorted(stale.values(), key=_place_in_run), sizes)


def _partitions_to_pull(dataset: Dataset, pull_plan: PullPlan) -> Iterator[tuple[Partition, int]]:
    """Yields each partition with the bytes of an object that is about to come."""
    for wanted in pull_plan.objects:
        key = parse_key(wanted.key)
        if key is not None:
            for partition in covered_partitions(dataset, key.symbol, key.interval, (key.first_day, key.last_day)):
                yield partition, wanted.size


def _partitions_to_ask(dataset: Dataset, delta_plan: DeltaPlan) -> Iterator[Partition]:
    for wanted in delta_plan.spans:
        interval = Interval(wanted.interval) if wanted.interval else None
        days = wanted.span.days()
        yield from covered_partitions(dataset, wanted.symbol, interval, (days[0], days[-1]))


def _behind(context: StepContext, dataset: Dataset, present: dict[str, Partition]) -> list[Partition]:
    """Returns the partitions that are behind Bronze."""
    partitions, catalog = list(present.values()), open_catalog(context.settings)
    records = catalog.partitions(dataset, symbols={partition.symbol for partition in partitions})
    published = {record.partition: record.inputs_digest for record in records}
    inputs = inputs_of(dataset, partitions, context.storage, catalog)
    return stale_partitions(partitions, inputs, published, VerdictLog(context.storage))


def covered_partitions(
    dataset: Dataset, symbol: str, interval: Interval | None, days: tuple[date, date]
) -> list[Partition]:
    """Returns the partitions that an object with these days may have rows of, including its tolerance."""
    margin = timedelta(days=1 if dataset.day_tolerance_seconds else 0)
    return partitions_between(dataset, symbol, days[0] - margin, days[1] + margin, interval)


def _partitions_in_bronze(selection: Selection, bronze: BronzeLog, settings: Settings) -> list[tuple[Partition, int]]:
    """Returns each partition with the bytes of what Bronze has of some days; a partition may come more than once."""
    dataset = selection.dataset
    first, end = midnight(selection.first_day), midnight(selection.last_day + timedelta(days=1))
    objects = bronze.latest(dataset.name).filter((pl.col("end") > first) & (pl.col("start") < end))
    if selection.intervals:
        objects = objects.filter(pl.col("interval").is_in(list(selection.intervals)))
    days = objects.group_by("symbol", "interval", *_DAYS).agg(pl.col("size").sum())
    return [
        (partition, size)
        for symbol, interval, start, end, size in days.rows()
        if _is_wanted(symbol, selection.symbols or settings.market_filter(dataset).symbols)
        for partition in covered_partitions(dataset, symbol, Interval(interval) if interval else None, (start, end))
    ]


def _is_wanted(symbol: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(symbol, pattern) for pattern in patterns)


def _place_in_run(partition: Partition) -> tuple[str, str, date]:
    return partition.interval or "", partition.symbol, partition.first_day


def _pull_orders(context: StepContext, request: PlanRequest, comparison: Comparison) -> list[PullOrder]:
    size = min(context.settings.transfer_profile(request.profile).batch_objects, MAX_BATCH)
    return [
        PullOrder(request.dataset, request.run_id, request.profile, objects)
        for objects in batches(comparison.pull.objects, size)
    ]


def _delta_orders(comparison: Comparison, request: PlanRequest) -> list[DeltaOrder]:
    return [
        DeltaOrder(request.dataset, request.run_id, request.profile, spans, comparison.pull.unseen)
        for spans in batched(comparison.delta.spans, MAX_BATCH)
    ]


def _transform_orders(context: StepContext, request: PlanRequest, comparison: Comparison) -> list[TransformOrder]:
    return [
        TransformOrder(
            request.dataset,
            request.run_id,
            request.profile,
            tuple(names),
            sum(comparison.bytes.get(name, 0) for name in names),
        )
        for names in _transform_batches(comparison.stale, context.settings.conform.partitions_per_batch)
    ]


def _refuse_too_many(stem: str, orders: Sequence[Order], request: PlanRequest) -> None:
    if len(orders) > MAX_ORDERS:
        raise InvalidRequest(
            f"the run would have {len(orders):,} {stem} orders, and may have {MAX_ORDERS:,}",
            "Ask for fewer days or symbols at a time; what is there already is not brought again",
            dataset=request.dataset,
        )


def _write_orders(context: StepContext, stem: str, orders: Sequence[Order]) -> tuple[str, ...]:
    folder = context.order_key.rpartition("/")[0]
    keys = tuple(f"{folder}/{stem}-{number:03}.json" for number in range(len(orders)))
    for key, order in zip(keys, orders, strict=True):
        write_order(context.storage, key, order)
    return keys


def _transform_batches(stale: list[Partition], size: int) -> list[list[str]]:
    """Returns batches of partition names; days of one month stay together, for they may share a monthly file."""
    months = groupby(
        stale,
        key=lambda partition: (
            partition.interval,
            partition.symbol,
            partition.first_day.year,
            partition.first_day.month,
        ),
    )
    batched_names: list[list[str]] = []
    for _, members in months:
        names = [partition.name for partition in members]
        if batched_names and len(batched_names[-1]) + len(names) <= size:
            batched_names[-1].extend(names)
        else:
            batched_names.extend(names[start : start + size] for start in range(0, len(names), size))
    return batched_names
