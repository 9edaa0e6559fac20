"""One behaviour for every catalog: the embedded one and Glue (moto's server; see conftest for what it lacks)."""

import itertools
import json
import multiprocessing
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog import embedded
from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.glue import BATCH, GlueCatalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.lake.faults import Fault, FileKind
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition, span_start
from crypto_lakehouse.lake.records import Candidate, PublishedPartition, Verdict
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import file_sha256
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.settings import CatalogKind, CatalogSettings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Condition, Interval

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NUMBERS = itertools.count()
KLINES = dataset("binance_um_klines")
NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def glue(aws: str, database: str = "") -> GlueCatalog:
    name = database or f"lake_{next(NUMBERS)}"
    return GlueCatalog(
        CatalogSettings(kind=CatalogKind.GLUE, glue_database=name, glue_endpoint_url=aws), "s3://lake/root"
    )


@pytest.fixture(params=["embedded", "glue"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Catalog:
    if request.param == "embedded":
        return EmbeddedCatalog(tmp_path / "deep" / "catalog.sqlite")
    return glue(request.getfixturevalue("aws"))


def partition(
    row: Dataset, symbol: str = "BTCUSDT", day: date = date(2024, 5, 1), interval: Interval = Interval.M1
) -> Partition:
    return Partition(row, symbol, span_start(row.span_of(interval), day), interval if row.has_interval else None)


def record(one: Partition, version: str = "1", **changes: Any) -> PublishedPartition:
    location = f"{one.path}/version={version * 16}"
    made = PublishedPartition(
        dataset=one.dataset.name,
        partition=one.name,
        location=location,
        file=f"{location}/data.parquet",
        sha256=version * 64,
        bytes=10,
        rows=5,
        inputs_digest="d",
        first_time=NOW,
        last_time=None,
        condition=Condition.DEGRADED,
        reasons=("grid_missing: 3 of 5", "für 'x'; \"y\""),
        run_id="manual__2024-05-02T00:00:00+00:00",
        published_at=NOW,
    )
    return replace(made, **changes)


def test_a_partition_is_unknown_until_it_is_published_then_new_then_replaced(catalog: Catalog) -> None:
    one = partition(KLINES)
    catalog.ensure_table(KLINES)
    assert catalog.partition(one) is None
    catalog.publish([record(one)])
    assert catalog.partition(one) == record(one)
    catalog.publish([record(one, "2")])
    catalog.publish([record(one, "2")])
    assert catalog.partition(one) == record(one, "2")
    assert catalog.partitions(KLINES) == [record(one, "2")]


def test_a_partition_is_published_only_if_its_generation_is_the_one_that_was_seen(catalog: Catalog) -> None:
    catalog.ensure_table(KLINES)
    one, other = partition(KLINES), partition(KLINES, "ETHUSDT")
    assert catalog.publish([record(one)], {}) == []
    seen = {entry.partition: entry.generation for entry in catalog.partitions(KLINES)}
    assert seen[one.name] > 0
    assert catalog.publish([record(one, "2"), record(other, "2")], seen) == []
    # What another caller saw before is outdated by now: its answers are refused, and new partitions are not.
    third = partition(KLINES, "BNBUSDT")
    refused = catalog.publish([record(one, "3"), record(other, "3"), record(third, "3")], seen)
    assert sorted(entry.partition for entry in refused) == sorted([one.name, other.name])
    published = {entry.partition: entry.sha256[0] for entry in catalog.partitions(KLINES)}
    assert published == {one.name: "2", other.name: "2", third.name: "3"}


def test_a_partition_that_was_published_or_taken_out_meanwhile_is_another_generation(catalog: Catalog) -> None:
    catalog.ensure_table(KLINES)
    one = partition(KLINES)
    assert catalog.publish([record(one)], {one.name: 7}) == [record(one)], "it was seen, and is not there"
    catalog.publish([record(one)])
    assert catalog.publish([record(one, "2")], {}) == [record(one, "2")], "it was not there, and is now"
    assert catalog.partition(one) == record(one)


@pytest.mark.parametrize("is_numbered_anew", [True, False], ids=["new numbers", "control: the same numbers"])
def test_a_publisher_of_a_former_catalog_file_is_refused_by_the_rebuilt_one(
    is_numbered_anew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_numbered_anew:
        plain = embedded._SCHEMA.replace("random() & 0x3fffffffffffffff", "0")
        assert plain != embedded._SCHEMA
        monkeypatch.setattr(embedded, "_SCHEMA", plain)
    catalog, one = EmbeddedCatalog(tmp_path / "catalog.sqlite"), partition(KLINES)
    catalog.publish([record(one)])
    seen = {entry.partition: entry.generation for entry in catalog.partitions(KLINES)}
    assert catalog.set_aside()
    catalog.publish([record(one, "2")])
    assert bool(catalog.publish([record(one)], seen)) is is_numbered_anew
    assert catalog.partition(one) == record(one, "2" if is_numbered_anew else "1")


def test_a_glue_call_that_another_one_overwrites_is_told(aws: str) -> None:
    catalog, other = glue(aws, "lake_overwritten"), glue(aws, "lake_overwritten")
    catalog.ensure_table(KLINES)
    one = partition(KLINES)
    fired: list[bool] = []

    def overwrite(**_: Any) -> None:
        if not fired:
            fired.append(True)
            other.publish([record(one, "2")])

    client: Any = catalog._client
    client.meta.events.register("after-call.glue.BatchCreatePartition", overwrite)
    assert catalog.publish([record(one)], {}) == [record(one)]
    assert fired
    assert catalog.partition(one) == record(one, "2")


def test_nothing_is_published_of_a_dataset_without_a_table(catalog: Catalog) -> None:
    assert catalog.tables() == []
    assert catalog.partitions(KLINES) == []
    assert catalog.partition(partition(KLINES)) is None


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_every_dataset_has_a_table_that_gives_back_what_it_was_given(row: Dataset, catalog: Catalog) -> None:
    catalog.ensure_table(row)
    catalog.ensure_table(row)
    one = record(partition(row, row.sample_symbol))
    catalog.publish([one])
    assert catalog.partitions(row) == [one]
    assert catalog.tables() == [row.name]


def test_partitions_are_found_by_symbol_interval_and_days(catalog: Catalog) -> None:
    catalog.ensure_table(KLINES)
    wanted = {
        (symbol, month, interval): record(partition(KLINES, symbol, date(2024, month, 1), interval))
        for symbol in ("BTCUSDT", "币安人生USDT")
        for month in (4, 5, 6)
        for interval in (Interval.M1, Interval.H1)
    }
    catalog.publish(list(wanted.values()))

    def names(**filters: Any) -> list[str]:
        return [one.partition for one in catalog.partitions(KLINES, **filters)]

    everything = sorted(one.partition for one in wanted.values())
    assert names() == everything
    assert names(symbols=["币安人生USDT"]) == sorted(v.partition for k, v in wanted.items() if k[0] == "币安人生USDT")
    assert names(symbols=["BTCUSDT", "币安人生USDT", "NONEUSDT"]) == everything
    assert names(symbols=[]) == []
    assert names(interval=Interval.H1) == sorted(v.partition for k, v in wanted.items() if k[2] is Interval.H1)
    may = sorted(v.partition for k, v in wanted.items() if k[1] == 5)
    assert names(first_day=date(2024, 5, 31), last_day=date(2024, 5, 31)) == may
    assert names(first_day=date(2024, 7, 1)) == []
    assert names(last_day=date(2024, 3, 31)) == []


def test_what_is_removed_is_gone_and_removing_twice_is_no_error(catalog: Catalog) -> None:
    catalog.ensure_table(KLINES)
    one = partition(KLINES)
    catalog.publish([record(one)])
    catalog.remove(one)
    catalog.remove(one)
    assert catalog.partitions(KLINES) == []


def lake_with_verdicts(folder: Path) -> tuple[LocalStorage, list[PublishedPartition]]:
    """Returns a lake with two published partitions, one that lost its file, and one that was refused."""
    storage, records = LocalStorage(folder), []
    verdicts = []
    for month, condition in (
        (1, Condition.AVAILABLE),
        (2, Condition.DEGRADED),
        (3, Condition.AVAILABLE),
        (4, Condition.QUARANTINED),
    ):
        one = partition(KLINES, day=date(2024, month, 1))
        data = f"data of {month}".encode()
        key = f"{one.path}/version={month}/data.parquet"
        if month != 3:
            storage.write(key, data)
        sha256 = file_sha256(storage.fetch(key, folder)) if month != 3 else "0" * 64
        candidate = Candidate(KLINES.name, one.name, key.rpartition("/")[0], key, sha256, len(data), 5, "d", NOW, NOW)
        verdicts.append(Verdict(candidate, condition, ("why",)))
        if month < 3:
            records.append(
                record(one, location=candidate.location, file=key, sha256=sha256, bytes=len(data), last_time=NOW,
                       condition=condition, reasons=("why",), run_id="run")
            )  # fmt: skip
    VerdictLog(storage).append(KLINES, "run", verdicts, NOW)
    return storage, records


def file_faults(catalog: Catalog, storage: LocalStorage, *, deep: bool = False) -> list[Fault]:
    """Returns what is wrong with published files; this lake has neither objects nor coverage."""
    found = verify(catalog, storage, [KLINES], deep=deep)
    return [fault for fault in found if fault.kind is FileKind.PUBLISHED]


def test_a_catalog_is_made_anew_from_the_lake(catalog: Catalog, tmp_path: Path) -> None:
    storage, records = lake_with_verdicts(tmp_path / "lake")
    catalog.ensure_table(KLINES)
    catalog.publish([record(partition(KLINES, "GHOSTUSDT"))])
    rebuilt = rebuild(catalog, storage, [KLINES]).tables[KLINES.name]
    assert rebuilt.published == tuple(made.partition for made in records)
    assert rebuilt.without_file == (partition(KLINES, day=date(2024, 3, 1)).name,)
    assert rebuilt.without_verdict == (partition(KLINES, "GHOSTUSDT").name,), "only the verdict may be lost"
    assert rebuild(catalog, storage, [KLINES], forget=True).tables[KLINES.name].forgotten == rebuilt.without_verdict
    assert catalog.partitions(KLINES) == records
    assert [fault.what for fault in file_faults(catalog, storage)] == ["is missing"]


def test_damage_is_found_and_named(catalog: Catalog, tmp_path: Path) -> None:
    storage, records = lake_with_verdicts(tmp_path / "lake")
    rebuild(catalog, storage, [KLINES])
    storage.write(records[0].file, b"DATA of 1")
    march = partition(KLINES, day=date(2024, 3, 1)).name
    assert [fault.partition for fault in file_faults(catalog, storage)] == [march], "its file was never there"
    assert "no longer has the bytes" in str(file_faults(catalog, storage, deep=True)[0])
    storage.write(records[0].file, b"short")
    storage.delete(records[1].file)
    faults = [str(fault) for fault in file_faults(catalog, storage)]
    assert len(faults) == 3
    assert "has 5 bytes" in faults[0] and "is missing" in faults[1]


class Calls:
    """Records Glue calls of one operation, and answers with something else where told to."""

    def __init__(self, catalog: GlueCatalog, operation: str, size: str) -> None:
        self.sizes: list[int] = []
        self._size = size
        client: Any = catalog._client
        client.meta.events.register(f"provide-client-params.glue.{operation}", self)

    def __call__(self, params: dict[str, Any], **_: Any) -> None:
        self.sizes.append(len(params[self._size]))


def many(count: int) -> list[PublishedPartition]:
    return [record(partition(KLINES, f"S{number:03}USDT")) for number in range(count)]


def test_glue_gets_at_most_a_hundred_partitions_a_call(aws: str) -> None:
    catalog = glue(aws)
    catalog.ensure_table(KLINES)
    created = Calls(catalog, "BatchCreatePartition", "PartitionInputList")
    updated = Calls(catalog, "BatchUpdatePartition", "Entries")
    catalog.publish(many(250))
    catalog.publish(many(250))
    assert created.sizes == [100, 100, 50] * 2
    assert updated.sizes == [100, 100, 50]
    assert max(created.sizes) <= BATCH
    assert len(catalog.partitions(KLINES)) == 250


def test_an_error_of_one_partition_inside_a_good_answer_is_read(aws: str) -> None:
    catalog = glue(aws)
    catalog.ensure_table(KLINES)
    refused = list(partition(KLINES, "S001USDT").values.values())
    fired: list[bool] = []

    def fail_one(parsed: dict[str, Any], **_: Any) -> None:
        fired.append(True)
        parsed["Errors"] = [{"PartitionValues": refused, "ErrorDetail": {"ErrorCode": "InternalServiceException"}}]

    client: Any = catalog._client
    client.meta.events.register("after-call.glue.BatchCreatePartition", fail_one)
    with pytest.raises(SourceUnavailable, match="refused 1 of 3 partitions, the first with InternalServiceException"):
        catalog.publish(many(3))
    assert fired


def test_a_table_gains_columns_and_refuses_other_changes(aws: str) -> None:
    catalog = glue(aws)
    older = replace(KLINES, columns=KLINES.columns[:-1], expectations=())
    catalog.ensure_table(older)
    catalog.ensure_table(KLINES)
    client: Any = catalog._client
    table = client.get_table(DatabaseName=catalog._database, Name=KLINES.name)["Table"]
    assert [one["Name"] for one in table["StorageDescriptor"]["Columns"]] == [one.name for one in KLINES.columns]
    assert [one["Name"] for one in table["PartitionKeys"]] == ["kline_interval", "symbol_key", "period"]
    with pytest.raises(SchemaDrift, match="only be added at the end"):
        catalog.ensure_table(older)


def test_a_glue_partition_points_at_its_version_with_the_table_s_own_columns(aws: str) -> None:
    catalog = glue(aws)
    catalog.ensure_table(KLINES)
    one = record(partition(KLINES))
    catalog.publish([one])
    client: Any = catalog._client
    values = list(partition(KLINES).values.values())
    held = client.get_partition(DatabaseName=catalog._database, TableName=KLINES.name, PartitionValues=values)[
        "Partition"
    ]
    table = client.get_table(DatabaseName=catalog._database, Name=KLINES.name)["Table"]
    assert held["StorageDescriptor"]["Location"] == f"s3://lake/root/{one.location}"
    assert held["StorageDescriptor"]["Columns"] == table["StorageDescriptor"]["Columns"]
    assert json.loads(held["Parameters"]["reasons"]) == list(one.reasons)


def _publish_many(path: Path, version: str) -> None:
    catalog = EmbeddedCatalog(path)
    for _ in range(20):
        catalog.publish([record(partition(KLINES, f"S{number}USDT"), version) for number in range(5)])


def test_processes_publish_at_once_and_a_reader_sees_whole_versions_only(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    EmbeddedCatalog(path).publish([record(partition(KLINES, f"S{number}USDT"), "0") for number in range(5)])
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=_publish_many, args=(path, version)) for version in ("1", "2", "3")]
    for one in writers:
        one.start()
    saw: set[str] = set()
    while any(one.is_alive() for one in writers):
        records = EmbeddedCatalog(path).partitions(KLINES)
        assert len(records) == 5
        for one in records:
            assert one.location.endswith(one.sha256[:16])
        # One call is one switch: all of its partitions are of one version.
        assert len({one.sha256 for one in records}) == 1
        saw.add(records[0].sha256[0])
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0, 0, 0]
    assert saw <= {"0", "1", "2", "3"}


def _stop_in_a_commit(path: Path) -> None:
    """Changes the file of the catalog, and ends without the commit, as a process that is killed."""
    connection = sqlite3.connect(path, isolation_level=None)
    # The changes do not fit into memory, so they are written to the file before the commit.
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE partitions SET sha256 = 'half', reasons = hex(randomblob(20000))")
    os._exit(0)


def test_a_commit_whose_writer_was_killed_is_undone_by_the_next_reader(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    records = [record(partition(KLINES, f"S{number:02}USDT"), "1") for number in range(30)]
    EmbeddedCatalog(path).publish(records)
    killed = multiprocessing.get_context("spawn").Process(target=_stop_in_a_commit, args=(path,))
    killed.start()
    killed.join()
    assert (tmp_path / "catalog.sqlite-journal").stat().st_size > 0, "the injector fired"
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("SELECT count(*) FROM partitions")
    assert EmbeddedCatalog(path).partitions(KLINES) == records
