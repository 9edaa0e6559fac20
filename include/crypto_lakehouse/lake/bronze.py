"""Bronze: verified archive objects, and the log that lists them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crypto_lakehouse.lake.commits import recent_rows, write_commit
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, Source

if TYPE_CHECKING:
    import polars as pl

    from crypto_lakehouse.lake.log import AppendLog

# The image of a pull has no engine. Only functions that read the log import one.


@dataclass(frozen=True, slots=True)
class QuarantinedObject:
    """An archive object that was not accepted into Bronze, the reason, and the series and time that it is of."""

    key: str
    etag: str
    error: str
    reason: str
    seen_at: datetime
    symbol: str = ""
    interval: str = ""
    start: datetime | None = None
    end: datetime | None = None


class BronzeLog:
    """The log of the objects in Bronze. A commit is one atomic write; the newest version of a key counts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def commit(self, objects: Sequence[BronzeObject]) -> None:
        """Adds stored objects to Bronze. All objects of a dataset are added, or none."""
        by_dataset: dict[str, list[BronzeObject]] = defaultdict(list)
        for bronze_object in objects:
            by_dataset[bronze_object.dataset].append(bronze_object)
        for dataset, members in by_dataset.items():
            write_commit(self._storage, _log_folder(dataset), [asdict(member) for member in members])

    def recent_etags(self, dataset: str) -> dict[str, str]:
        """Returns the entity tags of the objects committed since the last compaction, by key."""
        rows = sorted(recent_rows(self._storage, _log_folder(dataset)), key=lambda row: str(row["seen_at"]))
        return {str(row["key"]): str(row["etag"]) for row in rows}

    def latest(self, dataset: str) -> "pl.DataFrame":
        """Returns the newest version of every object: columns of BronzeObject, one row per key, sorted by key."""
        rows = self._log(dataset).read().lazy().sort("key", "seen_at", "sha256")
        return rows.unique("key", keep="last", maintain_order=True).collect()

    def replaced_keys(self, dataset: str) -> set[str]:
        """Returns the keys of objects that were committed with different bytes at different times."""
        import polars as pl

        versions = self._log(dataset).read().group_by("key").agg(pl.col("sha256").n_unique())
        return set(versions.filter(pl.col("sha256") > 1)["key"])

    def objects_by_partition(self, dataset: Dataset, partitions: Sequence[Partition]) -> dict[str, list[BronzeObject]]:
        """Returns the newest objects that may have rows of each partition, by partition name, sorted by key."""
        import polars as pl

        symbols = sorted({partition.symbol for partition in partitions})
        rows = self.latest(dataset.name).filter(pl.col("symbol").is_in(symbols))
        series: dict[tuple[str, str], list[BronzeObject]] = defaultdict(list)
        for row in rows.iter_rows(named=True):
            member = bronze_object(row)
            series[member.symbol, member.interval].append(member)
        return {
            partition.name: [
                member for member in series[partition.symbol, partition.interval or ""] if covers(member, partition)
            ]
            for partition in partitions
        }

    def quarantine(self, dataset: str, objects: Sequence[QuarantinedObject]) -> None:
        """Records objects that failed verification, so that they are not pulled again until they change."""
        write_commit(self._storage, _quarantine_folder(dataset), [asdict(quarantined) for quarantined in objects])

    def quarantined(self, dataset: str) -> dict[str, QuarantinedObject]:
        """Returns the newest entry of each key in the quarantine log."""
        rows = self._quarantine_log(dataset).read().sort("key", "seen_at").iter_rows(named=True)
        return {row["key"]: QuarantinedObject(**row) for row in rows}

    def refusals(self, dataset: str) -> list[QuarantinedObject]:
        """Returns the quarantined objects of which no later version was accepted, by key."""
        accepted = dict(self.latest(dataset).select("key", "seen_at").iter_rows())
        entries = sorted(self.quarantined(dataset).items())
        return [entry for key, entry in entries if key not in accepted or accepted[key] < entry.seen_at]

    def compact(self, dataset: str) -> int:
        """Merges the log files of a dataset into one if there are many. Returns the number of replaced files."""
        return self._log(dataset).compact() + self._quarantine_log(dataset).compact()

    def _log(self, dataset: str) -> "AppendLog":
        from crypto_lakehouse.lake.bronze_schema import BRONZE_SCHEMA
        from crypto_lakehouse.lake.log import AppendLog

        return AppendLog(self._storage, _log_folder(dataset), BRONZE_SCHEMA)

    def _quarantine_log(self, dataset: str) -> "AppendLog":
        from crypto_lakehouse.lake.bronze_schema import QUARANTINE_SCHEMA
        from crypto_lakehouse.lake.log import AppendLog

        return AppendLog(self._storage, _quarantine_folder(dataset), QUARANTINE_SCHEMA)


def _log_folder(dataset: str) -> str:
    return f"bronze/{dataset}/log/"


def _quarantine_folder(dataset: str) -> str:
    return f"bronze/{dataset}/quarantine/"


def bronze_object(row: dict[str, object]) -> BronzeObject:
    """Returns the object of a row of the Bronze log."""
    fields = {**row, "source": Source(str(row["source"])), "checksum": ChecksumStatus(str(row["checksum"]))}
    return BronzeObject(**fields)  # type: ignore[arg-type]


def covers(candidate: BronzeObject, partition: Partition) -> bool:
    """Returns whether an object with the symbol and interval of a partition may have rows of it.

    The tolerance of the dataset extends the covered time, because a file may have rows just after its day.
    """
    margin = timedelta(seconds=partition.dataset.day_tolerance_seconds)
    return candidate.start - margin < partition.end and candidate.end + margin > partition.start
