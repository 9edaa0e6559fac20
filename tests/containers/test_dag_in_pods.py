"""Whole DAG runs by Airflow's own scheduler and triggerer, every step in a pod that a Docker engine runs in its image.

What holds Airflow's parts together dies in the middle: the triggerer while it waits for a pod, and the scheduler with
the worker that waits for one.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from crypto_lakehouse.demo.airflow_home import airflow_environment, prepare
from crypto_lakehouse.query import Lake
from tests.containers.conftest import open_to_all
from tests.containers.engine import Engine, image
from tests.containers.engine_pods import EnginePods
from tests.fakes.kubernetes.api_server import ApiServer, kube_config, serving
from tests.fakes.kubernetes.network_policies import may_reach, policies
from tests.small_lake import SmallLake, small_lake
from tests.waiting import STANDSTILL_SECONDS, wait_until

pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the provider is not installed")
pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

KLINES = "binance_um_klines"
OF_STEP = {"pull": "s5cmd", "delta": "exchange", "gate": "quality"}
STEPS = ["plan", "pull", "conform", "gate", "publish", "report"]
ONLINE = {"plan", "pull"}
PARTS = ("api-server", "dag-processor", "scheduler", "triggerer")
SHORT = {
    "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "0",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}
"""What a dead part costs in time: seconds here, minutes by default."""


@dataclass
class Airflow:
    """The four processes of an Airflow, each of which may be killed."""

    environment: dict[str, str]
    log: Path
    parts: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, part: str, **more: str) -> None:
        with self.log.open("ab") as log:
            self.parts[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", part],
                env=self.environment | more,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The lake is this user's and the images' user's.
                umask=0,
            )

    def kill(self, part: str) -> None:
        """Kills a part with everything that it started, as the loss of its machine does."""
        process = self.parts.pop(part)
        # Tasks have sessions of their own; one that outlived its supervisor would still remove its pod.
        for child in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()

    def command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        path = f"file:{self.environment['AIRFLOW_HOME']}/airflow.db?mode=ro"
        with sqlite3.connect(path, uri=True, timeout=600) as held:
            return held.execute(sql).fetchall()

    def state(self, task: str, run: str) -> str:
        found = self.rows(f"SELECT state FROM task_instance WHERE task_id = '{task}' AND run_id = '{run}'")
        return str(found[0][0]) if found else ""


@dataclass
class Place:
    lake: SmallLake
    api: ApiServer
    airflow: Airflow
    go: threading.Event

    def asked(self) -> bool:
        """Returns whether a pull is in the middle of a download, which goes on when `go` is set."""
        return any(path.endswith(".zip") for path in self.lake.bucket.requests)


def wait_for(is_so: Any, what: str, place: Place) -> None:
    def tasks() -> object:
        return place.airflow.rows("SELECT run_id, task_id, state, try_number FROM task_instance")

    try:
        wait_until(is_so, progress=tasks, pause=0.2)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}; {place.airflow.log.read_text()[-4000:]}") from error


def network_of(labels: Any) -> str:
    """Returns the network that the policies leave to a pod: the machine's own, where the archive is, or none."""
    # The lake is on a claim: the policy of a store is not in force.
    in_force = [policy for policy in policies() if policy["metadata"]["name"] != "reach-the-store"]
    return "host" if may_reach(in_force, labels, "52.219.0.1", 443) else "none"


@pytest.fixture
def place(images: Engine, tmp_path: Path) -> Iterator[Place]:
    carrier, go = EnginePods(f"dag-{os.getpid()}", network_of), threading.Event()
    with small_lake(tmp_path) as lake, serving(carrier) as api:
        folder = Path(lake.settings.lake)
        folder.mkdir()
        open_to_all(folder)
        api.cluster.claims["lake"] = folder

        def slow(path: str) -> None:
            if path.endswith(".zip"):
                go.wait(STANDSTILL_SECONDS)

        lake.bucket.fault = slow
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        environment = airflow_environment(
            tmp_path / "airflow",
            str(folder),
            {
                **SHORT,
                "KUBECONFIG": str(kube_config(api, tmp_path / "kubeconfig")),
                "CRYPTO_LAKEHOUSE_RUNNER": "kubernetes",
                "CRYPTO_LAKEHOUSE_KUBERNETES__LAKE_CLAIM": "lake",
                "CRYPTO_LAKEHOUSE_KUBERNETES__POLL_SECONDS": "1",
                "CRYPTO_LAKEHOUSE_DOCKER__IMAGES": json.dumps(
                    {step: image(OF_STEP.get(step, "polars")) for step in (*STEPS, "delta")}
                ),
                "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
                "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false",
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
                "AIRFLOW__API__PORT": port,
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
                "AIRFLOW__API_AUTH__JWT_SECRET": "of-this-test-and-no-other-" * 4,
            },
        )
        prepare(environment)
        airflow = Airflow(environment, tmp_path / "airflow.log")
        try:
            yield Place(lake, api, airflow, go)
        finally:
            go.set()
            for part in list(airflow.parts):
                airflow.kill(part)
    assert carrier.left() == []
    carrier.close()


def trigger(place: Place, run: str, day: str) -> None:
    place.lake.publish(KLINES, day)
    conf = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": day, "end_date": day}
    # Before the scheduler runs: SQLite takes one writer at a time.
    place.airflow.command("dags", "trigger", KLINES, "--run-id", run, "--conf", json.dumps(conf))


def start_all(place: Place, **more: str) -> None:
    """Starts all parts; those that call the API server when it answers."""
    place.airflow.start("api-server", **more)
    port = int(place.airflow.environment["AIRFLOW__API__PORT"])

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(answers, "the API server answers", place)
    for part in PARTS[1:]:
        place.airflow.start(part, **more)


def is_over(place: Place, run: str) -> bool:
    [(state,)] = place.airflow.rows(f"SELECT state FROM dag_run WHERE run_id = '{run}'")
    return state in {"success", "failed"}


def steps_of(place: Place, run: str) -> list[str]:
    labels = [pod["metadata"]["labels"] for pod in place.api.cluster.created]
    return [label["crypto-lakehouse/step"] for label in labels if label["run_id"] == run]


def check(place: Place, run: str, days: int) -> None:
    assert place.airflow.rows(f"SELECT state FROM dag_run WHERE run_id = '{run}'") == [("success",)]
    steps = steps_of(place, run)
    assert list(dict.fromkeys(steps)) == STEPS
    assert steps.count("pull") == 1, "it was joined: the step whose waiter died ran once"
    wait_for(lambda: place.api.cluster.pods == {}, "all pods are gone", place)
    assert place.api.refused == []
    span = (date(2025, 1, 1), date(2025, 1, days))
    assert [day["rows"] for day in Lake(place.lake.settings).coverage(KLINES, days=span).to_dicts()] == [24] * days


def test_runs_converge_although_triggerer_scheduler_and_worker_die_in_the_middle(place: Place) -> None:
    airflow = place.airflow
    airflow.command("dags", "unpause", KLINES, "--yes")
    trigger(place, "one", "2025-01-01")
    start_all(place)
    wait_for(place.asked, "a pull is at work", place)
    wait_for(lambda: airflow.state("pull", "one") == "deferred", "its task is deferred", place)
    wait_for(lambda: bool(airflow.rows("SELECT 1 FROM trigger WHERE triggerer_id > 0")), "it is waited for", place)
    airflow.kill("triggerer")
    place.go.set()
    time.sleep(5)
    assert airflow.state("pull", "one") == "deferred", "the fault: nobody waits for it"
    airflow.start("triggerer")
    wait_for(lambda: is_over(place, "one"), "the first run is over", place)
    check(place, "one", 1)
    networks = {
        found["Config"]["Cmd"][1]: found["HostConfig"]["NetworkMode"] for found in place.api.cluster.carrier.inspected
    }
    assert networks == {step: "host" if step in ONLINE else "none" for step in STEPS}

    for part in PARTS:
        airflow.kill(part)
    place.go.clear()
    place.lake.bucket.requests.clear()
    trigger(place, "two", "2025-01-02")
    waiting = {"CRYPTO_LAKEHOUSE_KUBERNETES__DEFERRABLE": "false"}
    start_all(place, **waiting)
    wait_for(place.asked, "a pull is at work", place)
    assert airflow.state("pull", "two") == "running", "a worker waits for it"
    airflow.kill("scheduler")
    time.sleep(2)
    assert steps_of(place, "two")[-1] == "pull", "its pod goes on"
    airflow.start("scheduler", **waiting)
    tries = "SELECT max(try_number) FROM task_instance WHERE task_id = 'pull' AND run_id = 'two'"
    joined = "GET /api/v1/namespaces/crypto-lakehouse/pods"
    before = place.api.requests.count(joined)
    wait_for(lambda: place.api.requests.count(joined) > before, "the next worker looks for the pod", place)
    place.go.set()
    wait_for(lambda: is_over(place, "two"), "the second run is over", place)
    check(place, "two", 2)
    print("tries of the pull whose worker died:", airflow.rows(tries))
    logs = [path.read_text() for path in Path(airflow.environment["AIRFLOW_HOME"], "logs").rglob("*.log")]
    assert any("logs: plan of" in text for text in logs), "the tasks' logs are what is looked at"
    assert not [text for text in logs if "CRYPTO_LAKEHOUSE_ARCHIVE" in text], "no pod's specification is in them"
