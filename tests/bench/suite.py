"""All benches by name, each in two sizes: for a figure, and for a smoke test."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import files
from tests.bench.baselines import BASELINES
from tests.bench.contest import Contest, hold
from tests.bench.hostile import judge_all
from tests.bench.ours import NAME
from tests.bench.peers import KLINES_ONLY, PEERS

ROOT = Path(__file__).parents[2]
Result = dict[str, Any]
_OF_TRADES = (NAME, *(one for one in PEERS if one not in KLINES_ONLY), *BASELINES)
_OF_KLINES = (NAME, *PEERS, *BASELINES)


def _contest(contest: Contest, contenders: tuple[str, ...], **facts: int) -> Result:
    return {**facts, "processes": contest.processes, "contenders": hold(contest, contenders)}


def _trades(rows: int, folder: Path, processes: int) -> Result:
    return _contest(files.trades_contest(rows, folder, processes), _OF_TRADES, rows=rows)


def _large(rows: int, folder: Path) -> Result:
    return _contest(files.trades_contest(rows, folder, 1), (NAME,), rows=rows)


def _month(folder: Path, processes: int, repeats: int) -> Result:
    return _contest(files.month_contest(folder, processes, repeats), _OF_KLINES, rows=44_640)


def _small(number: int, folder: Path, processes: int) -> Result:
    return _contest(files.small_contest(number, folder, processes), (NAME, *PEERS), files=number)


def alone(name: str, *sizes: int) -> Result:
    """Runs one of our own benches in a process of its own, so that its peak is its own."""
    command = [sys.executable, "-m", "tests.bench", "_alone", name, *map(str, sizes)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{name} failed: {ran.stderr[-2000:]}")
    result: Result = json.loads(ran.stdout.splitlines()[-1])
    return result


def run_alone(name: str, sizes: list[int]) -> Result:
    """Runs one of our own benches in this process."""
    from tests.bench import containers, coverage, dag_parse, delta, gate, plan, pull, startup

    benches: dict[str, Callable[..., Result]] = {
        "pull": lambda objects, repeats: pull.run_pull(objects, files.FOLDER / f"pull-{objects}", repeats),
        "plan": plan.run_plan,
        "gate": gate.run_gate,
        "delta": delta.run_delta,
        "gaps": coverage.run_gaps,
        "reconcile": coverage.run_reconcile,
        "dag_parse": dag_parse.run_dag_parse,
        "startup": startup.run_startup,
        "runners": containers.run_runners,
        "throughput": containers.run_throughput,
        "builds": containers.run_builds,
    }
    return benches[name](*sizes)


BENCHES: dict[str, Callable[[], Result]] = {
    "trades": lambda: _trades(5_000_000, files.FOLDER, 3),
    "month": lambda: _month(files.FOLDER, 3, 8),
    "small": lambda: _small(2000, files.FOLDER, 3),
    "pull": lambda: alone("pull", 2000, 3),
    "plan": lambda: alone("plan", 1_000_000),
    "gate": lambda: alone("gate", 100, 31),
    "delta": lambda: alone("delta", 50, 30),
    "gaps": lambda: alone("gaps", 1000, 365),
    "reconcile": lambda: alone("reconcile", 100),
    "dag_parse": lambda: alone("dag_parse", 5),
    "startup": lambda: alone("startup", 5),
    "hostile": judge_all,
}
BY_HAND: dict[str, Callable[[], Result]] = {"large": lambda: _large(50_000_000, files.FOLDER)}
"""Minutes and a gigabyte of disk: only when asked for by name."""

WITH_ENGINE: dict[str, Callable[[], Result]] = {
    "runners": lambda: alone("runners", 7),
    "throughput": lambda: alone("throughput", 20, 10, 3),
    "builds": lambda: alone("builds", 11),
}
"""Need a Docker engine: only when asked for by name; `make test-containers` runs their lines."""


def smoke(folder: Path) -> dict[str, Callable[[], Result]]:
    """Returns all benches at the smallest size that still runs every line of theirs."""
    return {
        "trades": lambda: _trades(5_000, folder, 1),
        "large": lambda: _large(5_000, folder),
        "month": lambda: _month(folder, 1, 2),
        "small": lambda: _small(4, folder, 1),
        "pull": lambda: alone("pull", 3, 1),
        "plan": lambda: alone("plan", 40),
        "gate": lambda: alone("gate", 2, 1),
        "delta": lambda: alone("delta", 1, 1),
        "gaps": lambda: alone("gaps", 3, 60),
        "reconcile": lambda: alone("reconcile", 1),
        "dag_parse": lambda: alone("dag_parse", 1),
        "startup": lambda: alone("startup", 1, 2),
        "hostile": judge_all,
    }
