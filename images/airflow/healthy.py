"""Tells by its exit code whether a part of Airflow is well: `python healthy.py [PART [URL]]`.

PART is one of the API server's own words: metadatabase, scheduler, dag_processor, triggerer. Each writes a heartbeat
into the database; the API server tells how old it is. Without PART, what the container was started as says what is
asked: the API server answers over HTTP, and the others' heartbeats are looked up by `airflow jobs check`, which needs
no API server but takes a core for seconds. A command that ends by itself is well as long as it runs.
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
    """Returns 0 where the part is well."""
    if part:
        return ask_api_server(part, url)
    name = process_name(Path("/proc/1/cmdline").read_text(encoding="utf-8", errors="replace"))
    if name == "api_server":
        return ask_api_server("metadatabase", f"http://127.0.0.1:{os.environ.get('AIRFLOW__API__PORT', '8080')}")
    return ask_database(JOBS[name]) if name else 0


def process_name(command_line: str) -> str:
    """Returns which process a command line of Airflow starts, or nothing."""
    found = _COMMAND.search(command_line.replace(chr(0), " "))
    return found["name"].replace("-", "_") if found else ""


def ask_api_server(part: str, url: str) -> int:
    """Returns 0 where the API server calls the part healthy; fails where it does not answer."""
    address = url if "/api/" in url else f"{url}/api/v2/monitor/health"
    with urllib.request.urlopen(address, timeout=8) as answer:  # noqa: S310  an address of the deployment
        state = json.load(answer)[part]
    print(state)
    return 0 if state["status"] == "healthy" else 1


def ask_database(job: str) -> int:
    """Returns 0 where the job of this container has a heartbeat that is young enough."""
    command = [sys.executable, "-m", "airflow", "jobs", "check", "--local", "--job-type", job]
    return subprocess.run(command, timeout=40, check=False).returncode  # noqa: S603  our own words


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
