"""Runs DAGs one after another, without Airflow's scheduler: `python -m lakehouse_airflow.run_dags RUNS.json`.

RUNS.json holds a list of {"dag_id": ..., "conf": {...}}. Lines that start with `@` on standard output
report the progress as JSON. The exit code is 1 if a run failed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(path: Path) -> int:
    """Runs the DAGs that the file lists.

    Returns:
        The exit code: 0 if every run succeeded, else 1.
    """
    runs = json.loads(path.read_text(encoding="utf-8"))
    dags = _dags()
    failed = 0
    for number, run in enumerate(runs):
        _report(event="start", dag_id=run["dag_id"], number=number + 1, total=len(runs))
        started = time.monotonic()
        outcome = dags[run["dag_id"]].test(run_conf=run["conf"])
        state = str(getattr(outcome, "state", "failed"))
        failed += state != "success"
        seconds = round(time.monotonic() - started, 1)
        _report(event="end", dag_id=run["dag_id"], state=state, run_id=outcome.run_id, seconds=seconds)
    return 1 if failed else 0


def _dags() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    if bag.import_errors:
        raise SystemExit(f"DAG files do not load: {bag.import_errors}")
    return bag.dags


def _report(**fields: Any) -> None:
    print(f"@{json.dumps(fields)}", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
