"""Contests: contenders convert the same files, each time in a fresh process, in turns."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.baselines import BASELINES
from tests.bench.ours import OURS
from tests.bench.peers import PEERS

HERE = Path(__file__).parent
PEERS_PYTHON = HERE.parents[1] / ".venv-peers" / "bin" / "python"
NOT_INSTALLED = "not installed"
Result = dict[str, Any]


@dataclass(frozen=True)
class Contest:
    """What is converted, how often in one process (`warm` ignores the first time), and in how many processes."""

    archive: Path
    keys: tuple[str, ...]
    processes: int = 3
    repeats: int = 1

    @property
    def warm(self) -> bool:
        return self.repeats > 1


def command_of(name: str) -> list[str] | None:
    """Returns how to start a contender, or None where its environment does not have it."""
    if name in OURS:
        return [sys.executable, str(HERE / "ours.py"), name]
    if name in BASELINES:
        return [sys.executable, str(HERE / "baselines.py"), name]
    return [str(PEERS_PYTHON), str(HERE / "peers.py"), name] if peer_versions().get(name) else None


def peer_versions() -> dict[str, str]:
    """Returns the versions of the peers that are installed; empty where `make bench-peers` was not run."""
    if not PEERS_PYTHON.exists():
        return {}
    said = subprocess.run(
        [PEERS_PYTHON, "-c", _VERSIONS, *PEERS], check=True, capture_output=True, text=True, env=_environment()
    )
    versions: dict[str, str] = json.loads(said.stdout)
    return versions


_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in [*sys.argv[1:], "polars", "pandas", "pyarrow"]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def hold(contest: Contest, contenders: Iterable[str]) -> dict[str, Result]:
    """Returns each contender's figures: the median of its processes, which took turns."""
    commands = {name: command_of(name) for name in contenders}
    samples: dict[str, list[Result]] = {name: [] for name in commands}
    for _ in range(contest.processes):
        for name, command in commands.items():
            if command is not None:
                samples[name].append(ask(command, "measure", contest))
    _check_rows({name: one["rows"] for name, ran in samples.items() for one in ran})
    return {name: _figures(contest, samples[name]) for name in commands}


def _check_rows(made: Mapping[str, int]) -> None:
    if len(set(made.values())) > 1:
        raise RuntimeError(f"the contenders did not do the same work, rows: {made}")


def ask(command: Sequence[str], task: str, contest: Contest, kept: Path | None = None) -> Result:
    """Runs one contender once and returns what it says; what it writes goes to `kept`, or is removed.

    Raises:
        RuntimeError: It failed; its last words are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        job = Path(folder) / "job.json"
        order = {
            "archive": str(contest.archive),
            "keys": contest.keys,
            "out": str(kept or folder),
            "repeats": contest.repeats,
        }
        job.write_text(json.dumps(order))
        ran = subprocess.run(
            [*command, task, str(job)], capture_output=True, text=True, check=False, env=_environment(folder)
        )
    if ran.returncode:
        raise RuntimeError(f"{command[-1]} failed: {ran.stderr[-2000:]}")
    said: Result = json.loads(ran.stdout.splitlines()[-1])
    return said


def _environment(home: str | None = None) -> Mapping[str, str]:
    # Some peers write a configuration into the home folder when they are imported.
    return {**os.environ, "GX_ANALYTICS_ENABLED": "false"} | ({"HOME": home} if home else {})


def _figures(contest: Contest, samples: Sequence[Result]) -> Result:
    if not samples:
        return {"status": NOT_INSTALLED}
    seconds = [_one(contest, sample["seconds"]) for sample in samples]
    return {
        "status": "measured",
        "seconds": round(statistics.median(seconds), 4),
        "all_seconds": seconds,
        "rows": samples[0]["rows"],
        "peak_mb": round(statistics.median(sample["peak_mb"] for sample in samples)),
        "imported_mb": round(statistics.median(sample["imported_mb"] for sample in samples)),
    }


def _one(contest: Contest, seconds: Sequence[float]) -> float:
    return statistics.median(seconds[1:]) if contest.warm else seconds[0]
