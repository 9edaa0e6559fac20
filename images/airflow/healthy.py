"""Checks the health of a part of Airflow; the exit code is 0 if it is healthy: `python healthy.py [PART [URL]]`.

PART is a name that the API server uses: metadatabase, scheduler, dag_processor, triggerer. Each part writes a heartbeat
into the database, and the API server returns its age. Without PART, the check depends on the command of the container:
the API server is asked over HTTP, the heartbeats of the others are read by `airflow jobs check`. That command needs no
API server, but it takes seconds of CPU time. Any other command is healthy as long as it runs.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

HEALTH = "http://api-server:8080/api/v2/monitor/health"
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag_processor": "DagProcessorJob"}
_COMMAND = re.compile(r"\bairflow\s+(?P<name>api[-_]server|scheduler|triggerer|dag[-_]processor)\b")


def main(part: str = "", url: str = HEALTH) -> int:
    """Returns 0 if the part is healthy."""
    if part:
        return ask_api_server(part, url)
    name = process_name(Path("/proc/1/cmdline").read_text(encoding="utf-8", errors="replace"))
    if name == "api_server":
        return ask_api_server("metadatabase", f"http://127.0.0.1:{os.environ.get('AIRFLOW__API__PORT', '8080')}")
    return ask_database(JOBS[name]) if name else 0


def process_name(command_line: str) -> str:
    """Returns the process that a command line of Airflow starts, or an empty text."""
    match = _COMMAND.search(command_line.replace(chr(0), " "))
    return match["name"].replace("-", "_") if match else ""


def ask_api_server(part: str, url: str) -> int:
    """Returns 0 if the API server reports the part as healthy.

    Raises:
        OSError: The API server does not answer.
    """
    address = url if "/api/" in url else f"{url}/api/v2/monitor/health"
    with urllib.request.urlopen(address, timeout=8) as answer:  # noqa: S310  an address of the deployment
        state = json.load(answer)[part]
    print(state)
    return 0 if state["status"] == "healthy" else 1


def ask_database(job: str) -> int:
    """Returns 0 if the job of this container has a recent heartbeat."""
    command = [sys.executable, "-m", "airflow", "jobs", "check", "--local", "--job-type", job]
    return subprocess.run(command, timeout=40, check=False).returncode  # noqa: S603  our own words


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
