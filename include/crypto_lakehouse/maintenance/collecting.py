"""Removes what no reader and no run needs any more. Files that are younger than the grace are kept.

The grace is wall time: it gives readers time to end, and runs time to finish. It never decides what is newest. For a
version it starts when the version is replaced, so that readers can look back at least as far.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import table_folder
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.lake.storage import Storage, StoredObject
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import DAMAGED_FOLDER, DATA_FILE
from crypto_lakehouse.marts import tables
from crypto_lakehouse.runs.outcomes import BuildOutcome, ConformOutcome
from crypto_lakehouse.runs.results import read_result
from crypto_lakehouse.settings import MaintenanceSettings
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.verbs import Subject
from crypto_lakehouse.vocabulary import Exchange, Market, Step


@dataclass(slots=True)
class Collectable:
    """The files that are not needed any more, by kind.

    Args:
        versions: Versions of partitions that neither the catalog nor the newest verdict names.
        objects: Stored objects that no record of a Bronze log names.
        runs: Files of runs and of their evidence.
        damaged: Damaged files that a repair set aside.
        reaches: How far back readers can look afterwards, by table; only tables of which earlier versions are gone.
    """

    versions: list[StoredObject] = field(default_factory=list)
    objects: list[StoredObject] = field(default_factory=list)
    runs: list[StoredObject] = field(default_factory=list)
    damaged: list[StoredObject] = field(default_factory=list)
    reaches: dict[str, datetime] = field(default_factory=dict)

    def remove(self, storage: Storage) -> None:
        """Removes the files: runs last, because they show which candidates have an unknown outcome."""
        for file in (*self.versions, *self.objects, *self.damaged, *self.runs):
            storage.delete(file.key)


def collectable(
    catalog: Catalog, storage: Storage, settings: MaintenanceSettings, now: datetime | None = None
) -> Collectable:
    """Returns what may be removed; removes nothing.

    Args:
        catalog: The catalog.
        storage: The lake.
        settings: The grace.
        now: The time, by default the current one.

    Raises:
        CorruptObject: A log or the catalog is damaged: nobody knows what is needed. Repair the lake first.
        LakehouseError: The lake or the catalog did not answer.
    """
    now = now or utc_now()
    old, older = now - timedelta(days=settings.grace_days), now - timedelta(days=settings.evidence_days)
    files = Collectable()
    for table in tables():
        unknown = _unknown_candidates(storage, table)
        versions, reach = _old_versions(catalog, storage, table, old, unknown)
        files.versions += versions
        if reach is not None:
            files.reaches[table.name] = reach
        if isinstance(table, Dataset):
            files.objects += _uncommitted(storage, table, old)
        files.runs += _old_runs(storage, table.name, older, set(unknown.values()))
    markets = (f"{exchange}_{market}" for exchange in Exchange for market in Market)
    for subject in (Subject.LAKE.value, *markets):
        files.runs += _old_runs(storage, subject, older, set())
    files.damaged += [file for file in storage.list(DAMAGED_FOLDER) if file.modified_at < older]
    return files


def _old_versions(
    catalog: Catalog, storage: Storage, table: Table, old: datetime, unknown: Collection[str]
) -> tuple[list[StoredObject], datetime | None]:
    """Returns the versions that are no longer needed, and how far back readers can look without them.

    Nothing names them, they were written before the grace started, and since then no reader has found them published.
    """
    # Listed first: a version that is published after the listing is younger than the grace.
    stored = {file.key: file for file in storage.list(f"{table_folder(table)}/") if file.key.endswith(f"/{DATA_FILE}")}
    if not stored:
        return [], None
    history = VerdictLog(storage).history(table)
    seen = {file for file, until in history.seen_until().items() if until is None or until >= old}
    kept = seen | {record.file for record in catalog.partitions(table)} | set(unknown)
    gone = [file for file in stored.values() if file.key not in kept and file.modified_at < old]
    return gone, history.reach(set(stored) - {file.key for file in gone})


def _unknown_candidates(storage: Storage, table: Table) -> dict[str, str]:
    """Returns the candidates of runs whose outcome is not known, each with the folder of its run.

    A run that wrote candidates and has no result of publish may still be continued. Once a later verdict on the
    partition is logged, its candidate can no longer be published.
    """
    written = {file.key: file.modified_at for file in storage.list(f"runs/{table.name}/")}
    judged = VerdictLog(storage).latest(table) if written else {}
    unknown: dict[str, str] = {}
    for step in (Step.CONFORM, Step.BUILD):
        ending = f".{step}.result.json"
        for key in [key for key in written if key.endswith(ending)]:
            stem = key.removesuffix(ending)
            if f"{stem}.{Step.PUBLISH}.result.json" in written:
                continue
            for candidate in _candidates(storage, f"{stem}.json", step):
                later = judged.get(candidate.partition)
                if later is None or later.at < written[key]:
                    unknown[candidate.file] = key.rpartition("/")[0]
    return unknown


def _candidates(storage: Storage, order_key: str, step: Step) -> tuple[Candidate, ...]:
    try:
        outcome = read_result(storage, order_key, step).outcome
    except LakehouseError:
        return ()
    return outcome.candidates if isinstance(outcome, ConformOutcome | BuildOutcome) else ()


def _uncommitted(storage: Storage, dataset: Dataset, old: datetime) -> Iterator[StoredObject]:
    """Yields the stored objects that are older than the grace and that no record names."""
    files = [file for name in ("objects", "rest") for file in storage.list(f"bronze/{dataset.name}/{name}/")]
    if not files:
        return
    named = BronzeLog(storage).paths(dataset.name)
    for file in files:
        if file.key not in named and file.modified_at < old:
            yield file


def _old_runs(storage: Storage, subject: str, old: datetime, kept: set[str]) -> Iterator[StoredObject]:
    """Yields the files of runs of which no file is younger than the grace, and of their evidence."""
    log = f"runs/{subject}/log/"
    listed = (file for root in ("runs", "quality") for file in storage.list(f"{root}/{subject}/"))
    files = [file for file in listed if not file.key.startswith(log)]
    newest: dict[str, datetime] = {}
    for file in files:
        run = file.key.split("/")[2]
        newest[run] = max(file.modified_at, newest.get(run, file.modified_at))
    for file in files:
        run = file.key.split("/")[2]
        if newest[run] < old and f"runs/{subject}/{run}" not in kept:
            yield file
