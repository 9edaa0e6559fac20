"""Runs the command line in a process of its own on a machine that has a bad day, and reports what came of it.

A disturbance is in force in that process alone, from the first line of the command to its last. It proves that it
fired: by a count of its own, by the log of strace, or because the kernel's limit was met.
"""

import ctypes
import errno
import io
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.crashing import processes
from tests.waiting import STANDSTILL_SECONDS, wait_until

CALLS: dict[str, tuple[Any, str]] = {
    "fsync": (os, "fsync"),
    "replace": (os, "replace"),
    "link": (os, "link"),
    "mkdir": (os, "mkdir"),
    "unlink": (os, "unlink"),
    "scandir": (os, "scandir"),
    "open": (io, "open"),
    "connect": (socket.socket, "connect"),
}
"""The functions of Python by which the lakehouse calls the system."""

_NEW_MOUNTS = 0x00020000
_ANY_TRACER = (0x59616D61, ctypes.c_ulong(-1))


@dataclass(frozen=True)
class FailingCall:
    """A function of the system fails at its n-th call, once or from then on."""

    call: str
    number: int
    error: str
    lasts: bool

    @contextmanager
    def inflicted(self, _place: "Place") -> Iterator[Counter[str]]:
        owner, name = CALLS[self.call]
        function, fired, calls = getattr(owner, name), Counter[str](), Counter[str]()
        code = getattr(errno, self.error)

        def call(*arguments: Any, **named: Any) -> Any:
            calls["all"] += 1
            if calls["all"] == self.number or (self.lasts and calls["all"] > self.number):
                fired[self.call] += 1
                path = next((str(value) for value in arguments if isinstance(value, str | Path)), None)
                raise OSError(code, os.strerror(code), path)
            return function(*arguments, **named)

        setattr(owner, name, call)
        try:
            yield fired
        finally:
            setattr(owner, name, function)


@dataclass(frozen=True)
class CountedCalls:
    """Nothing fails; the calls are counted, so that points to fail at can be chosen."""

    @contextmanager
    def inflicted(self, _place: "Place") -> Iterator[Counter[str]]:
        calls, before = Counter[str](), {}
        for label, (owner, name) in CALLS.items():
            before[label] = getattr(owner, name)
            setattr(owner, name, _counting(before[label], calls, label))
        try:
            yield calls
        finally:
            for label, (owner, name) in CALLS.items():
                setattr(owner, name, before[label])


def _counting(function: Callable[..., Any], calls: Counter[str], label: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        calls[label] += 1
        return function(*arguments, **named)

    return call


@dataclass(frozen=True)
class Limit:
    """A limit of the kernel for the process and the programs that it starts: `RLIMIT_FSIZE`, `RLIMIT_NOFILE`."""

    kind: str
    amount: int

    @contextmanager
    def inflicted(self, _place: "Place") -> Iterator[Counter[str]]:
        kind = getattr(resource, self.kind)
        soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (self.amount, hard))
        try:
            yield Counter[str]({self.kind: int(resource.getrlimit(kind)[0] == self.amount)})
        finally:
            resource.setrlimit(kind, (soft, hard))


@dataclass(frozen=True)
class SmallDisk:
    """The lake, or the work folder, is on a disk of its own that has so much room left. Needs root.

    What is on the disk afterwards is copied back, because only the process itself sees it.

    Args:
        folder: `lake` or `work`.
        room: Bytes that are free.
        inodes: Files and folders that may be added.
    """

    folder: str
    room: int = 1 << 30
    inodes: int = 1 << 20

    @contextmanager
    def inflicted(self, place: "Place") -> Iterator[Counter[str]]:
        folder, copy = getattr(place, self.folder), place.root / "copy"
        folder.mkdir(exist_ok=True)
        shutil.copytree(folder, copy)
        _own_mounts()
        _mount("-t", "tmpfs", "tmpfs", str(folder))
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        shutil.rmtree(copy)
        disk = os.statvfs(folder)
        # A size of 0 would be no limit.
        size = max(1, disk.f_blocks - disk.f_bfree) * disk.f_frsize + self.room
        _mount("-o", f"remount,size={size},nr_inodes={disk.f_files - disk.f_ffree + self.inodes}", str(folder))
        yield Counter({"mounted": int(os.path.ismount(folder))})
        shutil.copytree(folder, copy)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)
        copy.rename(folder)


@dataclass(frozen=True)
class ReadOnly:
    """The lake, or the work folder, is mounted read-only. Needs root."""

    folder: str

    @contextmanager
    def inflicted(self, place: "Place") -> Iterator[Counter[str]]:
        folder = str(getattr(place, self.folder))
        Path(folder).mkdir(exist_ok=True, parents=True)
        _own_mounts()
        _mount("--bind", folder, folder)
        _mount("-o", "remount,bind,ro", folder)
        yield Counter({"mounted": int(bool(os.statvfs(folder).f_flag & os.ST_RDONLY))})


@dataclass(frozen=True)
class OtherUser:
    """The process belongs to a user without rights to a path of the lake. Needs root, to become this user."""

    path: str

    @contextmanager
    def inflicted(self, place: "Place") -> Iterator[Counter[str]]:
        for path in [place.root, *place.root.rglob("*")]:
            os.chown(path, 65534, 65534)
        (forbidden,) = place.lake.glob(self.path)
        os.chown(forbidden, 0, 0)
        forbidden.chmod(0o700 if forbidden.is_dir() else 0o600)
        os.seteuid(65534)
        try:
            yield Counter({"denied": int(not os.access(forbidden, os.R_OK, effective_ids=True))})
        finally:
            os.seteuid(0)
            os.chown(forbidden, 65534, 65534)


@dataclass(frozen=True)
class Traced:
    """A system call of the process, or of a program that it starts, fails: injected by strace.

    Of `write` only the calls of the main thread: the other threads wake each other by it, see `is_disturbance_void`.
    """

    call: str
    error: str = ""
    when: str = ""

    @property
    def of_all_threads(self) -> bool:
        return self.call != "write"

    @contextmanager
    def inflicted(self, place: "Place") -> Iterator[Counter[str]]:
        log, fired = place.trace, Counter[str]()
        inject = ["-e", f"inject={self.call}:error={self.error}:when={self.when}"] if self.error else []
        calls = [*(["-f"] if self.of_all_threads else []), "-e", f"trace={self.call}", *inject]
        arguments = ["strace", "-qq", "-y", "-o", str(log), *calls, "-p", str(os.getpid())]
        ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
        status = os.open("/proc/self/status", os.O_RDONLY)
        with subprocess.Popen(arguments) as strace:
            wait_until(lambda: strace.poll() is not None or _tracer(status) == strace.pid)
            try:
                yield fired
            finally:
                # It lets go of the process, so that what follows is not disturbed.
                os.kill(strace.pid, signal.SIGINT)
                wait_until(lambda: strace.poll() is not None)
        lines = log.read_text(errors="replace").splitlines()
        fired["injected"] = sum("(INJECTED)" in line for line in lines)
        # Each thread has a count of its own for the injection, so the longest of them is what can be counted to.
        made = [line for line in lines if re.search(rf"\b{self.call}\(", line)]
        numbers = Counter(line.split()[0] if self.of_all_threads else "" for line in made)
        fired["calls"] = max(numbers.values(), default=0)


Disturbance = FailingCall | CountedCalls | Limit | SmallDisk | ReadOnly | OtherUser | Traced


def _tracer(status: int) -> int:
    """Returns the process that traces this one; by an open file and `pread`, which are never made to fail."""
    lines = os.pread(status, 1 << 16, 0).decode().splitlines()
    (line,) = [line for line in lines if line.startswith("TracerPid")]
    return int(line.split()[1])


def _own_mounts() -> None:
    """Gives the process its own view of what is mounted where, which ends with it."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@dataclass(frozen=True)
class Place:
    """A lake, its work folder, and the archive that it is filled from."""

    root: Path
    endpoint: str

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def trace(self) -> Path:
        """The log of strace."""
        return self.root / "strace.log"

    def is_disturbance_void(self) -> bool:
        """Returns whether strace let a call fail that never fails outside of tests.

        An engine in Rust wakes its threads by a `write` to an eventfd or a pipe. It waits for ever if that fails.
        """
        lines = self.trace.read_text(errors="replace").splitlines() if self.trace.is_file() else []
        return any("(INJECTED)" in line and re.search(r"<(anon_inode:|pipe:)", line) for line in lines)

    def leftovers(self) -> list[Path]:
        """Returns the scratch folders, and the files in the lake that nobody finished."""
        return [*self.work.glob("*"), *self.lake.rglob(".unfinished/*")]


@dataclass(frozen=True)
class Outcome:
    """How the command ended.

    Args:
        code: Its exit code; None if the disturbance was void, and the command was killed.
        document: The JSON that it printed.
        errors: Its lines on stderr.
        fired: What the disturbance counted.
    """

    code: int | None
    document: dict[str, Any] = field(default_factory=dict)
    errors: str = ""
    fired: Counter[str] = field(default_factory=Counter)


INGEST = [
    *("ingest", "klines", "--market", "um", "--symbols", "BTCUSDT", "--interval", "1m"),
    *("--start-date", "2024-01-10", "--end-date", "2024-01-10", "--json"),
]


QUERY = ["query", "sql", "SELECT count(*) AS n FROM binance_um_klines", "--json"]


def ingest(place: Place, disturbance: Disturbance | None = None, *, knows_errors: bool = True) -> Outcome:
    """Runs an ingest and returns how it ended.

    Args:
        place: The lake and its archive.
        disturbance: What is wrong with the machine.
        knows_errors: Whether errors of the machine are translated; False is the defence switched off.
    """
    return run(place, INGEST, disturbance, knows_errors=knows_errors)


def run(place: Place, command: list[str], disturbance: Disturbance | None, *, knows_errors: bool = True) -> Outcome:
    """Runs a command and returns how it ended; see `ingest`."""
    place.work.mkdir(exist_ok=True)
    report = place.root / "outcome.json"
    report.unlink(missing_ok=True)
    place.trace.unlink(missing_ok=True)
    process = processes().Process(target=carry_out, args=(place, command, disturbance, knows_errors, report))
    process.start()
    if isinstance(disturbance, Traced) and disturbance.error:
        wait_until(lambda: process.exitcode is not None or place.is_disturbance_void())
        if place.is_disturbance_void():
            process.kill()
            process.join()
            return Outcome(None)
    process.join(STANDSTILL_SECONDS)
    assert process.exitcode == 0, "the process itself did not end well"
    told = json.loads(report.read_text())
    return Outcome(told["code"], told["document"], told["errors"], Counter(told["fired"]))


def carry_out(
    place: Place, command: list[str], disturbance: Disturbance | None, knows_errors: bool, report: Path
) -> None:
    """Runs the command; the target of the process."""
    from crypto_lakehouse import foreign_errors

    prepare(place)
    if not knows_errors:
        foreign_errors._known = lambda *_: None
    if disturbance is None:
        code, output, errors = run_command(command)
        fired: Counter[str] = Counter()
    else:
        with disturbance.inflicted(place) as fired:
            code, output, errors = run_command(command)
    document = json.loads(output) if output.startswith("{") else {}
    report.write_text(json.dumps({"code": code, "document": document, "errors": errors, "fired": fired}))


def prepare(place: Place) -> None:
    """Sets the deployment of this process."""
    prefix = "CRYPTO_LAKEHOUSE_"
    os.environ[f"{prefix}LAKE"] = str(place.lake)
    os.environ[f"{prefix}WORK_FOLDER"] = str(place.work)
    os.environ[f"{prefix}ARCHIVE__ENDPOINT_URL"] = place.endpoint
    os.environ[f"{prefix}EXCHANGE__ENABLED"] = "false"
    # A new limit of open files, or a new user, must not meet what is loaded for the first time then.
    import crypto_lakehouse.steps.report  # noqa: F401


def run_command(command: list[str]) -> tuple[int, str, str]:
    """Returns the exit code, stdout and stderr of the command."""
    from crypto_lakehouse.cli import main

    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        code = main(command)
    return code, output.getvalue(), errors.getvalue()
