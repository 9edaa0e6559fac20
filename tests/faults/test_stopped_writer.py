"""A run that is stopped at any line, and wakes when another run has published newer data, changes nothing."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.runs.history import RunStatus, read_run
from crypto_lakehouse.runs.orders import first_order_key
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Step
from tests.fakes.bucket import FakeBucket
from tests.faults import test_crash_in_mart as of_mart
from tests.faults.crashing import BOUNDARIES, MART_BOUNDARIES, Crash, Run, run_to_its_end, stopped
from tests.faults.test_crash_anywhere import ROW, Reader, bucket, publish_upstream, seen, version, versions
from tests.hourly_mart import HOURLY_MART, KLINES, registered
from tests.small_lake import SmallLake, dropped, small_lake

__all__ = ["bucket", "versions"]

IN_CI = {("bronze commit", False), ("commit file", True), ("check inputs", True), ("log commit", True)}
MART_IN_CI = {("check inputs", True), ("verdict log", True)}


def stops(boundaries: dict[str, str], in_ci: set[tuple[str, bool]]) -> list[object]:
    """Returns each place to stop at, as parameters of a test."""
    places = [(boundary, is_after) for boundary in boundaries for is_after in (False, True)]
    assert in_ci <= set(places)
    return [
        pytest.param(Crash(*place, signal.SIGSTOP), marks=() if place in in_ci else pytest.mark.slow, id=str(place))
        for place in places
    ]


@pytest.fixture(scope="module")
def seed(versions: dict[str, str]) -> Path:
    """A lake with the first version of the day."""
    return Path(versions["seed"])


def wake_after_newer(bucket: FakeBucket, lake: Path, crash: Crash, without: str = "") -> str:
    """Stops a run with the second version, lets another run publish the third, and wakes it. Returns the third."""
    publish_upstream(bucket, version(1))
    with stopped(Run(lake, bucket.endpoint, "stopped", crash, without)):
        publish_upstream(bucket, version(2))
        assert run_to_its_end(Run(lake, bucket.endpoint, "newer")) == 0
        newest = seen(lake)
        reader = Reader(lake)
        reader.__enter__()
    reader.__exit__()
    # On a busy machine the reader may not have looked since the last call of the catalog.
    assert reader.saw | {seen(lake)} == {newest}, "not even for a moment do readers see an older version"
    return newest


def check_that_the_lake_agrees(lake: Path, table: Table, newest: str) -> None:
    """Holds that the logs know the newest version as the newest, whatever the woken run wrote."""
    assert set(CoverageLog(LocalStorage(lake)).days(table.name)["version"]) == {newest[:16]}
    catalog = EmbeddedCatalog(lake.parent / "rebuilt.sqlite")
    rebuild(catalog, LocalStorage(lake), [table])
    assert [record.sha256 for record in catalog.partitions(table)] == [newest]


@pytest.mark.parametrize("crash", stops(BOUNDARIES, IN_CI))
def test_a_stopped_run_of_a_dataset_that_wakes_does_not_become_the_newest(
    crash: Crash, bucket: FakeBucket, seed: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(seed, lake)
    newest = wake_after_newer(bucket, lake, crash)
    assert seen(lake) == newest
    check_that_the_lake_agrees(lake, ROW, newest)
    for run_id in ("third", "fourth"):
        assert run_to_its_end(Run(lake, bucket.endpoint, run_id)) == 0
        assert seen(lake) == newest
    last = read_run(LocalStorage(lake), first_order_key(Step.PLAN, ROW.name, "fourth"))
    assert last.status is RunStatus.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("without", "boundary"), [("bronze log", "bronze commit"), ("catalog", "catalog")], ids=lambda name: name
)
def test_control_without_the_comparison_the_older_version_comes_back(
    without: str, boundary: str, bucket: FakeBucket, seed: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(seed, lake)
    with pytest.raises(AssertionError, match=r"not even for a moment|verify --repair"):
        wake_after_newer(bucket, lake, Crash(boundary, False, signal.SIGSTOP), without)


@pytest.fixture(scope="module")
def mart_seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    """A lake with a published mart that is behind its inputs, and an archive."""
    folder = tmp_path_factory.mktemp("mart")
    shutil.copytree(of_mart.prepared_versions(tmp_path_factory).seed, folder / "lake")
    with registered(), small_lake(folder) as small:
        yield small


@pytest.mark.parametrize("crash", stops(MART_BOUNDARIES, MART_IN_CI))
def test_a_stopped_run_of_a_mart_that_wakes_does_not_become_the_newest(
    crash: Crash, mart_seed: SmallLake, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(mart_seed.settings.lake, lake)
    small = SmallLake(mart_seed.bucket, mart_seed.settings.model_copy(update={"lake": str(lake)}))
    with stopped(Run(lake, "", "stopped", crash)):
        small.publish(KLINES, of_mart.DAY, dropped(5, 8))
        small.run(KLINES, of_mart.DAY, of_mart.DAY)
        assert run_to_its_end(Run(lake, "", "newer")) == 0
        newest = of_mart.seen(lake)
    assert of_mart.seen(lake) == newest
    check_that_the_lake_agrees(lake, HOURLY_MART, newest)
    assert run_to_its_end(Run(lake, "", "last")) == 0
    assert of_mart.seen(lake) == newest
    last = read_run(LocalStorage(lake), first_order_key(Step.PLAN, HOURLY_MART.name, "last"))
    assert last.status is RunStatus.NOTHING_TO_DO
