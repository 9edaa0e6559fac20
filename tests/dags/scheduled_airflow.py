"""A running Airflow of a test's own: its real scheduler, and the API through which tasks report."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.demo.airflow_home import airflow_environment
from tests.waiting import wait_until

SCHEDULER = (("scheduler",), ("api-server", "--apps", "execution"))
"""What runs tasks. The DAGs are registered already, so nothing has to parse them for the scheduler again and again."""
EVERYTHING = (("standalone",),)

_PATIENCE = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "900",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "900",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "1800",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "1800",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "600",
}
"""Airflow's own limits in seconds, for a machine that has other things to do."""


@dataclass(frozen=True)
class ScheduledAirflow:
    """An Airflow with its database, DAGs and lake."""

    environment: Mapping[str, str]
    lake: Path
    log: Path

    @contextmanager
    def scheduling(self, programs: Sequence[Sequence[str]] = SCHEDULER) -> Iterator[None]:
        """Runs the programs; what writes to the database otherwise must not run beside them (SQLite)."""
        with ExitStack() as stack, self.log.open("a") as log:
            for program in programs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "airflow", *program],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                stack.callback(_end, process)
            yield

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the answer of Airflow's database, which is only read."""
        path = f"file:{self.environment['AIRFLOW_HOME']}/airflow.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=600)) as database:
            return database.execute(sql).fetchall()

    def wait_for_backfills(self) -> None:
        """Returns once all runs of backfills have ended and the scheduler has marked the backfills as complete.

        Raises:
            AssertionError: No task changed its state for a long time; the end of Airflow's log is in the message.
        """
        unfinished = (
            "SELECT 1 FROM dag_run WHERE run_type = 'backfill' AND state NOT IN ('success', 'failed') "
            "UNION ALL SELECT 1 FROM backfill WHERE completed_at IS NULL"
        )
        tasks = "SELECT state, count(*), max(start_date), max(end_date) FROM task_instance GROUP BY state"
        try:
            wait_until(lambda: not self.rows(unfinished), progress=lambda: self.rows(tasks), pause=1)
        except AssertionError as error:
            raise AssertionError(self.log.read_text(errors="replace")[-8000:]) from error

    def run_states(self, dag_id: str) -> dict[str, int]:
        """Returns how many runs of the DAG's backfills are in each state."""
        runs = f"FROM dag_run WHERE dag_id = '{dag_id}' AND run_type = 'backfill'"
        return dict(self.rows(f"SELECT state, count(*) {runs} GROUP BY state"))

    def catalog(self) -> EmbeddedCatalog:
        """Returns the lake's catalog."""
        return EmbeddedCatalog(self.lake / "catalog" / "catalog.sqlite")


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def scheduled_airflow(home: Path, lake: Path, extra: Mapping[str, str]) -> ScheduledAirflow:
    """Returns the Airflow of a home that is prepared; nothing of it runs yet."""
    port = str(_free_port())
    environment = airflow_environment(
        home,
        str(lake),
        {
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # Runs of the schedule would come beside those that a test asks for.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            **_PATIENCE,
            **extra,
        },
    )
    return ScheduledAirflow(environment, lake, home / "airflow.log")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
