"""Runs DAGs without Airflow's scheduler: `python -m lakehouse_airflow.run_dags RUNS.json [RUNS.json ...]`.

RUNS.json holds a list of {"dag_id": ..., "conf": {...}}, which run one after another. Several lists run at the same
time, each in a process of its own whose output goes to RUNS.log: Airflow is loaded once for all of them. Lines that
start with `@` on standard output report the progress as JSON. The exit code is 1 if a run failed.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from crypto_lakehouse.children import end_with
from crypto_lakehouse.datasets import DATASETS

_WANTED = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"
"""Airflow's name of what `get_parsing_context` reads. Its own context manager never takes back what it sets."""


def main(paths: Sequence[Path]) -> int:
    """Runs the DAGs that the files list.

    Returns:
        The exit code: 0 if every run succeeded, else 1.

    Raises:
        SystemExit: A Param of a run has a value that its DAG does not accept.
    """
    if len(paths) == 1:
        return _run_all(paths[0], 1)
    _load_airflow()
    fork = multiprocessing.get_context("fork")
    shares = [fork.Process(target=_run_share, args=(path, os.getpid())) for path in paths]
    for share in shares:
        share.start()
    for share in shares:
        share.join()
    return int(any(share.exitcode for share in shares))


def _load_airflow() -> None:
    """Loads what `DAG.test` imports, and makes the API that its tasks ask, before the processes part.

    No thread is left and no connection is opened, so that a fork is safe.
    """
    import_module("airflow.dag_processing.dagbag")
    import_module("airflow.models.dagrun")
    import_module("airflow.sdk.execution_time.task_runner")
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    asyncio.run(_asked_once(in_process_api_server().app))


async def _asked_once(app: Callable[..., Awaitable[None]]) -> None:
    """Sends a first request: the API makes the routes of all its versions only then, which takes seconds.

    The request is a scope of the ASGI specification, version 3.
    """
    path = "/no-such-route"
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": []}
    scope["asgi"] = {"version": "3.0"}

    await app(scope, _empty_body, _ignore)


async def _empty_body() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _ignore(_message: Mapping[str, object]) -> None:
    return


def _run_share(path: Path, parent: int) -> None:
    """Runs one of several lists in this process."""
    end_with(parent)
    events = os.dup(1)
    with path.with_suffix(".log").open("wb") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    sys.exit(_run_all(path, events))


def _run_all(path: Path, events: int) -> int:
    runs = json.loads(path.read_text(encoding="utf-8"))
    failed = 0
    for number, run in enumerate(runs):
        _report(events, event="start", dag_id=run["dag_id"], number=number + 1, total=len(runs))
        started = time.monotonic()
        outcome = _outcome(run["dag_id"], run["conf"])
        state = str(getattr(outcome, "state", "failed"))
        failed += state != "success"
        seconds = round(time.monotonic() - started, 1)
        _report(events, event="end", dag_id=run["dag_id"], state=state, run_id=outcome.run_id, seconds=seconds)
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


def _report(descriptor: int, **fields: Any) -> None:
    """Writes a line of progress to a descriptor, in one piece: other processes write there as well."""
    sys.stdout.flush()
    os.write(descriptor, f"@{json.dumps(fields)}\n".encode())


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


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
