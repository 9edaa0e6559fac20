"""Failing system calls, full and read-only disks, missing rights, exhausted limits and kills at any time.

After each of them the exit code, the printed document and the results in the lake agree. Readers have the old or the
new version, whole. The next run on a sound machine ends in the bytes of an undisturbed run and leaves nothing behind.
"""

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.runs.history import RunStatus, read_run
from crypto_lakehouse.runs.results import Status, read_result
from crypto_lakehouse.vocabulary import Step
from tests.fakes.bucket import FakeBucket
from tests.faults.disturbing import (
    CALLS,
    QUERY,
    CountedCalls,
    Disturbance,
    FailingCall,
    Limit,
    OtherUser,
    Outcome,
    Place,
    ReadOnly,
    SmallDisk,
    Traced,
    ingest,
    run,
)
from tests.faults.killing import killed, programs_in
from tests.faults.test_crash_anywhere import ROW, bucket, seen, versions
from tests.waiting import wait_until

__all__ = ["bucket", "versions"]

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk, or become another user")
NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt install strace")
NONE_LEFT, WITHIN, FOR_EVER = (0, 65, 75), False, True


@dataclass
class Lake:
    """A lake with the old version, whose archive has the new one."""

    place: Place
    seed: str
    old: str
    new: str

    def reset(self) -> None:
        """Makes it as it was before the first run."""
        shutil.rmtree(self.place.lake, ignore_errors=True)
        shutil.copytree(self.seed, self.place.lake)

    def after(self, disturbance: Disturbance, *, knows_errors: bool = True) -> Outcome:
        """Runs the command on a bad day, and checks all that must hold then and afterwards."""
        outcome = ingest(self.place, disturbance, knows_errors=knows_errors)
        assert sum(outcome.fired.values()) > 0, "the injector did not fire"
        self.check(outcome)
        self.converges()
        return outcome

    def published(self) -> str:
        """Returns the sha256 of the one file that readers see, which they can read whole.

        A publication that ended before the catalog's call leaves the logs ahead: this the next run must mend.
        """
        (record,) = EmbeddedCatalog(self.place.lake / "catalog" / "catalog.sqlite").partitions(ROW)
        verify_candidate(LocalStorage(self.place.lake), record, self.place.root / "read")
        return record.sha256

    def check(self, outcome: Outcome) -> None:
        """Checks that nothing is half, and that all say the same of it."""
        assert outcome.code in NONE_LEFT, outcome.errors
        assert "Traceback" not in outcome.errors
        assert self.published() in {self.old, self.new}
        if outcome.code == 0:
            assert seen(self.place.lake) == self.new
            assert outcome.document["failures"] == []
        assert (outcome.document.get("status") == "failed") is (outcome.code != 0)
        if "order" in outcome.document:
            self._check_results(outcome)

    def _check_results(self, outcome: Outcome) -> None:
        storage, order = LocalStorage(self.place.lake), outcome.document["order"]
        is_well = read_run(storage, order).status is not RunStatus.FAILED and self._is_reported(storage, order)
        assert is_well is (outcome.code == 0)
        for failure in outcome.document["failures"]:
            assert len(failure["message"].splitlines()) >= 2, "what happened, and what to do"

    def _is_reported(self, storage: LocalStorage, order: str) -> bool:
        try:
            return read_result(storage, order, Step.REPORT).status is not Status.FAILED
        except LakehouseError:
            return False

    def converges(self) -> None:
        """Checks that the next run ends where undisturbed runs end, and clears everything away."""
        outcome = ingest(self.place)
        assert outcome.code == 0, outcome.errors
        assert seen(self.place.lake) == self.new
        assert self.place.leftovers() == []


@pytest.fixture
def lake(bucket: FakeBucket, versions: dict[str, str], tmp_path: Path) -> Lake:
    lake = Lake(Place(tmp_path, bucket.endpoint), versions["seed"], versions["old"], versions["new"])
    lake.reset()
    return lake


@pytest.fixture(scope="module")
def counted(bucket: FakeBucket, versions: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often an undisturbed run calls each function of the system."""
    folder = tmp_path_factory.mktemp("counted")
    shutil.copytree(versions["seed"], folder / "lake")
    calls = ingest(Place(folder, bucket.endpoint), CountedCalls()).fired
    assert set(calls) == set(CALLS), "each function that may fail is called in a run"
    return calls


def first_message(outcome: Outcome) -> str:
    """Returns what the command says of its first failure: of a step, or of the run where no step began."""
    message: str = outcome.document.get("failures", [outcome.document.get("error")])[0]["message"]
    return message


def point(calls: int, part: float) -> int:
    """Returns the number of the call at so much of a run, from 1."""
    return 1 + int(part * (calls - 1))


@pytest.mark.parametrize(
    ("call", "part", "error", "lasts"),
    [
        ("fsync", 0.0, "ENOSPC", FOR_EVER),
        ("fsync", 0.6, "EIO", WITHIN),
        ("replace", 0.0, "ENOSPC", WITHIN),
        pytest.param("replace", 1.0, "EIO", FOR_EVER, marks=pytest.mark.slow),
        ("link", 0.0, "EIO", WITHIN),
        ("link", 1.0, "EROFS", FOR_EVER),
        ("mkdir", 0.5, "ENOSPC", FOR_EVER),
        ("open", 0.3, "EMFILE", FOR_EVER),
        pytest.param("open", 0.7, "EACCES", WITHIN, marks=pytest.mark.slow),
        ("unlink", 0.5, "EIO", WITHIN),
        ("scandir", 0.5, "EIO", FOR_EVER),
        ("connect", 0.0, "ECONNREFUSED", FOR_EVER),
    ],
)
def test_a_call_of_the_system_fails(
    call: str, part: float, error: str, lasts: bool, lake: Lake, counted: Counter[str]
) -> None:
    outcome = lake.after(FailingCall(call, point(counted[call], part), error, lasts))
    if lasts:
        assert outcome.code != 0
    if outcome.code and error == "ENOSPC":
        assert first_message(outcome).startswith(f"no space is left for {lake.place.root}/")


def test_without_the_translation_a_full_disk_would_be_a_bug(lake: Lake, counted: Counter[str]) -> None:
    full = FailingCall("fsync", point(counted["fsync"], 0.5), "ENOSPC", FOR_EVER)
    outcome = ingest(lake.place, full, knows_errors=False)
    assert outcome.fired["fsync"] > 0
    assert outcome.code == 70
    with pytest.raises(AssertionError):
        lake.check(outcome)


@pytest.mark.parametrize("size", [2_000, pytest.param(20_000, marks=pytest.mark.slow), 60_000])
def test_files_cannot_grow_any_more(size: int, lake: Lake) -> None:
    outcome = lake.after(Limit("RLIMIT_FSIZE", size))
    assert outcome.code == 75


def test_there_are_no_more_open_files(lake: Lake) -> None:
    assert lake.after(Limit("RLIMIT_NOFILE", 8)).code == 75


@NEEDS_ROOT
@pytest.mark.parametrize("folder", ["lake", "work"])
def test_a_folder_is_read_only(folder: str, lake: Lake) -> None:
    outcome = lake.after(ReadOnly(folder))
    assert outcome.code == 65
    assert "Read-only file system" in outcome.errors + str(outcome.document)


@NEEDS_ROOT
@pytest.mark.parametrize("disturbance", [ReadOnly("lake"), SmallDisk("lake", room=0)], ids=["read-only", "full"])
def test_a_lake_that_cannot_be_written_can_be_read(disturbance: Disturbance, lake: Lake) -> None:
    outcome = run(lake.place, QUERY, disturbance)
    assert outcome.fired["mounted"] == 1
    assert (outcome.code, outcome.document["rows"]) == (0, [{"n": 1440}]), outcome.errors


@NEEDS_ROOT
@pytest.mark.parametrize(
    "path",
    [
        "bronze/binance_um_klines/log",
        pytest.param("catalog/catalog.sqlite", marks=pytest.mark.slow),
        pytest.param("catalog", marks=pytest.mark.slow),
        pytest.param("bronze/binance_um_klines", marks=pytest.mark.slow),
        pytest.param("silver/binance_um_klines", marks=pytest.mark.slow),
        pytest.param("silver/binance_um_klines/verdicts", marks=pytest.mark.slow),
        pytest.param("coverage", marks=pytest.mark.slow),
        pytest.param("runs/binance_um_klines", marks=pytest.mark.slow),
    ],
)
def test_a_path_may_not_be_used_by_this_user(path: str, lake: Lake) -> None:
    outcome = lake.after(OtherUser(path))
    assert outcome.code == 65
    assert "cannot be used" in outcome.errors + str(outcome.document)


PAGES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@NEEDS_ROOT
@pytest.mark.slow
@pytest.mark.parametrize("folder", ["lake", "work"])
@pytest.mark.parametrize(
    "room", [*({"room": 4096 * pages} for pages in PAGES), {"inodes": 0}, {"inodes": 4}, {"inodes": 30}], ids=str
)
def test_a_disk_is_full(folder: str, room: dict[str, int], lake: Lake) -> None:
    outcome = lake.after(SmallDisk(folder, **room))
    if outcome.code:
        assert outcome.code == 75
        assert f"no space is left for {getattr(lake.place, folder)}" in str(outcome.document)
    else:
        assert sum(room.values()) > 4096


TRACED = [
    (call, part, error, lasts)
    for call in ("write", "pwrite64", "fsync", "rename", "link", "connect", "openat", "mkdir", "unlink")
    for error in ("EIO", "ENOSPC", "EINTR")
    for lasts in (WITHIN, FOR_EVER)
    # Python repeats a call that a signal interrupted, as often as it is interrupted. An engine in Rust wakes its
    # threads by a `write`, which no signal interrupts and which never fails outside of tests.
    if not (error == "EINTR" and (lasts or call == "write"))
    if not (call == "write" and lasts)
    for part in (0.0, 0.2, 0.4, 0.6, 0.8)
    # A process that can open nothing from its first line on cannot load what reports an error.
    if not (call == "openat" and lasts and not part)
]


@pytest.fixture(scope="module")
def traced(bucket: FakeBucket, versions: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often an undisturbed run makes each system call."""
    counts: Counter[str] = Counter()
    for call in sorted({call for call, *_ in TRACED}):
        folder = tmp_path_factory.mktemp("traced")
        shutil.copytree(versions["seed"], folder / "lake")
        counts[call] = ingest(Place(folder, bucket.endpoint), Traced(call)).fired["calls"]
    return counts


def test_the_points_are_at_least_two_hundred() -> None:
    assert len(TRACED) >= 200


@NEEDS_STRACE
@pytest.mark.slow
@pytest.mark.parametrize(("call", "part", "error", "lasts"), TRACED)
def test_any_system_call_fails(
    call: str, part: float, error: str, lasts: bool, lake: Lake, traced: Counter[str]
) -> None:
    number = point(traced[call], part)
    for each in (*range(number, 0, -1), *range(number + 1, traced[call])):
        outcome = ingest(lake.place, Traced(call, error, f"{each}+" if lasts else str(each)))
        if outcome.fired["injected"]:
            break
        lake.reset()
    assert outcome.fired["injected"] > 0, "the injector did not fire"
    lake.check(outcome)
    lake.converges()


@pytest.fixture(scope="module")
def seconds(bucket: FakeBucket, versions: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an undisturbed run takes here and now."""
    folder = tmp_path_factory.mktemp("timed")
    shutil.copytree(versions["seed"], folder / "lake")
    started = time.monotonic()
    assert ingest(Place(folder, bucket.endpoint)).code == 0
    return time.monotonic() - started


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= 3 else ()) for seed in range(200)]
)
def test_a_kill_at_any_time_and_one_more_run_leave_nothing_behind(seed: int, lake: Lake, seconds: float) -> None:
    chance = random.Random(seed)
    how = signal.SIGTERM if seed % 4 == 3 else signal.SIGKILL
    delay = chance.random() * seconds
    # A run that ended first was not killed. It is tried again, with less time.
    while (code := killed(lake.place, partial(_wait, delay), how)) not in {-how, 128 + how}:
        assert code == 0
        lake.reset()
        delay /= 2
    wait_until(lambda: programs_in(lake.place.root) == [])
    assert lake.published() in {lake.old, lake.new}
    lake.converges()


def _wait(seconds: float, process: BaseProcess) -> None:
    process.join(seconds)


def test_s5cmd_ends_with_a_killed_run_and_its_scratch_is_removed(lake: Lake, bucket: FakeBucket) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()
    before = bucket.fault

    def stall(path: str) -> tuple[int, bytes] | None:
        if path.partition("?")[0].endswith(".zip"):
            is_asked.set()
            may_answer.wait()
        return before(path)

    def downloading(_: object) -> None:
        is_asked.wait()
        assert [command for command in programs_in(lake.place.work) if "s5cmd" in command] != [], "the control"

    bucket.fault = stall
    try:
        assert killed(lake.place, downloading, signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: programs_in(lake.place.work) == [])
        assert lake.place.leftovers() != [], "the control: a kill leaves scratch behind"
    finally:
        bucket.fault = before
        may_answer.set()
    lake.converges()
