"""Says by its exit code whether the Airflow process of this container is well: `python healthy.py`, a health check.

One image runs four kinds of processes. What the container was started as says what is asked: the API server answers
over HTTP, the others have a heartbeat in the database. A command that ends by itself is well as long as it runs.
"""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

SECONDS = 20
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
_COMMAND = re.compile(rf"\bairflow\s+(?P<name>api[-_]server|{'|'.join(JOBS).replace('-', '[-_]')})\b")


def main() -> int:
    """Asks what there is to ask; returns the exit code."""
    name = process_name(Path("/proc/1/cmdline").read_text(encoding="utf-8", errors="replace"))
    if name == "api-server":
        return 0 if answers(os.environ) else 1
    if name in JOBS:
        command = [sys.executable, "-m", "airflow", "jobs", "check", "--local", "--job-type", JOBS[name]]
        return subprocess.run(command, timeout=SECONDS * 2, check=False).returncode  # noqa: S603  our own words
    return 0


def process_name(command_line: str) -> str:
    """Returns which process a command line of Airflow starts, as its command is spelled, or nothing."""
    found = _COMMAND.search(command_line.replace(chr(0), " "))
    return found["name"].replace("_", "-") if found else ""


def answers(environment: Mapping[str, str]) -> bool:
    """Returns whether the API server answers on its port."""
    port = environment.get("AIRFLOW__API__PORT", "8080")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=SECONDS) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
