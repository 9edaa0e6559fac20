"""What was published at an earlier instant, by the verdict log, as far back as its versions are kept."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.rebuilding import published_record
from crypto_lakehouse.errors import CorruptObject, InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.faults import REPAIR
from crypto_lakehouse.lake.partition import Partition, table_folder
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import History, VerdictLog
from crypto_lakehouse.query.published import file_is_gone, files_gone
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Interval


class PublishedAt:
    """What readers saw at an instant.

    Args:
        catalog: The catalog.
        storage: The lake.
        instant: The instant.

    Raises:
        InvalidRequest: The instant is in the future: nobody knows yet what readers will see.
    """

    def __init__(self, catalog: Catalog, storage: Storage, instant: datetime) -> None:
        now = utc_now()
        if instant > now:
            what = f"as_of {instant.isoformat()} is in the future: it is {now.isoformat(timespec='seconds')} now"
            raise InvalidRequest(what, "Give an earlier time, or leave as_of out")
        self._catalog, self._storage = catalog, storage
        self.instant = instant
        self._histories: dict[str, History] = {}

    def partitions(
        self,
        table: Table,
        *,
        symbols: Collection[str] | None = None,
        interval: Interval | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> list[PublishedPartition]:
        """Returns the partitions that were published then and touch the days given, both inclusive, sorted by name.

        Raises:
            CorruptObject: The verdict log is damaged, or lacks what the catalog has.
            InvalidRequest: The verdict log does not reach back to the instant.
        """
        history = self._history(table)
        if history.complete_since is not None and self.instant < history.complete_since:
            what = f"the verdict log does not know what readers saw at {self.instant.isoformat()}"
            raise InvalidRequest(what, self._reach(table, history), dataset=table.name)
        return [
            published_record(logged)
            for name, logged in history.at(self.instant).items()
            if _is_needed(Partition.parse(table, name), symbols, interval, first_day, last_day)
        ]

    def require_files(self, table: Table, published: Sequence[PublishedPartition]) -> None:
        """Checks that the files of the versions are there, before an engine opens them.

        Raises:
            CorruptObject: The file of a version that readers still see is gone.
            InvalidRequest: A version is not kept any more.
        """
        gone = files_gone(self._storage, published)
        if not gone:
            return
        history = self._history(table)
        until = history.seen_until()
        replaced = [record for record in gone if until[record.file] is not None]
        if not replaced:
            raise file_is_gone(gone)
        raise InvalidRequest(
            f"the version that readers saw at {self.instant.isoformat()} is not kept any more",
            self._reach(table, history),
            dataset=table.name,
            partition=replaced[0].partition,
        )

    def _history(self, table: Table) -> History:
        if table.name not in self._histories:
            self._histories[table.name] = self._checked_history(table)
        return self._histories[table.name]

    def _checked_history(self, table: Table) -> History:
        # The catalog first: a run logs its verdict before it publishes, so the log has all that the catalog had before.
        published = self._catalog.partitions(table)
        history = VerdictLog(self._storage).history(table)
        logged = set(history.publishable.select("partition", "sha256").iter_rows())
        unknown = [record for record in published if (record.partition, record.sha256) not in logged]
        if unknown:
            what = "the verdict log lacks its published version, so it does not tell what was published before"
            raise CorruptObject(what, REPAIR, dataset=table.name, partition=unknown[0].partition)
        return history

    def _reach(self, table: Table, history: History) -> str:
        reach = history.reach({file.key for file in self._storage.list(f"{table_folder(table)}/")})
        return f"Reads of {table.name} reach back to as_of {reach.isoformat()}" if reach else "Ask again"


def _is_needed(
    partition: Partition,
    symbols: Collection[str] | None,
    interval: Interval | None,
    first_day: date | None,
    last_day: date | None,
) -> bool:
    return (
        (symbols is None or partition.symbol in symbols)
        and (interval is None or partition.interval == interval)
        and (first_day is None or partition.last_day >= first_day)
        and (last_day is None or partition.first_day <= last_day)
    )
