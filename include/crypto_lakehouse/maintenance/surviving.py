"""What survives of lost logs: in the names of files, in the catalog and in the results of runs."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.rebuilding import readable_entries, verdict_of
from crypto_lakehouse.errors import InvalidRequest, LakehouseError
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.lake.partition import table_folder
from crypto_lakehouse.lake.records import BronzeObject, Candidate, Verdict
from crypto_lakehouse.lake.storage import Storage, StoredObject
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.lake.versions import file_sha256
from crypto_lakehouse.runs.outcomes import GateOutcome
from crypto_lakehouse.runs.results import read_result
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.symbols import symbol_from_key
from crypto_lakehouse.vocabulary import ChecksumStatus, Condition, Frequency, Interval, Source, Step

_ANSWER = re.compile(
    r"rest/(?P<symbol>[^/]+)/(?:(?P<interval>[^/]+)/)?(?P<start>\d{8}T\d{12})_(?P<end>\d{8}T\d{12})"
    r"/(?P<sha256>[0-9a-f]{64})\.jsonl\.gz"
)
_STAMP = "%Y%m%dT%H%M%S%f"
_VERSION = re.compile(r"(?P<partition>.+)/version=[0-9a-f]{16}/data\.parquet")
_OBJECT = re.compile(
    r"objects/(?P<frequency>[^/]+)/(?P<symbol>[^/]+)/(?P<interval>[^/]+)/(?P<label>[^/]+)/(?P<sha256>[0-9a-f]{64})\.zip"
)


def unlisted_objects(storage: Storage, dataset: Dataset, read: Collection[tuple[str, str]]) -> list[BronzeObject]:
    """Returns records of the stored objects that no record of the Bronze log names, made from their names.

    The entity tag is not known, so the next plan pulls an archive object again: the same bytes are stored once. Of
    several versions of an object the one counts that a published partition is made from. Without such a partition
    nobody knows which is newer, and the object is left to the plan.

    Args:
        storage: The lake.
        dataset: The dataset.
        read: Key and sha256 of the objects that published partitions are made from.

    Raises:
        LakehouseError: The lake did not answer.
    """
    listed = BronzeLog(storage).latest(dataset.name)
    known, keys = set(listed["path"]), set(listed["key"])
    folders = (f"bronze/{dataset.name}/{name}/" for name in ("objects", "rest"))
    files = [file for folder in folders for file in storage.list(folder) if file.key not in known]
    made = [record for file in files if (record := _record(dataset, file)) is not None and record.key not in keys]
    counts = Counter(record.key for record in made)
    return [record for record in made if counts[record.key] == 1 or (record.key, record.sha256) in read]


def _record(dataset: Dataset, stored: StoredObject) -> BronzeObject | None:
    """Returns the record of a stored object by its name; None where the name is not one of ours."""
    path = stored.key.removeprefix(f"bronze/{dataset.name}/")
    try:
        if match := _OBJECT.fullmatch(path):
            return _archive_record(dataset, stored, match)
        if match := _ANSWER.fullmatch(path):
            return _answer_record(dataset, stored, match)
    except (InvalidRequest, ValueError):
        return None
    return None


def _archive_record(dataset: Dataset, stored: StoredObject, match: re.Match[str]) -> BronzeObject:
    interval = None if match["interval"] == "-" else Interval(match["interval"])
    first_day = date.fromisoformat(match["label"] if len(match["label"]) == 10 else f"{match['label']}-01")
    symbol = symbol_from_key(match["symbol"])
    key = ArchiveKey(dataset, Frequency(match["frequency"]), symbol, interval, first_day)
    return BronzeObject(
        dataset=dataset.name,
        key=key.key,
        symbol=symbol,
        interval=str(interval or ""),
        source=key.source,
        start=key.start,
        end=key.end,
        etag="",
        last_modified=stored.modified_at,
        size=stored.size,
        sha256=match["sha256"],
        checksum=ChecksumStatus.ABSENT,
        seen_at=stored.modified_at,
        path=stored.key,
    )


def _answer_record(dataset: Dataset, stored: StoredObject, match: re.Match[str]) -> BronzeObject:
    start, end = (datetime.strptime(match[name], _STAMP).replace(tzinfo=UTC) for name in ("start", "end"))
    folder = "/".join(part for part in (match["symbol"], match["interval"]) if part)
    return BronzeObject(
        dataset=dataset.name,
        key=f"rest/{dataset.name}/{folder}/{match['start']}_{match['end']}.jsonl.gz",
        symbol=symbol_from_key(match["symbol"]),
        interval=match["interval"] or "",
        source=Source.REST,
        start=start,
        end=end,
        etag="",
        last_modified=stored.modified_at,
        size=stored.size,
        sha256=match["sha256"],
        checksum=ChecksumStatus.UNPUBLISHED,
        seen_at=stored.modified_at,
        path=stored.key,
    )


def lost_verdicts(catalog: Catalog, storage: Storage, table: Table) -> list[LoggedVerdict]:
    """Returns verdicts that the verdict log has lost: from the catalog, or where it lacks them, from results of runs.

    A verdict of the log is newer than a lost one, unless the catalog has a version of a later time. This is the only
    place where a time decides, because the numbers of the lost verdicts are lost with them.

    Raises:
        LakehouseError: The lake or the catalog did not answer.
    """
    log = VerdictLog(storage)
    logged, versions = log.latest_publishable(table, skip_damage=True), log.versions(table)
    lost: dict[str, LoggedVerdict] = {}
    for entry in readable_entries(catalog, table):
        known = logged.get(entry.partition)
        is_new = (entry.partition, entry.sha256) not in versions and (known is None or known.at < entry.published_at)
        if is_new:
            lost[entry.partition] = LoggedVerdict(verdict_of(entry), entry.run_id, entry.published_at)
    for of_run in _verdicts_of_runs(storage, table):
        name = of_run.verdict.candidate.partition
        if name not in logged and (name not in lost or lost[name].at < of_run.at):
            lost[name] = of_run
    return list(lost.values())


def verdicts_of_files(storage: Storage, table: Table, known: Collection[str], folder: Path) -> list[LoggedVerdict]:
    """Returns verdicts on partitions of which nothing but their files is left: no verdict, no entry, no run.

    Of several versions of a partition, the one that was written last is taken: only the store's times are left. Such a
    partition is degraded, and it has no digest of inputs. So the next run judges it again.

    Args:
        storage: The lake.
        table: The table.
        known: The partitions that have a verdict.
        folder: Scratch space.

    Raises:
        LakehouseError: The lake did not answer.
    """
    newest: dict[str, tuple[datetime, StoredObject]] = {}
    for stored in storage.list(f"{table_folder(table)}/"):
        match = _VERSION.fullmatch(stored.key.removeprefix(f"{table_folder(table)}/"))
        if match and match["partition"] not in known:
            place = newest.setdefault(match["partition"], (stored.modified_at, stored))
            newest[match["partition"]] = max(place, (stored.modified_at, stored), key=lambda pair: pair[0])
    return [
        logged
        for name, (_, stored) in newest.items()
        if (logged := _verdict_of_file(storage, table, name, stored, folder)) is not None
    ]


def _verdict_of_file(
    storage: Storage, table: Table, name: str, stored: StoredObject, folder: Path
) -> LoggedVerdict | None:
    path = storage.fetch(stored.key, folder)
    sha256 = file_sha256(path)
    location = stored.key.rpartition("/")[0]
    if not sha256.startswith(location.rpartition("version=")[2]):
        return None
    times = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(
        pl.col(table.event_time).min().alias("first"), pl.max(table.event_time)
    )
    first, last = times.collect().row(0)
    rows = read_manifest(path).rows_out
    candidate = Candidate(table.name, name, location, stored.key, sha256, stored.size, rows, "", first, last)
    reason = "its verdict is lost: it was restored from its file, and the next run judges it again"
    return LoggedVerdict(Verdict(candidate, Condition.DEGRADED, (reason,)), "repair", stored.modified_at)


def _verdicts_of_runs(storage: Storage, table: Table) -> Iterator[LoggedVerdict]:
    """Yields the verdicts of gates whose run went on to publish, with the time of the publication."""
    ending = f".{Step.GATE}.result.json"
    for listed in list(storage.list(f"runs/{table.name}/")):
        if not listed.key.endswith(ending):
            continue
        order_key = f"{listed.key.removesuffix(ending)}.json"
        try:
            gated: GateOutcome = read_result(storage, order_key, Step.GATE).completed()
            published = read_result(storage, order_key, Step.PUBLISH)
        except LakehouseError:
            continue
        if published.outcome is not None:
            for verdict in gated.verdicts:
                if verdict.condition.is_published:
                    yield LoggedVerdict(verdict, published.run_id, published.started_at)
