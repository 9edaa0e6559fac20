"""Bronze: verified archive objects, and the log that lists them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.commits import append, json_body, list_log, recent_rows, rows_since
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spans import Span, subtract
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, ObjectForm, Source

if TYPE_CHECKING:
    import polars as pl

    from crypto_lakehouse.lake.log import AppendLog

# The image of a pull has no engine. Only functions that read the log import one.


@dataclass(frozen=True, slots=True)
class QuarantinedObject:
    """An archive object that was not accepted into Bronze, the reason, and the series and time that it is of.

    One tag is of the zip, the other of its CHECKSUM. `bronze_head` is the number of the newest commit of the log of
    objects when the writer looked at the source: a record of the object after it is newer than this entry.
    """

    key: str
    etag: str
    error: str
    reason: str
    seen_at: datetime
    symbol: str = ""
    interval: str = ""
    start: datetime | None = None
    end: datetime | None = None
    checksum_etag: str = ""
    bronze_head: int = 0


@dataclass(frozen=True, slots=True)
class BronzeMark:
    """The numbers of the newest commits of both logs of a dataset."""

    objects: int
    quarantined: int


class BronzeLog:
    """The log of the objects in Bronze. A commit is one atomic write; the last version of a key counts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def mark(self, dataset: str) -> BronzeMark:
        """Returns the numbers of the newest commits: a writer takes them before it looks at what it will store."""
        logs = (_log_folder(dataset), _quarantine_folder(dataset))
        return BronzeMark(*(list_log(self._storage, folder).head for folder in logs))

    def commit(self, objects: Sequence[BronzeObject], since: BronzeMark | None = None) -> list[BronzeObject]:
        """Adds stored objects to Bronze. All objects of a dataset are added, or none.

        Args:
            objects: The objects.
            since: What the log was when the writer looked at the source. An object of which the log has got another
                record since then is left out: a writer that was stopped must not become the newest.

        Returns:
            The objects that were left out.
        """
        by_dataset: dict[str, list[BronzeObject]] = defaultdict(list)
        for bronze_object in objects:
            by_dataset[bronze_object.dataset].append(bronze_object)
        return [
            bronze_object
            for dataset, members in by_dataset.items()
            for bronze_object in self._commit(_log_folder(dataset), members, since)
        ]

    def _commit(self, folder: str, members: list[BronzeObject], since: BronzeMark | None) -> list[BronzeObject]:
        overtaken: list[BronzeObject] = []

        def body_after(head: int) -> bytes | None:
            newer = set() if since is None else self._newer(folder, since.objects, head)
            overtaken[:] = [member for member in members if member.key in newer]
            return json_body([asdict(member) for member in members if member not in overtaken])

        append(self._storage, folder, body_after)
        return overtaken

    def _newer(self, folder: str, since: int, head: int) -> set[str]:
        """Returns the keys of the records after a commit."""
        return {str(row["key"]) for row in rows_since(self._storage, folder, since, head)}

    def note_damage(self, damaged: Mapping[BronzeObject, str], since: BronzeMark) -> None:
        """Records that the stored bytes of objects are missing or wrong, and why.

        The next plan that looks at the series brings them again. The same bytes then count as sound again.

        Args:
            damaged: What is wrong with each object.
            since: What the log was when the objects were looked up; a newer version of an object is not touched.
        """
        now = utc_now()
        # No listing has an empty entity tag, so nothing takes the object for one that Bronze has.
        self.commit([replace(known, etag="", damage=reason, seen_at=now) for known, reason in damaged.items()], since)

    def damaged(self, dataset: str) -> "pl.DataFrame":
        """Returns the objects whose stored bytes are known to be missing or wrong, in the form of `latest`."""
        import polars as pl

        return self.latest(dataset).filter(pl.col("damage") != "")

    def recent_etags(self, dataset: str) -> dict[str, tuple[str, str]]:
        """Returns the tags, of zip and CHECKSUM, of the objects committed since the last compaction, by key."""
        # Rows come in the order of commits: the last one of a key is its newest.
        rows = recent_rows(self._storage, _log_folder(dataset))
        return {str(row["key"]): (str(row["etag"]), str(row["checksum_etag"])) for row in rows}

    def latest(self, dataset: str) -> "pl.DataFrame":
        """Returns the newest version of every object: columns of BronzeObject, one row per key, sorted by key.

        What a damaged file of the log had is as if it had never been pulled, and a plan pulls it again. Until then,
        `certain_keys` returns which objects cannot be older than what a partition was built from.
        """
        import polars as pl

        rows = self._log(dataset).read(skip_damage=True).drop("sequence")
        return rows.filter(pl.col("key").is_last_distinct()).sort("key")

    def certain_keys(self, dataset: str) -> set[str] | None:
        """Returns the keys whose newest record is known for certain; None where the log has lost nothing.

        Of the other keys, a lost commit may have had a newer record.
        """
        import polars as pl

        state = self._log(dataset).state()
        lost = max((fault.number for fault in state.faults), default=0)
        return set(state.rows.filter(pl.col("sequence") > lost)["key"]) if lost else None

    def versions(self, dataset: str) -> set[tuple[str, str]]:
        """Returns key and sha256 of every object that was ever committed and whose record can be read."""
        return set(self._log(dataset).read(skip_damage=True).select("key", "sha256").iter_rows())

    def paths(self, dataset: str) -> set[str]:
        """Returns the paths of every object that was ever committed.

        Raises:
            CorruptObject: The log is damaged.
        """
        return set(self._log(dataset).read()["path"])

    def replaced_keys(self, dataset: str) -> set[str]:
        """Returns the keys of objects that were committed with different bytes at different times."""
        import polars as pl

        versions = self._log(dataset).read(skip_damage=True).group_by("key").agg(pl.col("sha256").n_unique())
        return set(versions.filter(pl.col("sha256") > 1)["key"])

    def objects_by_partition(self, dataset: Dataset, partitions: Sequence[Partition]) -> dict[str, list[BronzeObject]]:
        """Returns the newest objects that may have rows of each partition, by partition name, sorted by key.

        A damaged answer is left out where other objects cover all of its span: nothing can bring its bytes again, and
        nothing depends on them.
        """
        import polars as pl

        symbols = sorted({partition.symbol for partition in partitions})
        rows = self.latest(dataset.name).filter(pl.col("symbol").is_in(symbols))
        series: dict[tuple[str, str], list[BronzeObject]] = defaultdict(list)
        for row in rows.iter_rows(named=True):
            member = bronze_object(row)
            series[member.symbol, member.interval].append(member)
        series = {name: _needed(members) for name, members in series.items()}
        return {
            partition.name: [
                member
                for member in series.get((partition.symbol, partition.interval or ""), ())
                if covers(member, partition)
            ]
            for partition in partitions
        }

    def quarantine(self, dataset: str, objects: Sequence[QuarantinedObject], since: BronzeMark | None = None) -> None:
        """Records objects that failed verification, so that they are not pulled again until they change.

        Args:
            dataset: The dataset.
            objects: The objects.
            since: As for `commit`: an object that got another record since then is left out.
        """
        folder, mark = _quarantine_folder(dataset), since or self.mark(dataset)
        entries = [replace(refused, bronze_head=mark.objects) for refused in objects]

        def body_after(head: int) -> bytes | None:
            newer = set() if since is None else self._newer(folder, since.quarantined, head)
            return json_body([asdict(entry) for entry in entries if entry.key not in newer])

        append(self._storage, folder, body_after)

    def quarantined(self, dataset: str) -> dict[str, QuarantinedObject]:
        """Returns the newest entry of each key in the quarantine log."""
        # In the order of commits; what a damaged file had is pulled and judged again.
        rows = self._quarantine_log(dataset).read(skip_damage=True).drop("sequence").iter_rows(named=True)
        return {row["key"]: QuarantinedObject(**row) for row in rows}

    def refusals(self, dataset: str) -> list[QuarantinedObject]:
        """Returns the quarantined objects of which no later version was accepted, by key."""
        # By numbers of commits: clocks have no say.
        accepted = dict(self._log(dataset).read(skip_damage=True).select("key", "sequence").iter_rows())
        entries = sorted(self.quarantined(dataset).items())
        return [entry for key, entry in entries if accepted.get(key, 0) <= entry.bronze_head]

    def compact(self, dataset: str) -> int:
        """Merges the log files of a dataset into one if there are many. Returns the number of replaced files."""
        return self._log(dataset).compact() + self._quarantine_log(dataset).compact()

    def restore(self, dataset: str, objects: Sequence[BronzeObject] = ()) -> None:
        """Replaces damaged logs of a dataset by their valid rows, and by records of objects that these rows lack.

        Args:
            dataset: The dataset.
            objects: The records that were found elsewhere; a valid row of the same key is newer.
        """
        import polars as pl

        from crypto_lakehouse.lake.bronze_schema import BRONZE_SCHEMA

        restored_rows = pl.DataFrame([asdict(known) for known in objects], schema=BRONZE_SCHEMA)
        older = restored_rows.with_columns(pl.lit(0, pl.Int64()).alias("sequence"))
        self._log(dataset).rewrite(lambda rows: pl.concat([older, rows]))
        self._quarantine_log(dataset).rewrite(lambda rows: rows)

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


def _needed(members: list[BronzeObject]) -> list[BronzeObject]:
    sound = [Span(member.start, member.end) for member in members if not member.damage]
    return [
        member
        for member in members
        if not (member.damage and member.source.form is ObjectForm.ANSWERS)
        or subtract(Span(member.start, member.end), sound)
    ]


def covers(candidate: BronzeObject, partition: Partition) -> bool:
    """Returns whether an object with the symbol and interval of a partition may have rows of it.

    The tolerance of the dataset extends the covered time, because a file may have rows just after its day.
    """
    margin = timedelta(seconds=partition.dataset.day_tolerance_seconds)
    return candidate.start - margin < partition.end and candidate.end + margin > partition.start
