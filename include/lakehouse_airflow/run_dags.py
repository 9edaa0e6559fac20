"""Runs DAGs one after another, without Airflow's scheduler: `python -m lakehouse_airflow.run_dags RUNS.json`.

RUNS.json holds a list of {"dag_id": ..., "conf": {...}}. Lines that start with `@` on standard output
report the progress as JSON. The exit code is 1 if a run failed.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from crypto_lakehouse.datasets import DATASETS

_WANTED = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"
"""Airflow's name of what `get_parsing_context` reads. Its own context manager never takes back what it sets."""


def main(path: Path) -> int:
    """Runs the DAGs that the file lists.

    Returns:
        The exit code: 0 if every run succeeded, else 1.

    Raises:
        SystemExit: A Param of a run has a value that its DAG does not accept.
    """
    runs = json.loads(path.read_text(encoding="utf-8"))
    failed = 0
    for number, run in enumerate(runs):
        _report(event="start", dag_id=run["dag_id"], number=number + 1, total=len(runs))
        started = time.monotonic()
        outcome = _outcome(run["dag_id"], run["conf"])
        state = str(getattr(outcome, "state", "failed"))
        failed += state != "success"
        seconds = round(time.monotonic() - started, 1)
        _report(event="end", dag_id=run["dag_id"], state=state, run_id=outcome.run_id, seconds=seconds)
    return 1 if failed else 0


def _outcome(dag_id: str, conf: dict[str, Any]) -> Any:
    """Runs a DAG, and returns its run.

    Raises:
        SystemExit: A Param has a value that the DAG does not accept.
    """
    from airflow.sdk.exceptions import ParamValidationError

    try:
        return _dag(dag_id).test(run_conf=conf)
    except ParamValidationError as error:
        # After the first line comes the schema.
        raise SystemExit(f"{dag_id}: {str(error).partition(chr(10))[0]}") from None


def _dag(dag_id: str) -> Any:
    """Returns a DAG, and lets Airflow load no other dataset's DAG for it where it triggers none.

    `DAG.test` loads the DAG files again and registers every DAG in them, which takes longer than a short task does.
    """
    from airflow.dag_processing.dagbag import DagBag

    os.environ.pop(_WANTED, None)
    if dag_id in {dataset.name for dataset in DATASETS}:
        os.environ[_WANTED] = dag_id
    bag = DagBag()
    if bag.import_errors:
        raise SystemExit(f"DAG files do not load: {bag.import_errors}")
    return bag.dags[dag_id]


def _report(**fields: Any) -> None:
    print(f"@{json.dumps(fields)}", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
