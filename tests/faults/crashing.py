"""Runs the pipeline in a process of its own that dies at a named boundary, before or after it."""

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import STANDSTILL_SECONDS, wait_until

BOUNDARIES = {
    "plan": "crypto_lakehouse.steps.plan:plan_pull",
    "list": "crypto_lakehouse.archive.bucket:Bucket._get",
    "download": "crypto_lakehouse.archive.pulling:download",
    "checksum": "crypto_lakehouse.archive.pulling:published_sha256",
    "verify": "crypto_lakehouse.archive.pulling:_judge",
    "store file": "crypto_lakehouse.lake.local:LocalStorage.put_file",
    "bronze commit": "crypto_lakehouse.lake.bronze:BronzeLog.commit",
    "cleanup": "crypto_lakehouse.ownership:shutil.rmtree",
    "unzip": "crypto_lakehouse.silver.decode.zips:member_chunks",
    "parse": "crypto_lakehouse.steps.conform:conform_partitions",
    "write": "crypto_lakehouse.lake.partition_file:PartitionWriter.close",
    "candidate": "crypto_lakehouse.steps.conform:store_candidate",
    "gate": "crypto_lakehouse.steps.gate:quality_gate.gate",
    "coverage log": "crypto_lakehouse.coverage.log:CoverageLog.append",
    "commit file": "crypto_lakehouse.lake.commits:sealed",
    "check inputs": "crypto_lakehouse.steps.publish:still_current",
    "log commit": "crypto_lakehouse.lake.log:AppendLog.append_unless_overtaken",
    "verdict log": "crypto_lakehouse.lake.verdicts:VerdictLog.append",
    "catalog": "crypto_lakehouse.catalog.embedded:EmbeddedCatalog.publish",
    "result": "crypto_lakehouse.steps:write_result",
}
"""Every place where the state of the lake is about to change, or has just changed, in a run of a dataset."""

MART_BOUNDARIES = {
    "plan mart": "crypto_lakehouse.steps.plan:compare_mart",
    "read inputs": "crypto_lakehouse.steps.build:verify_candidate",
    "function": "tests.hourly_mart:hourly_interest",
    "write": "crypto_lakehouse.lake.partition_file:PartitionWriter.close",
    "store file": "crypto_lakehouse.lake.local:LocalStorage.put_file",
    "candidate": "crypto_lakehouse.steps.build:store_candidate",
    "gate": "crypto_lakehouse.steps.gate:quality_gate.gate",
    "check inputs": "crypto_lakehouse.steps.publish:still_current",
    "coverage log": "crypto_lakehouse.coverage.log:CoverageLog.append",
    "verdict log": "crypto_lakehouse.lake.verdicts:VerdictLog.append",
    "catalog": "crypto_lakehouse.catalog.embedded:EmbeddedCatalog.publish",
    "result": "crypto_lakehouse.steps:write_result",
}
"""The same in a run of a mart."""

_PRELOADED = [
    *sorted({place.partition(":")[0] for place in (*BOUNDARIES.values(), *MART_BOUNDARIES.values())}),
    *("crypto_lakehouse.running", "crypto_lakehouse.steps.publish", "crypto_lakehouse.steps.report"),
    *("great_expectations", "great_expectations.expectations", "great_expectations.checkpoint"),
    "tests.faults.crashing",
]


@dataclass(frozen=True)
class Crash:
    """Where and how a run dies, or stops until it is woken."""

    boundary: str
    is_after: bool
    signal: signal.Signals

    def __str__(self) -> str:
        return f"{self.signal.name} {'after' if self.is_after else 'before'} {self.boundary}"


def crashes(boundaries: Iterable[str], is_slow: Callable[[Crash], bool]) -> list[Any]:
    """Returns each way to die at each boundary, as parameters of a test.

    Args:
        boundaries: Their names.
        is_slow: Whether a crash is left to the slow set.
    """
    each = [
        Crash(boundary, is_after, how)
        for boundary in boundaries
        for is_after in (False, True)
        for how in (signal.SIGKILL, signal.SIGTERM)
    ]
    return [pytest.param(crash, marks=pytest.mark.slow if is_slow(crash) else (), id=str(crash)) for crash in each]


@dataclass(frozen=True)
class Run:
    """A run of the pipeline over one day, in its own process; of the tests' mart where the archive has no endpoint.

    `without` names a defence that the run does not have, for controls: `bronze log` or `catalog`.
    """

    lake: Path
    endpoint: str
    run_id: str
    crash: Crash | None = None
    without: str = ""

    @property
    def is_of_mart(self) -> bool:
        return not self.endpoint


def processes() -> Any:
    """Returns a maker of processes that have the heavy libraries already, so that a run costs what it does."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def run_to_its_end(run: Run) -> int:
    """Runs it and returns the exit code; negative is the signal that ended it."""
    process = processes().Process(target=carry_out, args=(run,))
    process.start()
    process.join(STANDSTILL_SECONDS)
    assert process.exitcode is not None
    return int(process.exitcode)


@contextmanager
def stopped(run: Run) -> Iterator[None]:
    """Starts a run that stops itself with SIGSTOP at its boundary. It is woken afterwards, and ends without failure."""
    process = processes().Process(target=carry_out, args=(run,))
    process.start()

    def state() -> str:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][:1]

    wait_until(lambda: process.exitcode is not None or state() == "T")
    # The injector fired: the process is stopped, and did not end.
    assert process.exitcode is None
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.join(STANDSTILL_SECONDS)
    assert process.exitcode == 0


def carry_out(run: Run) -> None:
    """Runs the pipeline; the target of the process."""
    from crypto_lakehouse.running import run_pipeline
    from crypto_lakehouse.runs.orders import PlanRequest
    from crypto_lakehouse.settings import ArchiveSettings, Settings
    from tests.hourly_mart import HOURLY_MART, registered

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _disarm(run.without)
    if run.crash is not None:
        _arm(run.crash, MART_BOUNDARIES if run.is_of_mart else BOUNDARIES)
    archive = ArchiveSettings(endpoint_url=run.endpoint) if run.endpoint else ArchiveSettings()
    settings = Settings(lake=str(run.lake), work_folder=run.lake.parent / "work", archive=archive)
    request = PlanRequest("binance_um_klines", run.run_id, "2024-01-10", "2024-01-10", ("BTCUSDT",), ("1m",))
    if run.is_of_mart:
        request = PlanRequest(HOURLY_MART.name, run.run_id, "2024-01-10", "2024-01-10")
    with registered():
        summary = run_pipeline(request, settings)
    sys.exit(1 if summary.failures else 0)


def _disarm(defence: str) -> None:
    from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
    from crypto_lakehouse.lake.bronze import BronzeLog

    publish, commit = EmbeddedCatalog.publish, BronzeLog.commit
    if defence == "catalog":
        EmbeddedCatalog.publish = lambda self, records, _seen=None: publish(self, records)  # type: ignore[method-assign]
    if defence == "bronze log":
        BronzeLog.commit = lambda self, objects, _since=None: commit(self, objects)  # type: ignore[method-assign]


def _arm(crash: Crash, boundaries: dict[str, str]) -> None:
    module_name, _, path = boundaries[crash.boundary].partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, _dying(getattr(owner, name), crash))


def _dying(function: Callable[..., Any], crash: Crash) -> Callable[..., Any]:
    fired: list[bool] = []

    def fire() -> None:
        # Once: threads pass the same boundary, and a second signal would end the ending.
        if not fired:
            fired.append(True)
            os.kill(os.getpid(), crash.signal)

    def call(*arguments: Any, **named: Any) -> Any:
        if not crash.is_after:
            fire()
        outcome = function(*arguments, **named)
        fire()
        return outcome

    return call
