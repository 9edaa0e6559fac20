"""Checks the logs of a lake, and replaces a damaged one by what is valid in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.instruments.log import ExchangeInfoLog, InstrumentLog
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.commits import LogFault, fault_of, log_faults
from crypto_lakehouse.lake.faults import REPAIR, REPAIR_DEEP, Fault, FileKind
from crypto_lakehouse.lake.partition import table_folder
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import set_aside
from crypto_lakehouse.runs.listing import run_log
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import Exchange, Market


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log.

    Args:
        table: The table or the market that it is about.
        prefix: Its folder, ending in a slash.
        restore: Replaces it by its valid rows.
    """

    table: str
    prefix: str
    restore: Callable[[], None]


def logs_of(storage: Storage, table: Table) -> list[LogPlace]:
    """Returns the logs of a table."""
    name = table.name
    logs = [
        LogPlace(name, f"{table_folder(table)}/verdicts/", lambda: VerdictLog(storage).restore(table)),
        LogPlace(name, f"coverage/{name}/", lambda: CoverageLog(storage).restore(name)),
        LogPlace(name, f"runs/{name}/log/", lambda: run_log(storage, name).rewrite(lambda rows: rows)),
    ]
    if isinstance(table, Dataset):
        # Bronze is first, because the others are compared with it.
        bronze = BronzeLog(storage)
        places = (f"bronze/{name}/log/", f"bronze/{name}/quarantine/")
        logs = [*(LogPlace(name, prefix, lambda: bronze.restore(name)) for prefix in places), *logs]
    return logs


def instrument_logs(storage: Storage) -> list[LogPlace]:
    """Returns the logs of the instrument master, of every market."""
    logs = []
    for exchange in Exchange:
        for market in Market:
            master, info = InstrumentLog(storage, exchange), ExchangeInfoLog(storage, exchange)
            name = f"{exchange}_{market}"
            logs += [
                LogPlace(name, f"instruments/{name}/versions/", _restoring(master, market)),
                LogPlace(name, f"instruments/{name}/exchange_info/", _restoring(info, market)),
            ]
    return logs


def _restoring(log: InstrumentLog | ExchangeInfoLog, market: Market) -> Callable[[], None]:
    return lambda: log.restore(market)


def place_faults(storage: Storage, place: LogPlace, *, deep: bool) -> Iterator[Fault]:
    """Yields what is wrong with the files of a log.

    Args:
        storage: The lake.
        place: The log.
        deep: Whether to read also files that a compacted file has replaced, which no reader looks at.

    Raises:
        LakehouseError: The lake did not answer.
    """
    read = {fault.key: fault for fault in log_faults(storage, place.prefix)}
    unread = {fault.key: fault for fault in _unread_faults(storage, place.prefix)} if deep else {}
    for key, fault in sorted((unread | read).items()):
        yield Fault(FileKind.LOG, place.table, "", key, fault.what, REPAIR if key in read else REPAIR_DEEP)


def _unread_faults(storage: Storage, prefix: str) -> Iterator[LogFault]:
    for listed in list(storage.list(prefix)):
        try:
            fault = fault_of(storage, listed.key)
        except ArchiveFileMissing:
            # A compaction has removed it meanwhile.
            continue
        if fault is not None:
            yield fault


def mend(storage: Storage, place: LogPlace, folder: Path) -> None:
    """Replaces a damaged log by its valid rows, and sets its damaged files aside.

    Args:
        storage: The lake.
        place: The log.
        folder: Scratch space.

    Raises:
        LakehouseError: The lake did not answer.
    """
    place.restore()
    for fault in list(_unread_faults(storage, place.prefix)):
        set_aside(storage, fault.key, folder)
