"""A run of a mart that dies anywhere leaves readers the old or the new version, and one rerun converges."""

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.lake.faults import FileKind
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.maintenance.verifying import verify
from tests.faults.crashing import MART_BOUNDARIES, Crash, Run, crashes, run_to_its_end
from tests.hourly_mart import HOURLY_MART, KLINES, METRICS, registered
from tests.prepared import prepared
from tests.small_lake import dropped, small_lake

DAY = "2024-01-10"
KILLED_BEFORE_IN_CI = {"read inputs", "write", "store file", "gate", "check inputs", "coverage log"}
"""Where SIGKILL before a boundary leaves other files than SIGKILL after another one. The slow set tries all."""
# How SIGTERM unwinds is the same for every table: `test_crash_anywhere` has it.
CRASHES = crashes(
    MART_BOUNDARIES,
    is_slow=lambda crash: (
        crash.signal is signal.SIGTERM or not (crash.is_after or crash.boundary in KILLED_BEFORE_IN_CI)
    ),
)
assert set(MART_BOUNDARIES) >= KILLED_BEFORE_IN_CI


@pytest.fixture(autouse=True, scope="module")
def _mart() -> Iterator[None]:
    with registered():
        yield


def seen(lake: Path) -> str:
    """Returns the sha256 of the one file that readers see; it is whole, and the catalog has its sha256."""
    catalog = EmbeddedCatalog(lake / "catalog" / "catalog.sqlite")
    [record] = catalog.partitions(HOURLY_MART)
    # A crash may leave the catalog behind the log of verdicts: a rerun or a rebuild publishes. No file may be damaged.
    faults = verify(catalog, LocalStorage(lake), [HOURLY_MART], deep=True)
    assert [fault for fault in faults if fault.kind is FileKind.PUBLISHED] == []
    return record.sha256


@dataclass(frozen=True)
class Versions:
    """A lake whose mart is behind its inputs, and the mart's version in it and after an undisturbed run."""

    seed: Path
    old: str
    new: str


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return prepared_versions(tmp_path_factory)


def prepared_versions(factory: pytest.TempPathFactory) -> Versions:
    """Returns the lake that all tests of crashes in the mart start with."""
    folder = prepared(factory, "mart", make_versions)
    return Versions(folder / "seed", **json.loads((folder / "versions.json").read_text()))


def make_versions(folder: Path) -> None:
    """Publishes the mart, then an input anew; keeps that lake, and both versions of the mart."""
    with registered(), small_lake(folder) as small:
        for name in (KLINES, METRICS):
            small.publish(name, DAY)
            small.run(name, DAY, DAY)
        lake = Path(small.settings.lake)
        assert run_to_its_end(Run(lake, "", "first")) == 0
        old = seen(lake)
        small.publish(KLINES, DAY, dropped(5, 6))
        small.run(KLINES, DAY, DAY)
    shutil.copytree(lake, folder / "seed")
    assert run_to_its_end(Run(lake, "", "second")) == 0
    new = seen(lake)
    assert old != new
    (folder / "versions.json").write_text(json.dumps({"old": old, "new": new}))


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_in_a_mart_leaves_old_or_new_and_one_rerun_converges(
    crash: Crash, versions: Versions, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(versions.seed, lake)
    code = run_to_its_end(Run(lake, "", "second", crash))
    # The injector fired: the process died of it and did not end by itself.
    assert code == (-signal.SIGKILL if crash.signal is signal.SIGKILL else 143)
    assert seen(lake) in {versions.old, versions.new}
    assert run_to_its_end(Run(lake, "", "third")) == 0
    assert seen(lake) == versions.new
    rebuilt = rebuild(EmbeddedCatalog(tmp_path / "rebuilt.sqlite"), LocalStorage(lake), [HOURLY_MART])
    assert len(rebuilt.tables[HOURLY_MART.name].published) == 1
