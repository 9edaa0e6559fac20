"""The plan step: what to pull, and which partitions are then to be rebuilt."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import groupby

import polars as pl

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.archive.planning import PullPlan, batches, plan_pull
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.exchange.missing import batched
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import Partition, midnight, partitions_between
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.lake.staleness import stale_partitions
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.work import (
    MAX_BATCH,
    MAX_ORDERS,
    DeltaOrder,
    Order,
    PlanRequest,
    PullOrder,
    StepResult,
    TransformOrder,
    read_plan_request,
    write_order,
)
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps.context import Outcome, StepContext, result
from crypto_lakehouse.steps.delta_plan import DeltaPlan, DeltaSought, plan_delta
from crypto_lakehouse.vocabulary import Interval, Step

_DAYS = (pl.col("start").dt.date(), (pl.col("end") - pl.duration(microseconds=1)).dt.date())
"""First and last day that an object of the Bronze log covers."""


def plan(context: StepContext) -> StepResult:
    """Compares the bucket and the exchange with Bronze, and Bronze with the catalog; writes orders for what differs.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    request = read_plan_request(context.storage, context.order_key)
    found = compare(context, request)
    made: dict[str, Sequence[Order]] = {
        Step.PULL.value: _pull_orders(context, found.pull, request),
        Step.DELTA.value: _delta_orders(found.delta, request),
        "transform": _transform_orders(context, request, found),
    }
    for kind, orders_of_kind in made.items():
        _refuse_too_many(kind, orders_of_kind, request)
    orders = {kind: _write_orders(context, kind, orders_of_kind) for kind, orders_of_kind in made.items()}
    counts = {**found.pull.counts(), **found.delta.counts(), "partitions": len(found.stale)}
    return result(Step.PLAN, request, Outcome(counts, orders=orders, idle=not any(orders.values())))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be pulled, asked and rebuilt.

    Args:
        bytes: Of the archive objects that hold a partition's rows, by the partition's name.
    """

    pull: PullPlan
    delta: DeltaPlan
    stale: list[Partition]
    bytes: dict[str, int]


def compare(context: StepContext, request: PlanRequest) -> Comparison:
    """Returns what is to be pulled, asked and rebuilt; writes nothing, so it also serves a dry run.

    Raises:
        LakehouseError: The listing failed or is suspect, or the request is not acceptable.
    """
    settings, bronze = context.settings, BronzeLog(context.storage)
    selection = selection_of(request)
    profile = settings.transfer_profile(request.profile)
    pull_plan = plan_pull(selection, settings, bronze, profile, context.progress) if request.pull else PullPlan()
    row = selection.dataset
    sought = DeltaSought(selection, is_wanted=request.delta, fill=request.fill)
    delta_plan = plan_delta(sought, settings, bronze, CoverageLog(context.storage), pull_plan)
    held = _held_partitions(selection, bronze, settings)
    pulled = [*_pulled(row, pull_plan)]
    changing = {one.name: one for one in (*(one for one, _ in pulled), *_asked(row, delta_plan))}
    sizes: Counter[str] = Counter()
    for one, size in (*held, *pulled):
        sizes[one.name] += size
    behind = _behind(context, row, {one.name: one for one, _ in held})
    stale = sorted((changing | {one.name: one for one in behind}).values(), key=_order)
    return Comparison(pull_plan, delta_plan, stale, sizes)


def selection_of(request: PlanRequest) -> Selection:
    """Returns which data a request is about.

    Raises:
        InvalidRequest: The request is not acceptable.
    """
    days = (request.first_day, request.last_day)
    return Selection.parse(request.dataset, days, symbols=request.symbols, intervals=request.intervals)


def _pulled(row: Dataset, pull_plan: PullPlan) -> Iterator[tuple[Partition, int]]:
    """Yields each partition with the bytes of an object that is about to come."""
    for one in pull_plan.objects:
        key = parse_key(one.key)
        if key is not None:
            for partition in covered_partitions(row, key.symbol, key.interval, (key.first_day, key.last_day)):
                yield partition, one.size


def _asked(row: Dataset, delta_plan: DeltaPlan) -> Iterator[Partition]:
    for one in delta_plan.windows:
        interval = Interval(one.interval) if one.interval else None
        days = one.span.days()
        yield from covered_partitions(row, one.symbol, interval, (days[0], days[-1]))


def _behind(context: StepContext, row: Dataset, held: dict[str, Partition]) -> list[Partition]:
    """Returns the partitions that are behind Bronze."""
    symbols = {partition.symbol for partition in held.values()}
    catalog = open_catalog(context.settings)
    published = {one.partition: one.inputs_digest for one in catalog.partitions(row, symbols=symbols)}
    verdicts = VerdictLog(context.storage)
    return stale_partitions(row, list(held.values()), BronzeLog(context.storage), verdicts, published)


def covered_partitions(
    row: Dataset, symbol: str, interval: Interval | None, days: tuple[date, date]
) -> list[Partition]:
    """Returns the partitions an object of these days may hold rows of, its tolerance included."""
    margin = timedelta(days=1 if row.day_tolerance_seconds else 0)
    return partitions_between(row, symbol, days[0] - margin, days[1] + margin, interval)


def _held_partitions(selection: Selection, bronze: BronzeLog, settings: Settings) -> list[tuple[Partition, int]]:
    """Returns each partition with the bytes of what Bronze holds of some days; a partition may come more than once."""
    row, first, end = selection.dataset, midnight(selection.first_day), midnight(selection.last_day + timedelta(days=1))
    held = bronze.latest(row.name).filter((pl.col("end") > first) & (pl.col("start") < end))
    if selection.intervals:
        held = held.filter(pl.col("interval").is_in(list(selection.intervals)))
    days = held.group_by("symbol", "interval", *_DAYS).agg(pl.col("size").sum())
    return [
        (partition, size)
        for symbol, interval, start, end, size in days.rows()
        if _is_wanted(symbol, selection.symbols or settings.market_filter(row).symbols)
        for partition in covered_partitions(row, symbol, Interval(interval) if interval else None, (start, end))
    ]


def _is_wanted(symbol: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(symbol, pattern) for pattern in patterns)


def _order(partition: Partition) -> tuple[str, str, date]:
    return partition.interval or "", partition.symbol, partition.first_day


def _pull_orders(context: StepContext, plan: PullPlan, request: PlanRequest) -> list[PullOrder]:
    size = min(context.settings.transfer_profile(request.profile).batch_objects, MAX_BATCH)
    return [
        PullOrder(request.dataset, request.run_id, request.profile, objects) for objects in batches(plan.objects, size)
    ]


def _delta_orders(plan: DeltaPlan, request: PlanRequest) -> list[DeltaOrder]:
    return [
        DeltaOrder(request.dataset, request.run_id, request.profile, windows)
        for windows in batched(plan.windows, MAX_BATCH)
    ]


def _transform_orders(context: StepContext, request: PlanRequest, found: Comparison) -> list[TransformOrder]:
    return [
        TransformOrder(
            request.dataset,
            request.run_id,
            request.profile,
            tuple(names),
            sum(found.bytes.get(name, 0) for name in names),
        )
        for names in _transform_batches(found.stale, context.settings.conform.partitions_per_batch)
    ]


def _refuse_too_many(kind: str, orders: Sequence[Order], request: PlanRequest) -> None:
    if len(orders) > MAX_ORDERS:
        raise InvalidRequest(
            f"the run would have {len(orders):,} {kind} orders, and may have {MAX_ORDERS:,}",
            "Ask for fewer days or symbols at a time; what is there already is not brought again",
            dataset=request.dataset,
        )


def _write_orders(context: StepContext, kind: str, orders: Sequence[Order]) -> list[str]:
    folder = context.order_key.rpartition("/")[0]
    keys = [f"{folder}/{kind}-{number:03}.json" for number in range(len(orders))]
    for key, order in zip(keys, orders, strict=True):
        write_order(context.storage, key, order)
    return keys


def _transform_batches(stale: list[Partition], size: int) -> list[list[str]]:
    """Returns batches of partition names; days of one month stay together, for they may share a monthly file."""
    months = groupby(stale, key=lambda one: (one.interval, one.symbol, one.first_day.year, one.first_day.month))
    batched: list[list[str]] = []
    for _, members in months:
        names = [one.name for one in members]
        if batched and len(batched[-1]) + len(names) <= size:
            batched[-1].extend(names)
        else:
            batched.extend(names[start : start + size] for start in range(0, len(names), size))
    return batched
