"""The demonstration: serves an archive as a bucket, runs the real DAGs in Airflow, and shows the results."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from crypto_lakehouse.children import bound_to_us
from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment, prepare
from crypto_lakehouse.demo.requests import (
    EXCHANGE_NOW,
    DagRun,
    bucket_runs,
    folder_runs,
    synthetic_requests,
    synthetic_runs,
)
from crypto_lakehouse.demo.serving import serve_bucket, serve_exchange
from crypto_lakehouse.demo.summary import show_summary
from crypto_lakehouse.demo.synthetic import build_archive
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import ArchiveSettings

HOME = REPOSITORY / ".demo"
PROCESSES = 3
"""Airflow processes that run DAGs at the same time. They wait for much of their time."""


@dataclass(frozen=True, slots=True)
class Source:
    """The archive of a demonstration, and the DAG runs on it.

    Args:
        title: Short description for the reader.
        home: Folder of the lake and of Airflow.
        runs: The DAG runs.
        folder: The folder to serve as a bucket. None for a bucket that exists.
        bucket: Name of the bucket.
    """

    title: str
    home: Path
    runs: Sequence[DagRun]
    folder: Path | None
    bucket: str = ArchiveSettings().bucket


@dataclass(slots=True)
class Finished:
    """A finished DAG run: its state, run id and seconds."""

    dataset: str
    state: str
    run_id: str
    seconds: float


@dataclass(slots=True)
class _Board:
    """Collects the events of the Airflow processes, and prints them."""

    console: Console
    total: int
    finished: list[Finished] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_line(self, line: str) -> None:
        """Takes a line that an Airflow process printed. Only lines that start with @ are events."""
        with self.lock:
            if not line.startswith("@"):
                return
            facts = json.loads(line[1:])
            if facts["event"] == "end":
                done = Finished(facts["dag_id"], facts["state"], facts["run_id"], facts["seconds"])
                self.finished.append(done)
                mark = "[green]done[/]" if done.state == "success" else "[red]failed[/]"
                count = f"{len(self.finished):>2}/{self.total}"
                self.console.print(f"  {count} {mark} {done.dataset} in {done.seconds:.1f} s", highlight=False)
            elif facts["event"] == "start":
                self.console.print(f"        [dim]started {facts['dag_id']}[/]", highlight=False)


def chosen_source(archive: str, options: Mapping[str, str]) -> Source:
    """Returns the source for the arguments of `make demo`.

    Args:
        archive: Empty for the synthetic archive, a folder with the layout of the bucket, or `s3://bucket`.
        options: SYMBOLS, START and END, for a bucket.

    Raises:
        InvalidRequest: There is no such folder, or an option is missing or wrong.
    """
    if not archive:
        return Source("a synthetic archive", HOME / "synthetic", synthetic_runs(), HOME / "synthetic" / "archive")
    if archive.startswith("s3://"):
        symbols = tuple(options.get("SYMBOLS", "").replace(",", " ").split())
        try:
            days = date.fromisoformat(options.get("START", "")), date.fromisoformat(options.get("END", ""))
        except ValueError as error:
            raise InvalidRequest("START and END are not days", "Give START=2024-12-30 END=2025-01-02") from error
        bucket = archive.removeprefix("s3://").strip("/")
        return Source(f"the bucket {bucket}", HOME / "bucket", bucket_runs(symbols, *days), None, bucket)
    folder = Path(archive).resolve()
    if not folder.is_dir():
        raise InvalidRequest(
            f"{archive} is not a folder", "Give a folder with the layout of the bucket: data/spot/daily/..."
        )
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return Source(f"the folder {archive}", HOME / f"folder-{digest}", folder_runs(folder), folder)


def run_demo(source: Source, console: Console) -> int:
    """Runs the demonstration. Returns 0 if every DAG run succeeded, else 1."""
    started = time.monotonic()
    console.print(
        f"[bold]Crypto lakehouse[/]: {source.title}, {len(source.runs)} datasets, Airflow on an embedded lake"
    )
    if source.folder == HOME / "synthetic" / "archive":
        _build_synthetic(source.folder, console)
    with _endpoint(source) as endpoint, _exchange(source) as exchange:
        environment = _environment(source, {"CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": endpoint, **exchange})
        console.print("Preparing Airflow's database ...")
        prepare(environment)
        console.print(f"Running the DAGs, {PROCESSES} at a time:")
        finished = _run_dags(source, environment, console)
    is_whole = show_summary(source.home / "lake", finished, console)
    console.print(f"[dim]{time.monotonic() - started:.0f} s in total[/]")
    return 0 if is_whole and len(finished) == len(source.runs) else 1


def _build_synthetic(folder: Path, console: Console) -> None:
    marker = folder / "SYNTHETIC.txt"
    if marker.is_file():
        return
    console.print("Building a small [bold]synthetic[/] archive in the exchange's own format ...")
    # Built in another folder and then moved, so that an interrupted build is not mistaken for a complete one.
    unfinished = folder.with_name("archive.unfinished")
    count = build_archive(unfinished, synthetic_requests())
    unfinished.replace(folder)
    console.print(f"  {count} zips in {_shown(folder)}; no price in them is real")


@contextmanager
def _endpoint(source: Source) -> Iterator[str]:
    if source.folder is None:
        yield os.environ.get("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", ArchiveSettings().endpoint_url)
        return
    with serve_bucket(source.folder, source.bucket) as endpoint:
        yield endpoint


@contextmanager
def _exchange(source: Source) -> Iterator[dict[str, str]]:
    """Yields the settings of the exchange: the real exchange for its bucket, none for a folder, else a local one."""
    if source.folder is None:
        yield {}
    elif source.folder != HOME / "synthetic" / "archive":
        yield {"CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false"}
    else:
        program = [sys.executable, "-m", "tests.fakes.exchange", "--still", "--now", EXCHANGE_NOW.isoformat()]
        with serve_exchange(program, REPOSITORY) as url:
            yield {
                "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "true",
                **{f"CRYPTO_LAKEHOUSE_EXCHANGE__{name.upper()}_URL": f"{url}/{name}" for name in ("spot", "um", "cm")},
                "CRYPTO_LAKEHOUSE_EXCHANGE__LIMITS_FILE": str(source.home / "limits.sqlite"),
            }


def _environment(source: Source, servers: Mapping[str, str]) -> dict[str, str]:
    extra = {
        **servers,
        "CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET": source.bucket,
        "CRYPTO_LAKEHOUSE_RUNNER": "local",
    }
    return airflow_environment(source.home / "airflow", str(source.home / "lake"), extra)


def _run_dags(source: Source, environment: Mapping[str, str], console: Console) -> list[Finished]:
    board = _Board(console, len(source.runs))
    shares = [source.runs[number::PROCESSES] for number in range(PROCESSES)]
    threads = [
        threading.Thread(target=_run_share, args=(number, share, source.home, environment, board))
        for number, share in enumerate(shares)
        if share
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return board.finished


def _run_share(number: int, share: Sequence[DagRun], home: Path, environment: Mapping[str, str], board: _Board) -> None:
    orders = home / f"runs-{number}.json"
    content: list[dict[str, Any]] = [{"dag_id": run.dataset, "conf": run.conf} for run in share]
    orders.write_text(json.dumps(content), encoding="utf-8")
    log = home / f"airflow-{number}.log"
    arguments = [sys.executable, "-m", "lakehouse_airflow.run_dags", str(orders)]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and script, an argument list
            bound_to_us(arguments, signal.SIGTERM),
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        for line in process.stdout or ():
            board.take_line(line)
        if process.wait():
            board.console.print(f"[red]Airflow process {number} ended with {process.returncode}[/]; see {_shown(log)}")


def _shown(path: Path) -> str:
    """Returns a path relative to the repository, where it is inside."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)
