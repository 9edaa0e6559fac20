"""The demonstration: serves an archive as a bucket, runs the real DAGs in Airflow, and shows the results."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from crypto_lakehouse.children import bound_to_us
from crypto_lakehouse.demo.airflow_home import prepare
from crypto_lakehouse.demo.masters import update_masters
from crypto_lakehouse.demo.place import HOME, SYNTHETIC_ARCHIVE, Place, remember, served, shown
from crypto_lakehouse.demo.requests import DagRun, bucket_runs, folder_runs, synthetic_requests, synthetic_runs
from crypto_lakehouse.demo.summary import show_summary
from crypto_lakehouse.demo.synthetic import build_archive
from crypto_lakehouse.errors import InvalidRequest

PROCESSES = 2
"""Airflow processes that run DAGs at the same time. They wait for much of their time."""


@dataclass(frozen=True, slots=True)
class Source:
    """A demonstration: its place, and the DAG runs on it."""

    place: Place
    runs: Sequence[DagRun]


@dataclass(slots=True)
class Finished:
    """A finished DAG run: its state, run id and seconds."""

    dataset: str
    state: str
    run_id: str
    seconds: float


@dataclass(slots=True)
class _Board:
    """Collects the events of Airflow's processes, and prints them."""

    console: Console
    total: int
    finished: list[Finished] = field(default_factory=list)

    def take_line(self, line: str) -> None:
        """Takes a line that an Airflow process printed. Only lines that start with @ are events."""
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
        return Source(Place("a synthetic archive", HOME / "synthetic", SYNTHETIC_ARCHIVE), synthetic_runs())
    if archive.startswith("s3://"):
        symbols = tuple(options.get("SYMBOLS", "").replace(",", " ").split())
        try:
            days = date.fromisoformat(options.get("START", "")), date.fromisoformat(options.get("END", ""))
        except ValueError as error:
            raise InvalidRequest("START and END are not days", "Give START=2024-12-30 END=2025-01-02") from error
        bucket = archive.removeprefix("s3://").strip("/")
        place = Place(f"the bucket {bucket}", HOME / "bucket", None, bucket)
        return Source(place, bucket_runs(symbols, *days))
    folder = Path(archive).resolve()
    if not folder.is_dir():
        raise InvalidRequest(
            f"{archive} is not a folder", "Give a folder with the layout of the bucket: data/spot/daily/..."
        )
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return Source(Place(f"the folder {archive}", HOME / f"folder-{digest}", folder), folder_runs(folder))


def run_demo(source: Source, console: Console) -> int:
    """Runs the demonstration. Returns 0 if every DAG run succeeded, else 1."""
    started = time.monotonic()
    place = source.place
    console.print(f"[bold]Crypto lakehouse[/]: {place.title}, {len(source.runs)} datasets, Airflow on an embedded lake")
    if place.is_synthetic:
        _build_synthetic(SYNTHETIC_ARCHIVE, console)
    with served(place) as environment:
        console.print("Preparing Airflow's database ...")
        prepare(environment)
        console.print(f"Running the DAGs, {PROCESSES} at a time:")
        finished = _run_dags(source, environment, console)
        # A list of a whole bucket takes thousands of requests.
        has_masters = place.folder is None or update_masters([run.dataset for run in source.runs], environment, console)
    remember(place)
    is_whole = show_summary(place.lake, finished, console)
    console.print(f"[dim]{time.monotonic() - started:.0f} s in total[/]")
    return 0 if is_whole and has_masters and len(finished) == len(source.runs) else 1


def _build_synthetic(folder: Path, console: Console) -> None:
    marker = folder / "SYNTHETIC.txt"
    if marker.is_file():
        return
    console.print("Building a small [bold]synthetic[/] archive in the exchange's own format ...")
    # Built in another folder and then moved, so that an interrupted build is not mistaken for a complete one.
    unfinished = folder.with_name("archive.unfinished")
    count = build_archive(unfinished, synthetic_requests())
    unfinished.replace(folder)
    console.print(f"  {count} zips in {shown(folder)}; no price in them is real")


def _run_dags(source: Source, environment: Mapping[str, str], console: Console) -> list[Finished]:
    board = _Board(console, len(source.runs))
    home = source.place.home
    shares = [source.runs[number::PROCESSES] for number in range(PROCESSES)]
    lists = [_written(home / f"airflow-{number}.json", share) for number, share in enumerate(shares) if share]
    log = home / "airflow.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and script, an argument list
            bound_to_us([sys.executable, "-m", "lakehouse_airflow.run_dags", *map(str, lists)], signal.SIGTERM),
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        for line in process.stdout or ():
            board.take_line(line)
        if process.wait():
            console.print(f"[red]Airflow ended with {process.returncode}[/]; see {shown(home)}/airflow*.log")
    return board.finished


def _written(path: Path, share: Sequence[DagRun]) -> Path:
    content: list[dict[str, Any]] = [{"dag_id": run.dataset, "conf": run.conf} for run in share]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
