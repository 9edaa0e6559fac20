"""Measures cold starts: the command line and each step with nothing to do. Every figure is of a whole process."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crypto_lakehouse.vocabulary import Step

_NO_ORDER = "runs/binance_spot_klines/bench/none.json"
"""The step starts, loads its engine, opens the lake and finds that there is nothing to do."""


def run_startup(repeats: int = 5, steps: int = len(Step)) -> dict[str, Any]:
    """Returns the median seconds of `step X --help` and of step X on an order that does not exist.

    Args:
        repeats: How often each is started.
        steps: How many steps are measured, from the first of a run on; all where nothing else is said.
    """
    program = [str(Path(sys.executable).with_name("crypto-lakehouse"))]
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as folder:
        environment = {**os.environ, "CRYPTO_LAKEHOUSE_LAKE": f"{folder}/lake"}
        found: dict[str, Any] = {"python": _median([sys.executable, "-c", ""], environment, repeats)}
        for step in tuple(Step)[:steps]:
            found[f"step {step} --help"] = _median([*program, "step", step, "--help"], environment, repeats)
            order = [*program, "step", step, "--work-order", _NO_ORDER, "--json"]
            found[f"step {step} without its order"] = _median(order, environment, repeats)
    return found


def _median(command: Sequence[str], environment: dict[str, str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False, env=environment)
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds), 3)
