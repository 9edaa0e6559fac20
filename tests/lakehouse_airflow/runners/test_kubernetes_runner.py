"""Steps as pods that run as processes here; `tests/containers` has the same against a Docker engine."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import ObjectToPull
from crypto_lakehouse.runs.orders import PullOrder, write_order
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.vocabulary import Step
from tests.fakes.kubernetes.api_server import rules_of_airflow, serving
from tests.fakes.kubernetes.cluster import Node
from tests.fakes.kubernetes.pod_security import OURS, RESTRICTED, violations
from tests.fakes.kubernetes.process_pods import Processes
from tests.lakehouse_airflow.runners.conftest import GOOD, GOOD_FIGURES, ORDER, finished, task_context
from tests.lakehouse_airflow.runners.pods_contract import PodsContract
from tests.lakehouse_airflow.runners.pods_place import Place, both_ways, failure, in_thread, is_final
from tests.waiting import wait_until

pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the provider is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def place(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    carrier = Processes(tmp_path)

    def say(_folder: Path, program: str) -> None:
        carrier.images["crypto-lakehouse/s5cmd:latest"] = [sys.executable, "-c", program]

    with serving(carrier) as api:
        yield Place(lake, api, say, monkeypatch)


class TestPodsAsProcesses(PodsContract):
    """See the contract."""


def pod_of(step: Step = Step.PULL, **settings: Any) -> dict[str, Any]:
    """Returns a step's pod as the client sends it."""
    from kubernetes.client import ApiClient

    from lakehouse_airflow.runners.kubernetes_runner import pod

    return dict(
        ApiClient().sanitize_for_serialization(pod(step, ORDER, Settings(**{"lake": "s3://lake/x", **settings})))
    )


@pytest.mark.parametrize("step", Step)
def test_the_pod_of_every_step_is_restricted_and_more(step: Step) -> None:
    assert violations(pod_of(step), (*RESTRICTED, *OURS)) == []


BROKEN: list[tuple[str, str, Any]] = [
    ("hostProcess", "securityContext", {"windowsOptions": {"hostProcess": True}}),
    ("host namespaces", "hostNetwork", True),
    ("host namespaces", "hostPID", True),
    ("host namespaces", "hostIPC", True),
    ("privileged", "container", {"securityContext": {"privileged": True}}),
    ("host ports", "container", {"ports": [{"containerPort": 1, "hostPort": 1}]}),
    ("AppArmor", "securityContext", {"appArmorProfile": {"type": "Unconfined"}}),
    ("SELinux", "securityContext", {"seLinuxOptions": {"user": "system_u"}}),
    ("SELinux", "securityContext", {"seLinuxOptions": {"type": "spc_t"}}),
    ("/proc", "container", {"securityContext": {"procMount": "Unmasked"}}),
    ("sysctls", "securityContext", {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    ("volume types", "volumes", [{"name": "x", "hostPath": {"path": "/"}}]),
    ("allowPrivilegeEscalation", "container", {"securityContext": {"allowPrivilegeEscalation": True}}),
    ("runAsNonRoot", "securityContext", {"runAsNonRoot": False}),
    ("runAsNonRoot", "container", {"securityContext": {"runAsNonRoot": False}}),
    ("runAsUser", "securityContext", {"runAsUser": 0}),
    ("seccompProfile", "securityContext", {"seccompProfile": {"type": "Unconfined"}}),
    ("dropped capabilities", "container", {"securityContext": {"capabilities": {}}}),
    ("added capabilities", "container", {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    ("privileged", "initContainers", [{"name": "x", "securityContext": {"privileged": True}}]),
    ("read-only root", "container", {"securityContext": {"readOnlyRootFilesystem": False}}),
    ("no token of the cluster", "automountServiceAccountToken", None),
    ("no addresses of services", "enableServiceLinks", True),
    ("one try per pod", "restartPolicy", "OnFailure"),
]


@pytest.mark.parametrize(("control", "field", "value"), BROKEN, ids=[f"{one[0]} {n}" for n, one in enumerate(BROKEN)])
def test_a_pod_that_breaks_a_control_is_noticed(control: str, field: str, value: Any) -> None:
    pod = pod_of()
    target = pod["spec"]["containers"][0] if field == "container" else pod["spec"]
    changed = value if field == "container" else {field: value}
    for name, part in changed.items():
        merges = isinstance(part, dict) and isinstance(target.get(name), dict)
        target[name] = {**target[name], **part} if merges else part
    assert control in violations(pod, (*RESTRICTED, *OURS))


def test_every_control_has_been_broken_once() -> None:
    assert {one.control for one in (*RESTRICTED, *OURS)} == {control for control, _, _ in BROKEN}


def test_a_server_that_enforces_the_standard_refuses_a_pod_that_breaks_it(place: Place) -> None:
    from kubernetes import client, config

    config.load_kube_config()
    pod = pod_of()
    pod["metadata"]["name"] = "bad"
    pod["spec"]["hostNetwork"] = True
    with pytest.raises(client.ApiException, match=r"violates PodSecurity .* host namespaces"):
        client.CoreV1Api().create_namespaced_pod("crypto-lakehouse", pod)
    assert place.cluster.created == []


def test_a_step_asks_for_its_limits_unless_told_to_ask_for_less() -> None:
    docker = {"limits": {"pull": {"memory_mib": 512, "cpus": 0.5, "scratch_mib": 100}}}
    scratch = {"ephemeral-storage": "356Mi"}
    limits = {"cpu": "500m", "memory": "512Mi", **scratch}
    assert resources(docker=docker) == {"limits": limits, "requests": limits}
    less = {"requests": {"pull": {"memory_mib": 256, "cpus": 0.25}}}
    assert resources(docker=docker, kubernetes=less)["requests"] == {"cpu": "250m", "memory": "256Mi", **scratch}
    more = {"requests": {"pull": {"memory_mib": 9999, "cpus": 99}}}
    assert resources(docker=docker, kubernetes=more)["requests"] == limits, "never more than the limits"
    assert resources(Step.GATE, docker=docker)["limits"]["memory"] == "4096Mi"


def resources(step: Step = Step.PULL, **settings: Any) -> dict[str, Any]:
    return dict(pod_of(step, **settings)["spec"]["containers"][0]["resources"])


def test_a_step_reads_its_settings_with_the_secrets_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = {"region": "eu-west-1", "secret_access_key": "of-the-worker"}
    referred = {"CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY": "lake-keys/secret"}
    pod = pod_of(storage=storage, kubernetes={"secrets": referred})
    assert "of-the-worker" not in json.dumps(pod)
    for one in pod["spec"]["containers"][0]["env"]:
        monkeypatch.setenv(one["name"], one.get("value", "of-the-cluster"))
    read = Settings().storage
    assert read.secret_access_key is not None
    assert (read.region, read.secret_access_key.get_secret_value()) == ("eu-west-1", "of-the-cluster")


def test_a_pod_ends_by_itself_when_nobody_waits_for_it() -> None:
    assert pod_of()["spec"]["activeDeadlineSeconds"] == 6 * 3600
    assert pod_of(kubernetes={"deadline_seconds": 60})["spec"]["activeDeadlineSeconds"] == 60


def test_labels_name_the_step_the_order_and_airflow_s_task_with_its_try(place: Place) -> None:
    finished(place.operator(facts=GOOD), task_context(try_number=3))
    [pod] = place.cluster.created
    labels = pod["metadata"]["labels"]
    assert labels["crypto-lakehouse/step"] == "pull"
    assert labels["crypto-lakehouse/name"] == pod["metadata"]["name"]
    named = {name: labels[name] for name in ("dag_id", "task_id", "run_id", "map_index", "try_number")}
    assert named == {
        "dag_id": "binance_um_klines",
        "task_id": "pull",
        "run_id": "manual__1",
        "map_index": "0",
        "try_number": "3",
    }
    assert pod["metadata"]["annotations"]["crypto-lakehouse/order"] == ORDER


@pytest.mark.parametrize(("status", "final"), [(403, True), (422, True), (500, False), (0, False)])
def test_a_server_that_refuses_is_final_and_one_in_trouble_is_not(status: int, final: bool, place: Place) -> None:
    one = place.operator(facts=GOOD)
    place.api.fault = lambda method, _path: (status, "Refused") if method == "POST" else None
    assert is_final(failure(one)) is final
    assert any(request.startswith("POST") for request in place.api.requests), "the fault was met"
    assert place.cluster.created == []


def test_a_pod_that_may_not_be_created_fails_for_good_and_says_so(place: Place) -> None:
    place.api.rules = [rule for rule in rules_of_airflow() if "create" not in rule["verbs"]]
    error = failure(place.operator(facts=GOOD))
    assert is_final(error)
    assert "403 Forbidden" in str(error)


def test_a_full_quota_is_waited_for_by_trying_again(place: Place) -> None:
    one = place.operator(facts=GOOD)
    said = 'pods "lakehouse-pull" is forbidden: exceeded quota: compute, requested: memory=4Gi'
    place.api.fault = lambda method, _path: (403, said) if method == "POST" else None
    assert not is_final(failure(one))
    place.api.fault = lambda _method, _path: None
    assert finished(one, task_context(try_number=2)) == GOOD_FIGURES


def test_a_pod_that_went_away_while_it_was_cleared_away_is_no_failure(place: Place) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred):
        place.operator(code=9, deferrable=True).execute(task_context())
    wait_until(place.ended)
    [name] = place.cluster.pods
    met: list[str] = []

    def gone(method: str, _path: str) -> tuple[int, str] | None:
        if method != "DELETE" or met:
            return None
        met.append(method)
        place.cluster.forget(name)
        return 404, "NotFound"

    place.api.fault = gone
    assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES
    assert met, "the fault was met"


def test_a_pod_that_is_there_and_gone_when_looked_at_may_be_tried_again(place: Place) -> None:
    one = place.operator(facts=GOOD)
    place.api.fault = lambda method, _path: (409, "AlreadyExists") if method == "POST" else None
    assert not is_final(failure(one))
    assert any(request.startswith("POST") for request in place.api.requests), "the fault was met"


def test_the_role_allows_what_airflow_does_and_nothing_more(place: Place) -> None:
    place.cluster.nodes = (Node(mib=128),)
    with in_thread(place.operator(facts=GOOD, deferrable=True)):
        wait_until(lambda: ("watch", "events") in place.api.used)
        place.cluster.nodes = (Node(),)
    failure(place.operator(code=3))
    wait_until(lambda: place.cluster.pods == {})
    allowed = {(verb, resource) for rule in place.api.rules for verb in rule["verbs"] for resource in rule["resources"]}
    assert place.api.used == allowed
    assert place.api.refused == []


@both_ways
def test_the_pod_s_specification_is_in_no_log(
    deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    failure(place.operator(code=3, deferrable=deferrable))
    said = "".join(capfd.readouterr()) + caplog.text
    assert "a line of the step" in said, "the log is what is looked at"
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" not in said


def test_the_specification_of_a_pod_that_was_refused_is_in_no_log(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    one = place.operator()
    place.api.fault = lambda method, _path: (422, "Refused") if method == "POST" else None
    assert "refuses the step: 422" in str(failure(one))
    said = "".join(capfd.readouterr())
    assert "lakehouse-pull-" in said, "the log is what is looked at"
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" not in said


def test_a_lake_that_is_a_folder_needs_a_claim(place: Place) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    with pytest.raises(TaskFailedForGood, match="lake_claim"):
        place.operator(lake_claim=None).execute(task_context())


def test_a_claim_s_files_are_not_walked_through_at_every_start() -> None:
    pod = pod_of(lake="/lake", kubernetes={"lake_claim": "lake"})
    assert pod["spec"]["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["work", "lake"]


def test_a_lake_in_s3_needs_no_volume_but_scratch_space() -> None:
    assert [volume["name"] for volume in pod_of()["spec"]["volumes"]] == ["work"]


def test_a_large_order_runs_elsewhere_and_with_more(place: Place, lake: Path) -> None:
    sizes = {"large": {"from_mib": 1, "runner": "kubernetes", "limits": {"pull": {"memory_mib": 9000}}}}
    one = place.operator(facts=GOOD, poll_seconds=0.2)
    place.monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "docker")
    place.monkeypatch.setenv("CRYPTO_LAKEHOUSE_SIZES", json.dumps(sizes))
    load_settings.cache_clear()
    wanted = tuple(ObjectToPull(f"{number}.zip", 1 << 19, "e", "2026-01-01T00:00:00Z", "", "new") for number in "ab")
    write_order(LocalStorage(lake), ORDER, PullOrder("binance_um_klines", "r", "", wanted))
    assert finished(one, task_context()) == GOOD_FIGURES
    [pod] = place.cluster.created
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "9000Mi"
