"""Rebuilds the catalog from the verdict log and the files of the lake."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.partition import Partition, table_folder
from crypto_lakehouse.lake.records import Candidate, PublishedPartition, Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.marts import tables as all_tables
from crypto_lakehouse.spec import Table


@dataclass(frozen=True, slots=True)
class RebuiltTable:
    """What the catalog has of a table after it was rebuilt, by names of partitions.

    Args:
        published: In the catalog, with a verdict and a file.
        without_file: Judged fit, but the file is missing or has another size: not in the catalog.
        without_verdict: In the catalog although no verdict stands behind it; kept unless it is to be forgotten.
        forgotten: Taken out of the catalog, as was asked for.
    """

    published: tuple[str, ...] = ()
    without_file: tuple[str, ...] = ()
    without_verdict: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    Args:
        tables: By name of the table.
        set_aside: Where the damaged file of the catalog is now; empty where it was not damaged.
    """

    tables: dict[str, RebuiltTable]
    set_aside: str = ""


def rebuild(catalog: Catalog, storage: Storage, tables: Sequence[Table], *, forget: bool = False) -> Rebuilt:
    """Points the catalog at the newest version of each partition that passed the gate.

    A damaged catalog is set aside first, and all tables are rebuilt. What no verdict stands behind is kept, because
    only the verdict log may be lost. With `forget`, it is taken out.

    Args:
        catalog: The catalog.
        storage: The lake.
        tables: The tables to rebuild.
        forget: Whether to take out what no verdict stands behind.

    Raises:
        LakehouseError: The lake or the catalog did not answer, or the verdict log is damaged.
    """
    readable: dict[str, list[PublishedPartition]] = {}
    set_aside = ""
    if catalog.faults():
        tables = all_tables()
        readable = {table.name: readable_entries(catalog, table) for table in tables}
        set_aside = catalog.set_aside()
    rebuilt = {table.name: _rebuilt(catalog, storage, table, readable.get(table.name), forget) for table in tables}
    return Rebuilt(rebuilt, set_aside)


def readable_entries(catalog: Catalog, table: Table) -> list[PublishedPartition]:
    """Returns the catalog's entries of a table; none where the catalog is damaged."""
    try:
        return catalog.partitions(table)
    except CorruptObject:
        return []


def _rebuilt(
    catalog: Catalog, storage: Storage, table: Table, former: list[PublishedPartition] | None, forget: bool
) -> RebuiltTable:
    # Before the verdicts are read: a partition that a run publishes meanwhile keeps the newer version of the run.
    current = {entry.partition: entry for entry in catalog.partitions(table)}
    sizes = {file.key: file.size for file in storage.list(f"{table_folder(table)}/")}
    entries = list(current.values()) if former is None else former
    passed = {name: published_record(logged) for name, logged in VerdictLog(storage).latest_publishable(table).items()}
    fit = {name: record for name, record in passed.items() if sizes.get(record.file) == record.bytes}
    unknown = [entry for entry in entries if entry.partition not in passed]
    # Of a damaged catalog, an entry counts only with the file that it names.
    kept = [] if forget else [entry for entry in unknown if former is None or sizes.get(entry.file) == entry.bytes]
    catalog.ensure_table(table)
    records = [*fit.values(), *(kept if former is not None else ())]
    if records:
        catalog.publish(records, {name: entry.generation for name, entry in current.items()})
    gone = {entry.partition for entry in entries} - set(fit) - {entry.partition for entry in kept}
    for name in sorted(gone) if former is None else ():
        catalog.remove(Partition.parse(table, name))
    return RebuiltTable(
        published=tuple(sorted(fit)),
        without_file=tuple(sorted(set(passed) - set(fit))),
        without_verdict=tuple(sorted(entry.partition for entry in kept)),
        forgotten=tuple(sorted(gone - set(passed))),
    )


def published_record(logged: LoggedVerdict) -> PublishedPartition:
    """Returns the catalog's entry for a verdict that lets readers see its candidate."""
    return PublishedPartition(
        **asdict(logged.verdict.candidate),
        condition=logged.verdict.condition,
        reasons=logged.verdict.reasons,
        run_id=logged.run_id,
        published_at=logged.at,
    )


def verdict_of(entry: PublishedPartition) -> Verdict:
    """Returns the verdict that an entry of the catalog came from."""
    candidate = Candidate(**{name: getattr(entry, name) for name in Candidate.__slots__})
    return Verdict(candidate, entry.condition, entry.reasons)
