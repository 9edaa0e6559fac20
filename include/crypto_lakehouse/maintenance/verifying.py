"""Walks the whole lake and returns what is missing or damaged, kind by kind."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.faults import REBUILD, Fault, FileKind
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.maintenance.evidence import evidence_faults
from crypto_lakehouse.maintenance.logs import instrument_logs, logs_of, place_faults
from crypto_lakehouse.maintenance.objects import object_faults
from crypto_lakehouse.maintenance.published import published_faults
from crypto_lakehouse.maintenance.traces import trace_faults
from crypto_lakehouse.ownership import scratch_folder
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.spec import Dataset, Table


def verify(
    catalog: Catalog,
    storage: Storage,
    tables: Sequence[Table],
    *,
    deep: bool = False,
    progress: Progress = no_progress,
) -> list[Fault]:
    """Returns what is wrong with the lake's files; nothing is changed.

    Args:
        catalog: The catalog.
        storage: The lake.
        tables: The tables to look at.
        deep: Whether to read every byte. If not, files are looked at by name and size, and logs are read.
        progress: Is called with the number of tables, of how many.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    faults = [Fault(FileKind.CATALOG, "", "", "the catalog", what, REBUILD) for what in catalog.faults()]
    for place in instrument_logs(storage):
        faults += place_faults(storage, place, deep=deep)
    with scratch_folder(None, "verify") as folder:
        for done, table in enumerate(tables, start=1):
            faults += _table_faults(catalog, storage, table, folder, deep)
            progress("tables verified", done, len(tables))
    return faults


def _table_faults(catalog: Catalog, storage: Storage, table: Table, folder: Path, deep: bool) -> list[Fault]:
    walks: list[Callable[[], Iterator[Fault]]] = [
        *(partial(place_faults, storage, place, deep=deep) for place in logs_of(storage, table)),
        lambda: published_faults(catalog, storage, table, folder, deep=deep),
        lambda: trace_faults(catalog, storage, table, folder, deep=deep),
    ]
    if isinstance(table, Dataset):
        dataset = table
        walks.append(lambda: object_faults(storage, dataset, folder, deep=deep))
    if deep:
        walks.append(lambda: evidence_faults(storage, table.name, folder))
    return [fault for walk in walks for fault in _as_far_as_readable(walk)]


def _as_far_as_readable(walk: Callable[[], Iterator[Fault]]) -> Iterator[Fault]:
    """Yields the faults of a walk. It ends where a log is damaged, which is a fault of its own."""
    try:
        yield from walk()
    except CorruptObject:
        return
