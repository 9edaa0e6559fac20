from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.instants import midnight
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Candidate, Manifest, Verdict, inputs_digest
from crypto_lakehouse.lake.staleness import Input, stale_partitions
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import store_candidate, verify_candidate
from crypto_lakehouse.vocabulary import ChecksumStatus, Condition, Interval, Source

ROW = dataset("binance_um_klines")
SEEN = datetime(2026, 1, 1, tzinfo=UTC)
PARTITION = Partition(ROW, "BTCUSDT", date(2024, 1, 1), Interval.M1)


def held(key: str, day: date = date(2024, 1, 31), **changes: object) -> BronzeObject:
    made = BronzeObject(
        dataset=ROW.name,
        key=key,
        symbol="BTCUSDT",
        interval="1m",
        source=Source.ARCHIVE_DAILY,
        start=midnight(day),
        end=midnight(day + timedelta(days=1)),
        etag="e",
        last_modified=SEEN,
        size=1,
        sha256="s",
        checksum=ChecksumStatus.VERIFIED,
        seen_at=SEEN,
        path=f"bronze/{key}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def bronze(tmp_path: Path) -> BronzeLog:
    return BronzeLog(LocalStorage(tmp_path))


def test_the_last_version_of_an_object_counts_whatever_its_clock_said(bronze: BronzeLog) -> None:
    old, new = held("a", seen_at=SEEN.replace(year=2036)), held("a", sha256="t")
    bronze.commit([old, held("b")])
    bronze.commit([new])
    assert objects_of(bronze, PARTITION) == [new, held("b")]
    assert bronze.latest("binance_cm_klines").is_empty()


def objects_of(bronze: BronzeLog, partition: Partition) -> list[BronzeObject]:
    return bronze.objects_by_partition(partition.dataset, [partition])[partition.name]


@pytest.mark.parametrize(
    ("changes", "covers"),
    [
        ({}, True),
        ({"start": midnight(date(2024, 2, 1)), "end": midnight(date(2024, 2, 2))}, False),
        ({"start": midnight(date(2023, 12, 1)), "end": midnight(date(2024, 1, 2))}, True),
        ({"symbol": "ETHUSDT"}, False),
        ({"interval": "1h"}, False),
    ],
    ids=["its day", "the next month", "ends in it", "another symbol", "another interval"],
)
def test_an_object_covers_what_its_name_says(changes: dict[str, object], covers: bool, bronze: BronzeLog) -> None:
    bronze.commit([held("a", **changes)])
    assert bool(objects_of(bronze, PARTITION)) == covers


def test_a_dataset_s_tolerance_reaches_over_the_end_of_a_year(bronze: BronzeLog) -> None:
    row = dataset("binance_um_metrics")
    one = held("a", date(2023, 12, 31), dataset=row.name, interval="")
    bronze.commit([one])
    assert objects_of(bronze, Partition(row, "BTCUSDT", date(2024, 1, 1))) == [one]
    assert objects_of(bronze, Partition(row, "BTCUSDT", date(2025, 1, 1))) == []


def test_an_object_that_another_writer_brought_since_is_left_out(bronze: BronzeLog) -> None:
    bronze.commit([held("a", sha256="first")])
    mark = bronze.mark(ROW.name)
    bronze.commit([held("a", sha256="newer")])
    stopped = held("a", sha256="older", seen_at=SEEN.replace(year=2036))
    assert bronze.commit([stopped, held("b")], mark) == [stopped]
    assert dict(bronze.latest(ROW.name).select("key", "sha256").iter_rows()) == {"a": "newer", "b": "s"}
    assert bronze.commit([stopped], bronze.mark(ROW.name)) == [], "a writer that looked after that is newer"
    assert bronze.latest(ROW.name)["sha256"].to_list() == ["older", "s"]


def test_a_refusal_that_another_writer_recorded_since_stays_the_newest(bronze: BronzeLog) -> None:
    mark = bronze.mark(ROW.name)
    newer = QuarantinedObject("a", "2", "ChecksumMismatch", "bad", SEEN, checksum_etag="c2")
    older = replace(newer, etag="1", seen_at=SEEN.replace(year=2036))
    bronze.quarantine(ROW.name, [newer])
    bronze.quarantine(ROW.name, [older, replace(older, key="b")], mark)
    assert {key: refused.etag for key, refused in bronze.quarantined(ROW.name).items()} == {"a": "2", "b": "1"}


def test_quarantined_objects_are_remembered_with_the_newest_reason(bronze: BronzeLog) -> None:
    first = QuarantinedObject("a", "1", "ChecksumMismatch", "bad", SEEN)
    second = replace(first, etag="2", seen_at=SEEN.replace(year=2027))
    bronze.quarantine(ROW.name, [first])
    bronze.quarantine(ROW.name, [second])
    assert bronze.quarantined(ROW.name) == {"a": second}


@pytest.mark.parametrize("clock", [SEEN.replace(year=2016), SEEN, SEEN.replace(year=2036)])
def test_an_acceptance_ends_a_refusal_and_a_refusal_follows_it_whatever_a_clock_said(
    clock: datetime, bronze: BronzeLog
) -> None:
    refused = QuarantinedObject("a", "1", "ChecksumMismatch", "bad", SEEN)
    bronze.quarantine(ROW.name, [refused], bronze.mark(ROW.name))
    assert [entry.key for entry in bronze.refusals(ROW.name)] == ["a"]
    bronze.commit([held("a", etag="2", seen_at=clock)])
    assert bronze.refusals(ROW.name) == []
    before = bronze.mark(ROW.name)
    bronze.quarantine(ROW.name, [replace(refused, etag="3")], before)
    assert [entry.etag for entry in bronze.refusals(ROW.name)] == ["3"]
    for number in range(100):
        bronze.commit([held(f"other {number}", seen_at=clock)])
    assert bronze.compact(ROW.name)
    assert [entry.etag for entry in bronze.refusals(ROW.name)] == ["3"]


def test_a_refusal_by_a_writer_that_was_stopped_does_not_count_after_a_later_acceptance(bronze: BronzeLog) -> None:
    stopped = bronze.mark(ROW.name)
    bronze.commit([held("a", etag="2")])
    late = QuarantinedObject("a", "1", "ChecksumMismatch", "bad", SEEN.replace(year=2036))
    bronze.quarantine(ROW.name, [late], stopped)
    assert bronze.refusals(ROW.name) == []


def verdict(condition: Condition, digest: str) -> Verdict:
    return Verdict(Candidate(ROW.name, PARTITION.name, "l", "f", "s", 1, 1, digest, SEEN, SEEN), condition)


@pytest.mark.parametrize(
    ("published", "judged", "is_stale"),
    [
        ("", None, True),
        ("same", None, False),
        ("older", None, True),
        ("", Condition.QUARANTINED, False),
        ("", Condition.EMPTY, False),
        ("", Condition.AVAILABLE, True),
    ],
)
def test_a_partition_is_stale_when_nothing_judged_was_made_of_its_inputs(
    published: str, judged: Condition | None, is_stale: bool, tmp_path: Path
) -> None:
    inputs = {PARTITION.name: [Input("a", "s")]}
    digest = inputs_digest(ROW, inputs[PARTITION.name])
    verdicts = VerdictLog(LocalStorage(tmp_path))
    if judged:
        verdicts.append(ROW, "run", [verdict(judged, digest)], SEEN)
    known = {PARTITION.name: digest if published == "same" else published} if published else {}
    assert stale_partitions([PARTITION], inputs, known, verdicts) == ([PARTITION] if is_stale else [])


def test_the_latest_verdict_and_the_latest_that_let_it_be_published_may_differ(tmp_path: Path) -> None:
    verdicts = VerdictLog(LocalStorage(tmp_path))
    verdicts.append(ROW, "one", [verdict(Condition.DEGRADED, "1")], SEEN)
    verdicts.append(ROW, "two", [verdict(Condition.QUARANTINED, "2")], SEEN.replace(year=2027))
    assert verdicts.latest(ROW)[PARTITION.name].run_id == "two"
    passed = verdicts.latest_publishable(ROW)[PARTITION.name]
    assert (passed.run_id, passed.verdict) == ("one", verdict(Condition.DEGRADED, "1"))


def test_a_candidate_is_named_by_its_bytes_and_damage_shows(tmp_path: Path) -> None:
    storage, file = LocalStorage(tmp_path / "lake"), tmp_path / "made.parquet"
    manifest = Manifest(ROW.name, PARTITION.name, (), (), "d", 1, 1, 0, 0, 0, 0, ())
    file.write_bytes(b"silver")
    candidate = store_candidate(storage, PARTITION, file, manifest, (SEEN, SEEN))
    assert candidate.location == f"{PARTITION.path}/version={candidate.sha256[:16]}"
    assert verify_candidate(storage, candidate, tmp_path).read_bytes() == b"silver"
    storage.write(candidate.file, b"Silver")
    with pytest.raises(CorruptObject, match="written was"):
        verify_candidate(storage, candidate, tmp_path)
    file.write_bytes(b"silver")
    assert store_candidate(storage, PARTITION, file, manifest, (SEEN, SEEN)) == candidate
    assert verify_candidate(storage, candidate, tmp_path).read_bytes() == b"silver"
