"""Steps as pods: the provider's own operator, client and trigger against an API server on loopback."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from tests.runners.conftest import FAILED, GOOD, ORDER, finished, pull_operator, step_script, task_context
from tests.runners.kubernetes_api import Cluster, kube_config, serving

pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the provider is not installed")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(120)]

CANARY = "canary-7c1e"
SECRET_VARIABLE = "CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY"


@pytest.fixture
def cluster(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with serving(tmp_path) as one:
        one.claims["lake-claim"] = lake
        kube_config(one, Path(os.environ["KUBECONFIG"]))
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "kubernetes")
        monkeypatch.delenv("CRYPTO_LAKEHOUSE_CONFIG", raising=False)
        yield one


@pytest.fixture
def operator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Returns a maker of a pull operator whose image leaves these facts, runs this script and ends with this code."""

    def make(
        code: int = 0, facts: dict[str, Any] | None = None, script: str = "", *, deferrable: bool = False, **more: Any
    ) -> Any:
        cluster.images["crypto-lakehouse/s5cmd:latest"] = [sys.executable, "-c", step_script(code, facts, script)]
        given = {"lake_claim": "lake-claim", "poll_seconds": 0.2, "startup_timeout_seconds": 5}
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_KUBERNETES", json.dumps({**given, "deferrable": deferrable, **more}))
        return pull_operator()

    return make


both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@both_ways
def test_a_good_result_gives_its_counts_and_the_pod_is_removed(
    deferrable: bool, operator: Any, cluster: Cluster
) -> None:
    deferrals: list[int] = []
    one = operator(facts=GOOD, script="time.sleep(1)", deferrable=deferrable)
    assert finished(one, task_context(), lambda: deferrals.append(1)) == {"objects": 3}
    assert bool(deferrals) is deferrable
    assert len(cluster.created) == 1
    assert cluster.pods == {}


@both_ways
@pytest.mark.parametrize(
    ("facts", "code", "message", "is_final"),
    [
        (None, 0, "left no result", False),
        (GOOD, 1, "one of them lies", False),
        (FAILED, 0, "why", True),
        (FAILED, 65, "why", True),
        (None, 137, "left no result", False),
    ],
    ids=["success without result", "failure with good result", "success with failed result", "both", "killed"],
)
def test_the_result_file_decides(
    facts: dict[str, Any] | None, code: int, message: str, is_final: bool, deferrable: bool, operator: Any
) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException, match=message) as raised:
        finished(operator(code=code, facts=facts, deferrable=deferrable), task_context())
    assert isinstance(raised.value, AirflowFailException) is is_final


@both_ways
def test_a_server_that_lies_about_success_convinces_nobody(deferrable: bool, operator: Any, cluster: Cluster) -> None:
    from airflow.sdk.exceptions import AirflowException

    lies: list[str] = []

    def succeeded(pod: dict[str, Any]) -> None:
        if pod["status"]["phase"] == "Failed":
            lies.append(pod["metadata"]["name"])
            pod["status"]["phase"] = "Succeeded"
            pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = 0

    cluster.lie = succeeded
    with pytest.raises(AirflowException, match=r"left no result .*exit code 0"):
        finished(operator(code=7, deferrable=deferrable), task_context())
    assert lies, "the fault was met"


def test_a_pod_has_no_rights_and_what_the_settings_give_it(operator: Any, cluster: Cluster) -> None:
    toleration = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}
    more = {"node_selector": {"pool": "lake"}, "tolerations": [toleration], "service_account": "lake-steps"}
    finished(operator(facts=GOOD, **more), task_context())
    [pod] = cluster.created
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert len(spec["containers"]) == 1, "no sidecar"
    assert container["args"] == ["step", "pull", "--work-order", ORDER]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"] == "4096Mi"
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"pool": "lake"}, [toleration])
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("lake-steps", False)
    assert pod["metadata"]["labels"]["crypto-lakehouse/step"] == "pull"


def test_a_secret_is_referred_to_and_reaches_the_step_and_no_log(
    operator: Any,
    cluster: Cluster,
    lake: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, CANARY)
    cluster.secrets["lake-keys/secret"] = f"{CANARY}-of-the-cluster"
    script = f"pathlib.Path(os.environ['CRYPTO_LAKEHOUSE_LAKE'], 'seen').write_text(os.environ['{SECRET_VARIABLE}'])"
    one = operator(code=3, script=script, secrets={SECRET_VARIABLE: "lake-keys/secret"})
    with pytest.raises(Exception, match="left no result"):
        finished(one, task_context())
    assert (lake / "seen").read_text() == f"{CANARY}-of-the-cluster"
    assert CANARY not in json.dumps(cluster.created)
    assert CANARY not in "".join(capfd.readouterr())


def test_the_pod_s_specification_is_in_no_log(operator: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="left no result"):
        finished(operator(code=3), task_context())
    said = "".join(capfd.readouterr())
    assert "a line of the step" in said, "the log is what is looked at"
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" not in said


def test_the_specification_of_a_pod_that_was_refused_is_in_no_log(
    operator: Any, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    one = operator()
    cluster.fault = lambda method, _path: (422, "Refused") if method == "POST" else None
    with pytest.raises(Exception, match="refuses the step"):
        finished(one, task_context())
    said = "".join(capfd.readouterr())
    assert "lakehouse-pull-" in said, "the log is what is looked at"
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" not in said


@both_ways
def test_an_image_that_is_nowhere_is_a_failure_that_says_so(
    deferrable: bool, operator: Any, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    one = operator(deferrable=deferrable)
    cluster.images.clear()
    with pytest.raises(Exception, match="left no result"):
        finished(one, task_context())
    assert "ErrImagePull" in "".join(capfd.readouterr())
    assert cluster.pods == {}


@pytest.mark.parametrize(("status", "is_final"), [(403, True), (422, True), (500, False), (0, False)])
def test_a_server_that_refuses_is_final_and_one_in_trouble_is_not(
    status: int, is_final: bool, operator: Any, cluster: Cluster
) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    one = operator(facts=GOOD)
    cluster.fault = lambda method, _path: (status, "Refused") if method == "POST" else None
    with pytest.raises(AirflowException) as raised:
        finished(one, task_context())
    assert isinstance(raised.value, AirflowFailException) is is_final
    assert any(request.startswith("POST") for request in cluster.requests), "the fault was met"
    assert cluster.created == []


def test_a_try_that_was_cut_off_is_joined_by_the_next_and_the_step_runs_once(
    operator: Any, cluster: Cluster, lake: Path
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    one = operator(facts=GOOD, script=SLOW, deferrable=True)
    with pytest.raises(TaskDeferred):
        one.execute(task_context())
    wait_for(lake / "started")
    # The triggerer never fires: the worker's and the triggerer's machines are gone.
    again = threading.Timer(1.0, (lake / "go").touch)
    again.start()
    assert finished(operator(facts=GOOD, script=SLOW), task_context(try_number=2)) == {"objects": 3}
    again.join()
    assert len(cluster.created) == 1, "it was joined"
    assert cluster.pods == {}


def test_a_pod_of_an_earlier_try_that_has_ended_is_replaced(operator: Any, cluster: Cluster, lake: Path) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred):
        operator(code=9, script=SLOW, deferrable=True).execute(task_context())
    wait_for(lake / "started")
    (lake / "go").touch()
    [run] = cluster.runs.values()
    run.process.wait(10)
    cluster.lingering_reads = 3
    assert finished(operator(facts=GOOD), task_context(try_number=2)) == {"objects": 3}
    assert len(cluster.created) == 2
    assert cluster.created[0]["metadata"]["name"] == cluster.created[1]["metadata"]["name"]


def test_a_connection_that_is_cut_in_the_middle_does_not_fail_a_step(
    operator: Any, cluster: Cluster, lake: Path
) -> None:
    cuts: list[str] = []

    def cut(method: str, path: str) -> tuple[int, str] | None:
        if method == "GET" and path.rpartition("/")[2].startswith("lakehouse-") and (lake / "started").exists():
            (lake / "go").touch()
            if len(cuts) < 2:
                cuts.append(path)
                return 0, ""
        return None

    cluster.fault = cut
    one = operator(facts=GOOD, script=SLOW, deferrable=True)
    assert finished(one, task_context(), lambda: wait_for(lake / "started")) == {"objects": 3}
    assert len(cuts) == 2, "the fault was met"
    assert len(cluster.created) == 1


def test_killing_the_task_removes_the_pod(operator: Any, cluster: Cluster, lake: Path) -> None:
    one = operator(facts=GOOD, script=SLOW)
    thread = threading.Thread(target=quietly, args=(one,))
    thread.start()
    wait_for(lake / "started")
    [run] = cluster.runs.values()
    one.on_kill()
    thread.join(60)
    assert not thread.is_alive()
    assert run.process.poll() is not None
    assert cluster.pods == {}


def test_a_lake_that_is_a_folder_needs_a_claim(operator: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="lake_claim"):
        operator(lake_claim=None).execute(task_context())


def test_a_lake_in_s3_needs_no_volume_but_scratch_space(monkeypatch: pytest.MonkeyPatch) -> None:
    from runners.kubernetes_runner import pod

    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", "s3://lake/x")
    load_settings.cache_clear()
    made = pod(Step.PULL, ORDER, load_settings())
    load_settings.cache_clear()
    assert [volume.name for volume in made.spec.volumes] == ["work"]


SLOW = """
lake = pathlib.Path(os.environ["CRYPTO_LAKEHOUSE_LAKE"])
(lake / "started").touch()
while not (lake / "go").exists():
    time.sleep(0.05)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.05)


def quietly(one: Any) -> None:
    try:
        one.execute(task_context())
    except Exception:
        logging.getLogger(__name__).info("ended")
