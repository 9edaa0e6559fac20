"""A run that dies anywhere leaves readers the old or the new version, and one rerun ends in the same bytes."""

import hashlib
import json
import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, zipped
from crypto_lakehouse.lake.faults import FileKind
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.fakes.bucket import FakeBucket, serving
from tests.faults.crashing import BOUNDARIES, Crash, Run, crashes, processes, run_to_its_end
from tests.faults.crashing import carry_out as carry_out_run
from tests.prepared import prepared
from tests.waiting import STANDSTILL_SECONDS

ROW = dataset("binance_um_klines")
KEY = ArchiveKey(ROW, Frequency.DAILY, "BTCUSDT", Interval.M1, date(2024, 1, 10))
PARTITION = "kline_interval=1m/symbol_key=BTCUSDT/period=2024-01"
TERMINATED_IN_CI = {"unzip", "log commit", "catalog"}
"""SIGTERM ends a run by the same code at each boundary: a few of them show it, the slow set tries all."""
KILLED_BEFORE_IN_CI = {"download", "cleanup", "write", "candidate", "gate", "coverage log", "check inputs"}
"""Where SIGKILL before a boundary leaves other files than SIGKILL after another one. The slow set tries all."""


def is_slow(crash: Crash) -> bool:
    """Returns whether CI shows the same already by another crash."""
    if crash.signal is signal.SIGTERM:
        return not (crash.is_after and crash.boundary in TERMINATED_IN_CI)
    return not (crash.is_after or crash.boundary in KILLED_BEFORE_IN_CI)


CRASHES = crashes(BOUNDARIES, is_slow)


def version(number: int) -> bytes:
    """Returns the rows of the day without its last `number` minutes."""
    lines = synthetic_csv(KEY).split(b"\n")[:-1]
    return b"\n".join(lines[: len(lines) - number]) + b"\n"


def publish_upstream(bucket: FakeBucket, csv: bytes) -> None:
    content = zipped(f"{KEY.stem}.csv", csv)
    bucket.objects[KEY.key] = content
    bucket.objects[KEY.checksum_key] = f"{hashlib.sha256(content).hexdigest()}  {KEY.stem}.zip".encode()


def seen(lake: Path) -> str:
    """Returns the sha256 of the one file readers see; it is whole, and the catalog says the same of it."""
    catalog = EmbeddedCatalog(lake / "catalog" / "catalog.sqlite")
    published = listed(catalog)
    # A crash may leave the catalog behind the log of verdicts: a rerun or a rebuild publishes. No file may be damaged.
    faults = verify(catalog, LocalStorage(lake), [ROW], deep=True)
    assert [fault for fault in faults if fault.kind is FileKind.PUBLISHED] == []
    return published.sha256


def listed(catalog: EmbeddedCatalog) -> PublishedPartition:
    """Returns the one entry of the catalog."""
    records = catalog.partitions(ROW)
    assert [record.partition for record in records] == [PARTITION]
    return records[0]


def coverage_of(lake: Path) -> list[tuple[object, ...]]:
    """Returns what the lake knows of its one day; the hole and what the replaced object changed are known, too."""
    log = CoverageLog(LocalStorage(lake))
    assert log.holes(ROW.name)["missing"].to_list() == [1]
    assert log.reconciliations(ROW.name).select("equal", "only_other").rows() == [(1439, 1)]
    return log.days(ROW.name).select("version", "condition", "rows", "missing").rows()


@pytest.fixture(scope="module")
def bucket() -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as served:
        yield served


@pytest.fixture(scope="module")
def versions(bucket: FakeBucket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A lake with the first version, and the sha256 of both, as undisturbed runs make them.

    The archive has the second one.
    """
    folder = prepared(tmp_path_factory, "dataset", make_versions)
    publish_upstream(bucket, version(1))
    return {"seed": str(folder / "seed"), **json.loads((folder / "versions.json").read_text())}


def make_versions(folder: Path) -> None:
    """Runs the pipeline over both versions; keeps the lake with the first one, and their sha256."""
    with serving(FakeBucket()) as bucket:
        publish_upstream(bucket, version(0))
        assert run_to_its_end(Run(folder / "lake", bucket.endpoint, "first")) == 0
        old = seen(folder / "lake")
        shutil.copytree(folder / "lake", folder / "seed")
        # Published again with its last minute missing: degraded, and another version.
        publish_upstream(bucket, version(1))
        assert run_to_its_end(Run(folder / "lake", bucket.endpoint, "second")) == 0
        new = seen(folder / "lake")
    assert old != new
    (folder / "versions.json").write_text(json.dumps({"old": old, "new": new}))


class Reader:
    """Looks at the lake all the time, as a reader would, and remembers what it saw.

    It reads a version whole when it sees it first, or again after another one. Otherwise it holds the size of the file
    against the catalog: fifty whole reads in a second would take a core from the run it watches.
    """

    def __init__(self, lake: Path) -> None:
        self._lake, self._stop, self.saw = lake, threading.Event(), set[str]()
        self._thread = threading.Thread(target=self._look)
        self.trouble: list[BaseException] = []

    def _look(self) -> None:
        catalog, last = EmbeddedCatalog(self._lake / "catalog" / "catalog.sqlite"), ""
        try:
            while not self._stop.wait(0.02):
                published = listed(catalog)
                if published.sha256 != last:
                    last = seen(self._lake)
                    self.saw.add(last)
                else:
                    assert (self._lake / published.file).stat().st_size == published.bytes
        except BaseException as error:
            self.trouble.append(error)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self.trouble == []


def test_the_boundaries_are_at_least_the_fifteen() -> None:
    assert len(BOUNDARIES) >= 15
    assert len(CRASHES) >= 60
    assert set(BOUNDARIES) >= TERMINATED_IN_CI | KILLED_BEFORE_IN_CI


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_leaves_old_or_new_and_one_rerun_converges(
    crash: Crash, bucket: FakeBucket, versions: dict[str, str], tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(versions["seed"], lake)
    with Reader(lake) as reader:
        code = run_to_its_end(Run(lake, bucket.endpoint, "second", crash))
        # The injector fired: the process died of it and did not end by itself.
        assert code == (-signal.SIGKILL if crash.signal is signal.SIGKILL else 143)
        assert seen(lake) in {versions["old"], versions["new"]}
        assert run_to_its_end(Run(lake, bucket.endpoint, "third")) == 0
        assert seen(lake) == versions["new"]
    assert reader.saw <= {versions["old"], versions["new"]}
    assert coverage_of(lake) == [(versions["new"][:16], "degraded", 1439, 1)]
    rebuilt = rebuild(EmbeddedCatalog(tmp_path / "rebuilt.sqlite"), LocalStorage(lake), [ROW])
    assert len(rebuilt.tables[ROW.name].published) == 1
    assert EmbeddedCatalog(tmp_path / "rebuilt.sqlite").partitions(ROW)[0].sha256 == versions["new"]


def test_two_runs_of_one_partition_at_once_end_in_the_same_bytes(
    bucket: FakeBucket, versions: dict[str, str], tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(versions["seed"], lake)
    runs = [processes().Process(target=carry_out_run, args=(Run(lake, bucket.endpoint, f"run-{n}"),)) for n in range(3)]
    with Reader(lake) as reader:
        for one in runs:
            one.start()
        for one in runs:
            one.join(STANDSTILL_SECONDS)
    assert [one.exitcode for one in runs] == [0, 0, 0]
    assert seen(lake) == versions["new"]
    assert reader.saw <= {versions["old"], versions["new"]}


def test_an_overtaken_run_does_not_put_its_older_answer_over_the_newer(
    bucket: FakeBucket, versions: dict[str, str], tmp_path: Path
) -> None:
    from crypto_lakehouse.runs.orders import TransformOrder, write_order
    from crypto_lakehouse.settings import Settings
    from crypto_lakehouse.steps import run_step
    from crypto_lakehouse.vocabulary import Step

    lake = tmp_path / "lake"
    shutil.copytree(versions["seed"], lake)
    storage, settings = LocalStorage(lake), Settings(lake=str(lake))
    # An older run has gated its candidate and stalls before publishing; its catalog entry is taken away.
    EmbeddedCatalog(lake / "catalog" / "catalog.sqlite").remove(_partition())
    key = "runs/binance_um_klines/stalled-00000000/transform-000.json"
    write_order(storage, key, TransformOrder("binance_um_klines", "stalled", "", (PARTITION,)))
    for step in (Step.CONFORM, Step.GATE):
        run_step(step, key, settings)
    assert run_to_its_end(Run(lake, bucket.endpoint, "newer")) == 0
    assert run_step(Step.PUBLISH, key, settings).counts()["partitions_superseded"] == 1
    assert seen(lake) == versions["new"]


def _partition():
    from crypto_lakehouse.lake.partition import Partition

    return Partition.parse(ROW, PARTITION)
