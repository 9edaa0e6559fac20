"""Airflow's own backfill, with its own scheduler: thirty days and twenty-four months, then nothing more to do."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.airflow_home import airflow_environment, prepare
from crypto_lakehouse.demo.serving import serve_bucket
from crypto_lakehouse.demo.synthetic import SyntheticRequest, build_archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DAYS = tuple(date(2024, 12, 10) + timedelta(days=n) for n in range(30))
MONTHS = tuple(date(2023 + n // 12, n % 12 + 1, 1) for n in range(24))
DAILY, MONTHLY = "binance_um_metrics", "binance_um_funding_rate"
BACKFILLS = {
    DAILY: ("2024-12-10T09:00:00+00:00", "2025-01-08T09:00:00+00:00"),
    MONTHLY: ("2023-01-02T09:00:00+00:00", "2024-12-02T09:00:00+00:00"),
}


@dataclass
class Airflow:
    """A running Airflow of the test's own."""

    environment: dict[str, str]
    lake: Path
    log: Path

    @contextmanager
    def scheduling(self) -> Iterator[None]:
        """Runs the scheduler and all else; what writes to the database otherwise must not run beside it (SQLite)."""
        with self.log.open("a") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(server.pid, signal.SIGKILL)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        # Read only and beside Airflow: its own commands take seconds each.
        path = f"file:{self.environment['AIRFLOW_HOME']}/airflow.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=60)) as held:
            return held.execute(sql).fetchall()

    def states(self, dag_id: str) -> dict[str, int]:
        # Unpaused DAGs also get their latest scheduled run; only the backfill's count here.
        runs = f"FROM dag_run WHERE dag_id = '{dag_id}' AND run_type = 'backfill'"
        return dict(self.rows(f"SELECT state, count(*) {runs} GROUP BY state"))

    def wait_for(self, wanted: dict[str, int], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = {dag_id: self.states(dag_id) for dag_id in wanted}
            if all(found[one].get("success", 0) + found[one].get("failed", 0) >= wanted[one] for one in wanted):
                break
            time.sleep(1)
        assert {dag_id: self.states(dag_id) for dag_id in wanted} == {one: {"success": wanted[one]} for one in wanted}

    def wait_until_complete(self, seconds: float) -> None:
        """Waits until the scheduler has marked the backfills as done; it looks every half a minute."""
        deadline = time.monotonic() + seconds
        while self.rows("SELECT id FROM backfill WHERE completed_at IS NULL"):
            assert time.monotonic() < deadline, "the scheduler did not complete the backfills"
            time.sleep(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("backfill")
    build_archive(
        folder / "archive",
        [
            SyntheticRequest(dataset(DAILY), ("BTCUSDT",), DAYS),
            SyntheticRequest(dataset(MONTHLY), ("BTCUSDT",), months=MONTHS),
        ],
    )
    with serve_bucket(folder / "archive") as endpoint:
        port = str(free_port())
        environment = airflow_environment(
            folder / "airflow",
            str(folder / "lake"),
            {
                "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": endpoint,
                "CRYPTO_LAKEHOUSE_MARKETS": json.dumps({"um": {"symbols": ["BTCUSDT"]}}),
                "AIRFLOW__API__PORT": port,
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
                "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
                "AIRFLOW__CORE__PARALLELISM": "4",
            },
        )
        prepare(environment)
        yield Airflow(environment, folder / "lake", folder / "standalone.log")


def create_backfills(airflow: Airflow) -> None:
    for dag_id, (start, end) in BACKFILLS.items():
        airflow.command(
            *("backfill", "create", "--dag-id", dag_id, "--from-date", start, "--to-date", end),
            *("--max-active-runs", "3", "--reprocess-behavior", "none"),
        )


def test_backfills_cover_every_day_and_month_once_and_a_second_one_changes_nothing(airflow: Airflow) -> None:
    for dag_id in BACKFILLS:
        airflow.command("dags", "unpause", dag_id, "--yes")
    create_backfills(airflow)
    with airflow.scheduling():
        airflow.wait_for({DAILY: 30, MONTHLY: 24}, 900)
        airflow.wait_until_complete(90)
    assert planned_days(airflow, DAILY) == [(day.isoformat(), day.isoformat()) for day in DAYS]
    assert [first for first, _ in planned_days(airflow, MONTHLY)] == [month.isoformat() for month in MONTHS]
    published = {name: {one.partition: one for one in catalog(airflow).partitions(dataset(name))} for name in BACKFILLS}
    assert sum(one.rows for one in published[DAILY].values()) == 30 * 288
    assert sum(one.rows for one in published[MONTHLY].values()) == sum(1 for _ in all_days()) * 3
    assert airflow.rows("SELECT max(length(value)) FROM xcom")[0][0] < 4096
    events = dict(airflow.rows("SELECT source_dag_id, count(*) FROM asset_event GROUP BY source_dag_id"))
    assert set(events) == set(BACKFILLS)

    create_backfills(airflow)
    assert {one: airflow.states(one) for one in BACKFILLS} == {DAILY: {"success": 30}, MONTHLY: {"success": 24}}
    assert airflow.rows("SELECT count(*) FROM backfill") == [(4,)]
    again = {name: {one.partition: one for one in catalog(airflow).partitions(dataset(name))} for name in BACKFILLS}
    assert again == published


def all_days() -> Iterator[date]:
    day = MONTHS[0]
    while day < date(2025, 1, 1):
        yield day
        day += timedelta(days=1)


def catalog(airflow: Airflow) -> EmbeddedCatalog:
    return EmbeddedCatalog(airflow.lake / "catalog" / "catalog.sqlite")


def planned_days(airflow: Airflow, dataset_name: str) -> list[tuple[str, str]]:
    orders = (airflow.lake / "runs" / dataset_name).glob("backfill__*/plan.json")
    requests = [json.loads(path.read_text(encoding="utf-8")) for path in orders]
    return sorted((one["first_day"], one["last_day"]) for one in requests)
