"""Where steps run as pods in tests: a lake, an API server with what runs its pods, a deployment's settings."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kubernetes.api_server import ApiServer, kube_config
from tests.fakes.kubernetes.cluster import ENDED, Cluster
from tests.lakehouse_airflow.runners.conftest import finished, pull_operator, step_script, task_context
from tests.waiting import STANDSTILL_SECONDS, wait_until

REPOSITORY = Path(__file__).parents[3]
CANARY = "canary-7c1e"
SECRET_VARIABLE = "CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY"
# Where a test proves that a pod that does not start is waited for no longer than said; else a minute.
SHORT = {"startup_timeout_seconds": 3}
SLOW = """
lake = pathlib.Path(os.environ["CRYPTO_LAKEHOUSE_LAKE"])
(lake / "started").touch()
while not (lake / "go").exists():
    time.sleep(0.05)
"""
TALKING = "\nfor number in range(40):\n    print('line', number, flush=True)\n    time.sleep(0.1)\n"
WORKER = """
import os
config = os.environ["KUBECONFIG"]
from tests.lakehouse_airflow.runners.conftest import pull_operator, task_context
os.environ["KUBECONFIG"] = config
pull_operator().execute(task_context())
"""

both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@dataclass
class Place:
    """A lake, an API server with what runs its pods, and the settings of a deployment there.

    Args:
        say: Takes the lake's folder and the program that a pull's image holds.
    """

    lake: Path
    api: ApiServer
    say: Callable[[Path, str], None]
    monkeypatch: pytest.MonkeyPatch
    image: str = "crypto-lakehouse/s5cmd:latest"
    docker: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api.cluster.claims["lake-claim"] = self.lake
        kube_config(self.api, Path(os.environ["KUBECONFIG"]))
        self.monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "kubernetes")
        self.monkeypatch.delenv("CRYPTO_LAKEHOUSE_CONFIG", raising=False)

    @property
    def cluster(self) -> Cluster:
        return self.api.cluster

    def operator(self, code: int = 0, facts: dict[str, Any] | None = None, script: str = "", **more: Any) -> Any:
        """Returns a pull operator whose step leaves these facts, runs this script and ends with this code."""
        self.say(self.lake, step_script(code, facts, script))
        docker = {**self.docker, **more.pop("docker", {}), "images": {"pull": self.image}}
        given = {"lake_claim": "lake-claim", "poll_seconds": 0.2, "startup_timeout_seconds": 60}
        self.monkeypatch.setenv("CRYPTO_LAKEHOUSE_DOCKER", json.dumps(docker))
        self.monkeypatch.setenv("CRYPTO_LAKEHOUSE_KUBERNETES", json.dumps({"deferrable": False, **given, **more}))
        return pull_operator()

    def wait_for(self, name: str) -> None:
        wait_until((self.lake / name).exists)

    def go(self) -> None:
        (self.lake / "go").touch()

    def go_when_joined(self) -> None:
        """Lets the step go on once somebody has looked for its pod from now on."""
        before = self._looks()

        def wait() -> None:
            wait_until(lambda: self._looks() > before)
            self.go()

        threading.Thread(target=wait, daemon=True).start()

    def _looks(self) -> int:
        return sum(one.startswith("GET") and one.endswith("/pods") for one in list(self.api.requests))

    def ended(self) -> bool:
        return any(pod["status"]["phase"] in ENDED for pod in self.cluster.pods.values())


def failure(one: Any, context: Any = None) -> BaseException:
    """Returns what the task fails with."""
    from lakehouse_airflow.errors import TaskFailed

    with pytest.raises(TaskFailed) as raised:
        finished(one, context or task_context())
    return raised.value


def is_final(error: BaseException) -> bool:
    from lakehouse_airflow.errors import TaskFailedForGood

    return isinstance(error, TaskFailedForGood)


class in_thread:  # noqa: N801  read as a verb
    """Carries a task to its end beside the test; `result` holds what came of it."""

    def __init__(self, one: Any) -> None:
        self.one, self.result = one, None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.result = finished(self.one, task_context())
        except SystemExit as error:
            self.result = error

    def __enter__(self) -> "in_thread":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(STANDSTILL_SECONDS)
        assert not self.thread.is_alive()
