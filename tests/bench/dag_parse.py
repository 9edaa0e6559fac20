"""Measures what the DAG file costs at each parse, beyond importing Airflow itself."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_PARSE = """
import json, time
started = time.perf_counter()
from airflow.sdk import DAG, Asset, BaseOperator, CronDataIntervalTimetable, Param, TriggerRule, task, task_group
import airflow.sdk.exceptions
imported = time.perf_counter()
import archive_dag
parsed = time.perf_counter()
dags = sum(isinstance(one, DAG) for one in vars(archive_dag).values())
print(json.dumps({"dags": dags, "seconds": parsed - imported, "airflow_seconds": imported - started}))
"""


def run_dag_parse(repeats: int = 3) -> dict[str, Any]:
    """Returns the medians of importing Airflow and of what `dags/` adds to it, each time in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="bench-airflow-") as home:
        folders = os.pathsep.join([str(_ROOT / "include"), str(_ROOT / "dags")])
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": folders}
        said = [_parsed(environment) for _ in range(repeats + 1)][1:]
    return {
        "dags": said[0]["dags"],
        "seconds": round(statistics.median(one["seconds"] for one in said), 3),
        "airflow_seconds": round(statistics.median(one["airflow_seconds"] for one in said), 2),
    }


def _parsed(environment: dict[str, str]) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PARSE], env=environment, check=True, capture_output=True, text=True
    )
    facts: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return facts
