"""The newest runs of a lake, for a list: how each ended and what it did, by one file of each run.

No engine is needed for it: Airflow's own processes read it. A run is placed by the time at which its plan was ordered.
"""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from crypto_lakehouse.counting import several
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.runs.history import RunStatus, report_key
from crypto_lakehouse.runs.orders import PlanRequest, read_order
from crypto_lakehouse.runs.outcomes import PlanOutcome, ReportOutcome
from crypto_lakehouse.runs.results import Status, read_result, result_key
from crypto_lakehouse.vocabulary import Step

_PLAN = "/plan.json"
_AT_ONCE = 8
"""Requests to the store at a time: an object store answers each in tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run as a list shows it.

    Args:
        dataset: The table.
        run_id: The run, as Airflow or the command line named it; its folder where no file of it can be read.
        ordered_at: When its plan was ordered, UTC.
        status: How it ended; None while it has not ended.
        partitions: Partitions that it published.
        rows: Rows of these partitions.
        remarks: What is not as it should be, in words.
        has_report: Whether its report is in the lake.
    """

    dataset: str
    run_id: str
    ordered_at: datetime
    status: RunStatus | None
    partitions: int = 0
    rows: int = 0
    remarks: tuple[str, ...] = ()
    has_report: bool = False


@dataclass(frozen=True, slots=True)
class _Listed:
    """A run as its table's listing shows it: the key of its plan, when it was ordered, and the results that it has."""

    plan_key: str
    ordered_at: datetime
    keys: frozenset[str]


def recent_runs(storage: Storage, tables: Iterable[str], limit: int) -> list[RecentRun]:
    """Returns the newest runs of some tables, newest first. The remarks of a run name damage of its files.

    Args:
        storage: The lake.
        tables: The names of the tables.
        limit: How many runs at most.

    Raises:
        LakehouseError: The lake did not answer.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        listed = [run for runs in threads.map(lambda name: _listed(storage, name), sorted(set(tables))) for run in runs]
        newest = sorted(listed, key=lambda run: (run.ordered_at, run.plan_key), reverse=True)[:limit]
        return list(threads.map(lambda run: _recent(storage, run), newest))


def _listed(storage: Storage, table: str) -> list[_Listed]:
    keys: dict[str, set[str]] = defaultdict(set)
    ordered: dict[str, datetime] = {}
    for stored in storage.list(f"runs/{table}/"):
        folder = stored.key.rpartition("/")[0]
        keys[folder].add(stored.key)
        if stored.key.endswith(_PLAN):
            ordered[folder] = stored.modified_at
    return [_Listed(f"{folder}{_PLAN}", at, frozenset(keys[folder])) for folder, at in ordered.items()]


def _recent(storage: Storage, run: _Listed) -> RecentRun:
    _, table, folder, _ = run.plan_key.split("/")
    try:
        return _read(storage, run, table)
    except PermanentError as error:
        return RecentRun(table, folder, run.ordered_at, RunStatus.FAILED, remarks=(error.what,))


def _read(storage: Storage, run: _Listed, table: str) -> RecentRun:
    """Reads the file of a run that has most facts.

    Raises:
        PermanentError: The file is damaged, or of another version.
    """
    if result_key(run.plan_key, Step.REPORT) in run.keys:
        result = read_result(storage, run.plan_key, Step.REPORT)
        if isinstance(outcome := result.outcome, ReportOutcome):
            published = outcome.figures.publish
            return RecentRun(
                table,
                result.run_id,
                run.ordered_at,
                _status(outcome),
                published.partitions_published,
                published.rows_published,
                _remarks(outcome),
                has_report=storage.exists(report_key(run.plan_key)),
            )
        return RecentRun(table, result.run_id, run.ordered_at, RunStatus.FAILED, remarks=("report failed",))
    if result_key(run.plan_key, Step.PLAN) in run.keys:
        result = read_result(storage, run.plan_key, Step.PLAN)
        if result.status is Status.SUCCEEDED:
            return RecentRun(table, result.run_id, run.ordered_at, None, remarks=("its report is not written yet",))
        if result.status is Status.NOTHING_TO_DO:
            refused = result.outcome.figures.objects_known_bad if isinstance(result.outcome, PlanOutcome) else 0
            remarks = _counted([(refused, "object", "still refused by the pull")])
            return RecentRun(table, result.run_id, run.ordered_at, RunStatus.NOTHING_TO_DO, remarks=remarks)
        return RecentRun(table, result.run_id, run.ordered_at, RunStatus.FAILED, remarks=("plan failed",))
    request = read_order(storage, run.plan_key, PlanRequest)
    return RecentRun(table, request.run_id, run.ordered_at, None, remarks=("its plan has no result yet",))


def _status(outcome: ReportOutcome) -> RunStatus:
    if outcome.failed:
        return RunStatus.FAILED
    return RunStatus.QUARANTINED if outcome.has_refusals else RunStatus.SUCCEEDED


def _remarks(outcome: ReportOutcome) -> tuple[str, ...]:
    counts = (
        (len(outcome.failed), "step", "failed"),
        (len(outcome.refused_partitions), "partition", "refused"),
        (len(outcome.refused_objects), "object", "refused"),
        (outcome.figures.gate.partitions_degraded, "partition", "degraded"),
        (outcome.figures.plan.objects_known_bad, "object", "still refused by the pull"),
    )
    return _counted(counts)


def _counted(counts: Iterable[tuple[int, str, str]]) -> tuple[str, ...]:
    return tuple(f"{several(count, noun)} {what}" for count, noun, what in counts if count)
