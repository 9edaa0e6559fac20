"""The health check of Airflow's image, asked by the engine: a process that is well, and one that stands still."""

import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.containers.engine import PREFIX, STRICT, Engine, image
from tests.waiting import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

OFTEN = ("--health-interval", "5s", "--health-start-period", "90s", "--health-retries", "2")
VARIABLES = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////state/airflow.db",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__API_AUTH__JWT_SECRET": uuid4().hex,
}


@pytest.fixture(scope="module")
def state(images: Engine) -> Iterator[str]:
    """A volume with an empty database."""
    name = f"{PREFIX}-health-{uuid4().hex[:8]}"
    images.run("volume", "create", name)
    # A new volume is root's: whoever makes the database first gives the folder to the images' user.
    owner = ("run", "--rm", "--user", "0", "--volume", f"{name}:/state", "--entrypoint", "chown", image("airflow"))
    images.run(*owner, "10001:10001", "/state")
    images.run("run", "--rm", *options(name), image("airflow"), "db", "migrate")
    yield name
    images.run("volume", "rm", name)


def options(state: str) -> list[str]:
    variables = [word for name, value in VARIABLES.items() for word in ("--env", f"{name}={value}")]
    return [*STRICT, "--tmpfs", "/tmp:rw,mode=1777", "--volume", f"{state}:/state", *variables]


@pytest.fixture
def container(images: Engine, state: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A container that runs one of Airflow's processes, and is asked often how it is."""
    started = images.run("run", "--detach", *OFTEN, *options(state), image("airflow"), *request.param)
    name = started.stdout.strip()
    yield name
    images.run("rm", "--force", name)


def wait_for(engine: Engine, container: str, status: str) -> str:
    """Waits until the container's health is as wanted; returns what its last check said."""

    def health() -> Any:
        state = engine.inspect(container)["State"]
        assert state["Running"], engine.run("logs", container).stdout[-3000:]
        return state["Health"]

    # The exit codes of the last checks show that they go on.
    wait_until(
        lambda: health()["Status"] == status,
        progress=lambda: [check["ExitCode"] for check in health()["Log"]],
        pause=1,
    )
    checks = health()["Log"]
    return str(checks[-1]["Output"]) if checks else ""


@pytest.mark.parametrize("container", [("api-server",), ("scheduler",)], indirect=True, ids=" ".join)
def test_a_process_that_stands_still_is_not_well_any_more(container: str, images: Engine) -> None:
    wait_for(images, container, "healthy")
    # The engine's check runs beside the process, so only the process is stopped.
    for pid in processes_of(images, container):
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(images, container, "unhealthy")
    finally:
        for pid in processes_of(images, container):
            os.kill(pid, signal.SIGCONT)


def processes_of(engine: Engine, container: str) -> list[int]:
    """Returns the processes of a container that Airflow started, as the machine numbers them."""
    lines = engine.run("top", container, "-eo", "pid,args").stdout.splitlines()[1:]
    return [int(line.split()[0]) for line in lines if "healthy.py" not in line and "jobs check" not in line]


@pytest.mark.parametrize("container", [("dag-processor",), ("triggerer",)], indirect=True, ids=" ".join)
def test_a_process_with_a_heartbeat_is_well(container: str, images: Engine) -> None:
    assert "alive job" in wait_for(images, container, "healthy")
