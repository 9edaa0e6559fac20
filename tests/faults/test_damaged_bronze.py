"""A stored object rots: readers keep every day that they have, and the next run brings the object again."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.bronze import BronzeLog, bronze_object
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import BronzeObject, Verdict
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.steps import conform as conform_step
from crypto_lakehouse.vocabulary import Condition, Interval
from tests.small_lake import SmallLake, dropped, small_lake

UM = "binance_um_klines"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty lake, and an archive."""
    with small_lake(tmp_path) as lake:
        yield lake


def days_of(small: SmallLake, name: str = UM) -> list[int]:
    """Returns the days of the month that readers have rows of."""
    time = dataset(name).event_time
    return small.lake.scan(name).collect()[time].dt.day().unique().sort().to_list()


def stored(small: SmallLake, day: int) -> tuple[BronzeObject, Path]:
    """Returns the object of a day, with the path of its bytes."""
    rows = BronzeLog(small.storage).latest(UM).to_dicts()
    (found,) = [known for known in map(bronze_object, rows) if known.first_day.day == day]
    return found, Path(small.settings.lake) / found.path


def verdict(small: SmallLake) -> Verdict:
    """Returns the newest verdict on the one partition."""
    (logged,) = VerdictLog(small.storage).latest(dataset(UM)).values()
    return logged.verdict


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES: tuple[Callable[[Path], object], ...] = (flip, cut, Path.unlink)


def two_days(small: SmallLake) -> None:
    """Publishes the 10th and the 11th, and puts the 12th into the archive."""
    for day in (10, 11):
        small.publish(UM, f"2024-12-{day}")
    assert small.run(UM, "2024-12-10", "2024-12-11").status is RunStatus.SUCCEEDED
    small.publish(UM, "2024-12-12")


@pytest.mark.parametrize("damage", DAMAGES, ids=["a flipped bit", "cut off", "deleted"])
def test_readers_keep_the_days_of_a_rotten_object_and_the_next_run_brings_it_again(
    small: SmallLake, damage: Callable[[Path], object]
) -> None:
    two_days(small)
    damaged, path = stored(small, 10)
    damage(path)
    summary = small.run(UM, "2024-12-12", "2024-12-12")
    assert summary.status is RunStatus.QUARANTINED
    assert summary.figures.conform.partitions_held_back == 1
    assert days_of(small) == [10, 11]
    assert stored(small, 10)[0].damage, "the injector fired, and it is noted"
    # Nobody names the 10th, and the object comes again all the same.
    healed = small.run(UM, "2024-12-12", "2024-12-12")
    assert (healed.figures.plan.objects_damaged, healed.figures.pull.objects) == (1, 1)
    assert healed.status is RunStatus.SUCCEEDED
    assert days_of(small) == [10, 11, 12]
    again, path = stored(small, 10)
    assert (again.sha256, again.path, again.damage) == (damaged.sha256, damaged.path, "")
    assert small.run(UM, "2024-12-12", "2024-12-12").status is RunStatus.NOTHING_TO_DO


def damage_last_commit(small: SmallLake) -> Path:
    path = max((Path(small.settings.lake) / "bronze" / UM / "log").glob("*.commit"))
    flip(path)
    return path


def without_pull(small: SmallLake) -> RunSummary:
    request = PlanRequest(
        UM, new_run_id("test"), "2024-12-10", "2024-12-11", ("BTCUSDT",), ("1h",), pull=False, delta=False
    )
    return run_pipeline(request, small.settings)


@pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "control"])
def test_a_lost_record_of_a_newer_version_never_brings_the_older_one_back(
    is_guarded: bool, small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_guarded:
        monkeypatch.setattr(BronzeLog, "certain_keys", lambda *_: None)
    two_days(small)
    small.publish(UM, "2024-12-11", dropped(3, 5))
    small.run(UM, "2024-12-11", "2024-12-11")
    assert small.lake.scan(UM).collect().height == 46
    damage_last_commit(small)
    summary = without_pull(small)
    assert small.lake.scan(UM).collect().height == (46 if is_guarded else 48)
    if is_guarded:
        assert summary.figures.conform.partitions_held_back == 1
        assert "the Bronze log has lost records" in " ".join(verdict(small).reasons)


@pytest.mark.parametrize("fault", [flip, Path.unlink], ids=["flipped", "gone"])
def test_what_a_damaged_commit_had_is_pulled_again_by_the_next_run(
    fault: Callable[[Path], object], small: SmallLake
) -> None:
    two_days(small)
    commits = sorted((Path(small.settings.lake) / "bronze" / UM / "log").glob("*.commit"))
    fault(commits[0])
    summary = small.run(UM, "2024-12-10", "2024-12-11")
    assert summary.figures.pull.objects > 0
    assert days_of(small) == [10, 11]
    assert small.run(UM, "2024-12-10", "2024-12-11").status is RunStatus.NOTHING_TO_DO


def test_without_the_rule_readers_lose_the_day(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conform_step, "held_back_partitions", lambda *_: {})
    two_days(small)
    flip(stored(small, 10)[1])
    small.run(UM, "2024-12-12", "2024-12-12")
    assert days_of(small) == [11, 12]


def test_damage_that_is_noted_rebuilds_nothing_that_is_sound(small: SmallLake) -> None:
    two_days(small)
    small.run(UM, "2024-12-12", "2024-12-12")
    damaged, _ = stored(small, 10)
    bronze = BronzeLog(small.storage)
    bronze.note_damage({damaged: "a scrub found it"}, bronze.mark(UM))
    healed = small.run(UM, "2024-12-12", "2024-12-12")
    assert healed.figures.pull.objects == 1
    assert healed.figures.conform.candidates == 0
    assert small.run(UM, "2024-12-12", "2024-12-12").status is RunStatus.NOTHING_TO_DO


def test_an_object_that_comes_again_with_fewer_rows_is_published_with_a_note(small: SmallLake) -> None:
    two_days(small)
    small.publish(UM, "2024-12-10", dropped(20, 24))
    assert small.run(UM, "2024-12-10", "2024-12-11").figures.publish.partitions_published == 1
    rows = small.lake.scan(UM).collect()
    assert rows.height == 44
    assert any("4 rows are gone" in reason for reason in verdict(small).reasons)


def test_a_new_version_that_is_refused_takes_no_day_away(small: SmallLake) -> None:
    two_days(small)

    def broken(lines: list[str]) -> None:
        lines[:] = ["this,is,no,kline"] * len(lines)

    small.publish(UM, "2024-12-10", broken)
    summary = small.run(UM, "2024-12-10", "2024-12-11")
    assert summary.status is RunStatus.QUARANTINED
    assert days_of(small) == [10, 11]


def test_a_first_version_without_a_rotten_object_is_published_as_degraded(small: SmallLake) -> None:
    two_days(small)
    open_catalog(small.settings).remove(Partition(dataset(UM), "BTCUSDT", date(2024, 12, 1), Interval.H1))
    flip(stored(small, 10)[1])
    small.run(UM, "2024-12-11", "2024-12-11")
    assert days_of(small) == [11]
    assert verdict(small).condition is Condition.DEGRADED
    small.run(UM, "2024-12-11", "2024-12-11")
    assert days_of(small) == [10, 11]
    assert verdict(small).condition is Condition.AVAILABLE
