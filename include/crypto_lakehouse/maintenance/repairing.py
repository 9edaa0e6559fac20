"""Mends what another copy or another layer can mend, and returns what a run has to bring again.

The order matters: logs first, because all else is read from them; then the catalog; then objects, Silver and Gold.
Nothing is deleted. A damaged file that cannot be mended in its place is moved below `damaged/`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.rebuilding import published_record, readable_entries, rebuild, verdict_of
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.coverage.records import VERSION_DIGITS, Fill
from crypto_lakehouse.errors import ArchiveFileMissing, PermanentError
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.bronze import BronzeLog, bronze_object
from crypto_lakehouse.lake.faults import Fault, FileKind
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import set_aside, verify_candidate
from crypto_lakehouse.maintenance.logs import instrument_logs, logs_of, mend
from crypto_lakehouse.maintenance.restoring import restore
from crypto_lakehouse.maintenance.surviving import lost_verdicts, unlisted_objects, verdicts_of_files
from crypto_lakehouse.maintenance.traces import published_inputs
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.marts import tables as all_tables
from crypto_lakehouse.quality.evidence import partition_evidence
from crypto_lakehouse.quality.gate import coverage_of
from crypto_lakehouse.spec import Dataset, Table


@dataclass(slots=True)
class Repaired:
    """What a repair did.

    Args:
        mended: The files that are right again.
        set_aside: The files that were moved below `damaged/`, or whose partition readers do not see for now.
        noted: The objects that the next plan brings again.
        runs: The runs that bring again what could not be mended here.
    """

    mended: list[Fault] = field(default_factory=list)
    set_aside: list[Fault] = field(default_factory=list)
    noted: list[Fault] = field(default_factory=list)
    runs: list[Fill] = field(default_factory=list)


def repair(catalog: Catalog, storage: Storage, faults: Sequence[Fault], folder: Path) -> Repaired:
    """Mends faults of a lake.

    Args:
        catalog: The catalog.
        storage: The lake.
        faults: What a verification or a scrub found.
        folder: An empty folder for temporary files.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    work = _Repair(catalog, storage, folder)
    by_kind: dict[FileKind, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_kind[fault.kind].append(fault)
    work.mend_logs(by_kind[FileKind.LOG])
    work.mend_catalog(by_kind[FileKind.CATALOG])
    work.note_objects([*by_kind[FileKind.BRONZE_OBJECT], *by_kind[FileKind.BRONZE_ANSWER]])
    work.mend_published(by_kind[FileKind.PUBLISHED])
    for fault in (*by_kind[FileKind.FORMER], *by_kind[FileKind.EVIDENCE]):
        work.set_aside(fault)
    work.repaired.runs = _joined(work.repaired.runs)
    return work.repaired


@dataclass(slots=True)
class _Repair:
    """A repair under way."""

    catalog: Catalog
    storage: Storage
    folder: Path
    repaired: Repaired = field(default_factory=Repaired)

    def mend_logs(self, faults: Sequence[Fault]) -> None:
        """Replaces damaged logs by their valid rows, and by what survives of the others elsewhere."""
        names = {fault.table for fault in faults}
        for place in instrument_logs(self.storage):
            if place.table in names:
                mend(self.storage, place, self.folder)
        for table in all_tables():
            files = [fault.file for fault in faults if fault.table == table.name]
            if not files:
                continue
            for place in logs_of(self.storage, table):
                if any(file.startswith(place.prefix) for file in files):
                    mend(self.storage, place, self.folder)
            if isinstance(table, Dataset):
                inputs = published_inputs(self.storage, readable_entries(self.catalog, table), self.folder)
                read = {given for of_partition in inputs.values() for given in of_partition}
                BronzeLog(self.storage).restore(table.name, unlisted_objects(self.storage, table, read))
            self._restore_verdicts(table)
            self._restore_coverage(table)
        self.repaired.mended += faults

    def mend_catalog(self, faults: Sequence[Fault]) -> None:
        """Restores verdicts from the catalog, and the catalog from the verdicts."""
        if not faults:
            return
        names = {fault.table for fault in faults}
        tables = [table for table in all_tables() if "" in names or table.name in names]
        for table in tables:
            self._restore_verdicts(table)
        rebuild(self.catalog, self.storage, tables)
        self.repaired.mended += faults

    def note_objects(self, faults: Sequence[Fault]) -> None:
        """Notes damaged objects in the Bronze log, so that a run brings them again."""
        for name, of_table in _by_table(faults):
            log = BronzeLog(self.storage)
            mark = log.mark(name)
            known = {row["key"]: bronze_object(row) for row in log.latest(name).iter_rows(named=True)}
            damaged = {known[fault.partition]: fault.what for fault in of_table if fault.partition in known}
            log.note_damage({lost: what for lost, what in damaged.items() if not lost.damage}, mark)
            self.repaired.noted += of_table
            self.repaired.runs += [_run_of(lost) for lost in damaged]

    def mend_published(self, faults: Sequence[Fault]) -> None:
        """Makes damaged files of partitions again; a partition that cannot be made is taken from readers."""
        for name, of_table in _by_table(faults):
            table = table_of_name(name)
            passed = VerdictLog(self.storage).latest_publishable(table, skip_damage=True)
            records = {entry.file: entry for entry in map(published_record, passed.values())}
            records |= {entry.file: entry for entry in self.catalog.partitions(table)}
            for fault in of_table:
                record = records.get(fault.file)
                if record is not None and restore(self.catalog, self.storage, table, record, self.folder):
                    self._show(table, record)
                    self.repaired.mended.append(fault)
                else:
                    self._take_away(table, fault)

    def _show(self, table: Table, record: PublishedPartition) -> None:
        """Lets readers see a restored file that they could not see."""
        if self.catalog.partition(Partition.parse(table, record.partition)) is None:
            self.catalog.publish([record], {})

    def _take_away(self, table: Table, fault: Fault) -> None:
        partition = Partition.parse(table, fault.partition)
        shown = self.catalog.partition(partition)
        if shown is not None and shown.file == fault.file:
            # Else the rebuilt file would be no other version, and nothing would be published.
            self.catalog.remove(partition)
        self.set_aside(fault)
        interval = (str(partition.interval),) if partition.interval else ()
        days = (partition.first_day, min(partition.last_day, utc_now().date()))
        self.repaired.runs.append(Fill(table.name, (partition.symbol,), interval, *days))

    def set_aside(self, fault: Fault) -> None:
        """Moves a damaged file out of the way; a file that is gone needs no move."""
        with suppress(ArchiveFileMissing):
            set_aside(self.storage, fault.file, self.folder)
        self.repaired.set_aside.append(fault)

    def _restore_verdicts(self, table: Table) -> None:
        log = VerdictLog(self.storage)
        lost = lost_verdicts(self.catalog, self.storage, table)
        if not lost and not log.versions(table):
            lost = verdicts_of_files(self.storage, table, (), self.folder)
        if lost:
            log.restore(table, lost)

    def _restore_coverage(self, table: Table) -> None:
        """Examines again the published partitions whose days the coverage log lacks."""
        log = CoverageLog(self.storage, skip_damage=True)
        covered = set(log.days(table.name).select("partition", "version").unique().iter_rows())
        for entry in readable_entries(self.catalog, table):
            if (entry.partition, entry.sha256[:VERSION_DIGITS]) in covered:
                continue
            try:
                path = verify_candidate(self.storage, entry, self.folder)
                candidate = verdict_of(entry).candidate
                evidence = partition_evidence(self.storage, table, [candidate])[entry.partition]
                frames = coverage_of(table, candidate, path, evidence)
            except PermanentError:
                # The file is damaged as well, and is a fault of its own.
                continue
            log.append(table.name, frames, utc_now())


def _by_table(faults: Iterable[Fault]) -> list[tuple[str, list[Fault]]]:
    """Returns the faults by table: datasets first, because marts are made from them."""
    by_table: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_table[fault.table].append(fault)
    order = [table.name for table in all_tables()]
    return sorted(by_table.items(), key=lambda item: order.index(item[0]))


def _run_of(damaged: BronzeObject) -> Fill:
    interval = (damaged.interval,) if damaged.interval else ()
    return Fill(damaged.dataset, (damaged.symbol,), interval, damaged.first_day, damaged.last_day)


def _joined(runs: Sequence[Fill]) -> list[Fill]:
    """Returns one run for each table, symbol and interval, over all of its days."""
    days: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Fill]] = defaultdict(list)
    for run in runs:
        days[run.dataset, run.symbols, run.intervals].append(run)
    return [
        Fill(*series, min(run.first_day for run in members), max(run.last_day for run in members))
        for series, members in days.items()
    ]
