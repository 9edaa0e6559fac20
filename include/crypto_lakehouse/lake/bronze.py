"""Bronze: verified archive objects, and the log that says which there are."""

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

# The image of a pull carries no engine: here only what reads the log loads one.


@dataclass(frozen=True, slots=True)
class QuarantinedObject:
    """An archive object that was not let into Bronze, and why."""

    key: str
    etag: str
    error: str
    reason: str
    seen_at: datetime


class BronzeLog:
    """What Bronze holds, per dataset. A commit is one atomic write; the newest version of a key counts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def commit(self, objects: Sequence[BronzeObject]) -> None:
        """Makes stored objects part of Bronze, those of a dataset all or none."""
        by_dataset: dict[str, list[BronzeObject]] = defaultdict(list)
        for one in objects:
            by_dataset[one.dataset].append(one)
        for dataset, members in by_dataset.items():
            write_commit(self._storage, _log_folder(dataset), [asdict(one) for one in members])

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
        """Returns the newest objects that may hold rows of each partition, by partition name; the objects by key."""
        import polars as pl

        wanted = sorted({one.symbol for one in partitions})
        held = self.latest(dataset.name).filter(pl.col("symbol").is_in(wanted))
        groups: dict[tuple[str, str], list[BronzeObject]] = defaultdict(list)
        for row in held.iter_rows(named=True):
            one = bronze_object(row)
            groups[one.symbol, one.interval].append(one)
        return {
            one.name: [held for held in groups[one.symbol, one.interval or ""] if covers(held, one)]
            for one in partitions
        }

    def quarantine(self, dataset: str, objects: Sequence[QuarantinedObject]) -> None:
        """Records objects that failed verification, so that they are not pulled again until they change."""
        write_commit(self._storage, _quarantine_folder(dataset), [asdict(one) for one in objects])

    def quarantined(self, dataset: str) -> dict[str, QuarantinedObject]:
        """Returns the newest refusal of every key that has one."""
        rows = self._quarantine_log(dataset).read().sort("key", "seen_at").iter_rows(named=True)
        return {row["key"]: QuarantinedObject(**row) for row in rows}

    def compact(self, dataset: str) -> int:
        """Folds the dataset's log into one file where it has grown; returns how many files were replaced."""
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
    """Returns the object a row of the Bronze log describes."""
    fields = {**row, "source": Source(str(row["source"])), "checksum": ChecksumStatus(str(row["checksum"]))}
    return BronzeObject(**fields)  # type: ignore[arg-type]


def covers(held: BronzeObject, partition: Partition) -> bool:
    """Returns whether an object of the partition's symbol and interval may hold rows of it.

    A dataset's tolerance widens what an object covers: a file may hold rows just past its day.
    """
    margin = timedelta(seconds=partition.dataset.day_tolerance_seconds)
    return held.start - margin < partition.end and held.end + margin > partition.start
