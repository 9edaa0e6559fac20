"""A collection removes what nobody needs, and never what a reader or an unfinished run may still need."""

import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse import instants
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject, InvalidRequest
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.running import run_alone
from crypto_lakehouse.runs.figures import CollectFigures
from crypto_lakehouse.runs.orders import CollectOrder, GapsOrder, InstrumentsOrder
from crypto_lakehouse.runs.outcomes import CollectOutcome, Reach
from crypto_lakehouse.vocabulary import Market, Step
from tests.crypto_lakehouse.steps.batches import planned
from tests.crypto_lakehouse.steps.test_scrub import UM, filled
from tests.small_lake import SmallLake, dropped

YEAR = 400 * 86_400


def aged(small: SmallLake, pattern: str = "**/*", seconds: int = YEAR) -> None:
    """Makes files of the lake look as if they had been written long ago."""
    then = time.time() - seconds
    for path in Path(small.settings.lake).glob(pattern):
        if path.is_file():
            os.utime(path, (then, then))


def pass_days(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Makes the clock show a time that is so many days after now."""
    monkeypatch.setattr(instants, "_clock", lambda: datetime.now(UTC) + timedelta(days=days))


def collect(small: SmallLake, *, dry_run: bool = False) -> CollectFigures:
    return outcome(small, dry_run=dry_run).figures


def outcome(small: SmallLake, *, dry_run: bool = False) -> CollectOutcome:
    collected: CollectOutcome = run_alone(Step.COLLECT, CollectOrder("collect", dry_run), small.settings).completed()
    return collected


def versions(small: SmallLake) -> list[Path]:
    return sorted(Path(small.settings.lake).glob("silver/**/data.parquet"))


def test_old_versions_leftovers_and_records_go_and_readers_keep_what_they_have(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(small)
    rows = small.lake.scan(UM).collect()
    leftover = f"bronze/{UM}/objects/daily/BTCUSDT/1h/2023-01-01/{'0' * 64}.zip"
    small.storage.write(leftover, b"of a killed pull")
    small.storage.write(f"damaged/0123456789abcdef/{leftover}", b"rotten")
    pass_days(monkeypatch, 400)
    counted = collect(small, dry_run=True)
    assert (counted.versions, counted.objects, counted.damaged) == (1, 1, 1)
    assert counted.version_bytes > 1000
    assert counted.runs > 10
    assert len(versions(small)) == 2, "a dry run removes nothing"
    removed = collect(small)
    assert replace(removed, unfinished=0, runs=0, run_bytes=0) == replace(counted, runs=0, run_bytes=0)
    assert [str(path) for path in versions(small)] == [
        str(Path(small.settings.lake, record.file)) for record in open_catalog(small.settings).partitions(dataset(UM))
    ]
    assert not small.storage.exists(leftover)
    assert small.lake.scan(UM).collect().equals(rows)
    assert verify(open_catalog(small.settings), small.storage, [dataset(UM)], deep=True) == []
    assert list(Path(small.settings.lake).glob(f"runs/{UM}/*/*.json")) == []
    assert list(Path(small.settings.lake).glob(f"runs/{UM}/log/*")), "a log is no run"


def test_records_of_the_runs_of_every_subject_go(small: SmallLake) -> None:
    filled(small)
    run_alone(Step.GAPS, GapsOrder("gaps"), small.settings)
    run_alone(Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "master", ask=False), small.settings)
    aged(small)
    subjects = {path.parts[-3] for path in Path(small.settings.lake).glob("runs/*/*/*.json")}
    assert subjects == {UM, "lake", "binance_um"}
    collect(small)
    left = {path.parts[-3] for path in Path(small.settings.lake).glob("runs/*/*/*.json")}
    assert left == {"lake"}, "the records of this collection"
    assert list(Path(small.settings.lake).glob("instruments/binance_um/*/*")), "the master is no run"


def test_nothing_that_is_younger_than_the_grace_goes(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(small)
    assert not any(collect(small).counts().values())
    pass_days(monkeypatch, small.settings.maintenance.grace_days - 1)
    assert not any(collect(small).counts().values())
    pass_days(monkeypatch, small.settings.maintenance.grace_days + 1)
    counts = collect(small)
    assert (counts.versions, counts.runs) == (1, 0), "records are kept longer"


def test_the_grace_of_an_old_version_starts_when_it_is_replaced(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(small)
    aged(small)
    assert collect(small).versions == 0, "written a year ago, and replaced just now: a reader may still have it open"
    pass_days(monkeypatch, small.settings.maintenance.grace_days + 1)
    assert collect(small).versions == 1


def test_a_dry_run_says_how_far_back_readers_can_look_afterwards(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(small)
    assert outcome(small, dry_run=True).reaches == (), "all versions are kept"
    now = {row.partition: row.published_at for row in open_catalog(small.settings).partitions(dataset(UM))}
    (replaced_at,) = now.values()
    pass_days(monkeypatch, 400)
    promised = outcome(small, dry_run=True).reaches
    assert promised == (Reach(UM, replaced_at),)
    before = replaced_at - timedelta(microseconds=1)
    assert small.lake.scan(UM, as_of=before).collect().height == 96, "a dry run removes nothing"
    assert outcome(small).reaches == promised
    assert small.lake.scan(UM, as_of=replaced_at).collect().height == 95
    with pytest.raises(InvalidRequest, match=f"reach back to as_of {re.escape(replaced_at.isoformat())}"):
        small.lake.scan(UM, as_of=before)
    assert outcome(small, dry_run=True).reaches == promised, "also where nothing is left to remove"


def test_a_candidate_of_a_run_whose_outcome_is_unknown_stays(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    batch = planned(small)
    batch.run(Step.PULL, Step.CONFORM, Step.GATE)
    aged(small)
    assert not any(collect(small).counts().values()), "neither the candidate nor the records of its run"
    (candidate,) = versions(small)
    # Another run publishes a newer version: the candidate can never be published any more.
    small.publish(UM, "2024-01-08", dropped(2, 3))
    small.run(UM, "2024-01-08", "2024-01-08")
    aged(small)
    assert collect(small).versions == 1
    assert not candidate.exists()
    assert small.lake.scan(UM).collect().height == 23


def test_a_damaged_log_ends_the_collection_before_it_removes_anything(small: SmallLake) -> None:
    filled(small)
    aged(small)
    (log, *_) = sorted(Path(small.settings.lake).glob(f"silver/{UM}/verdicts/*"))
    log.write_bytes(log.read_bytes()[:-3])
    with pytest.raises(CorruptObject, match="is damaged"):
        collect(small)
    assert len(versions(small)) == 2
