"""What is deployed on Kubernetes: the chart's values, the rights and the networks of the steps' namespace."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crypto_lakehouse import __version__
from crypto_lakehouse.settings import PREFIX, Settings
from crypto_lakehouse.vocabulary import Step
from tests.deploy.chart_facts import (
    GROOMS_BY_A_SCRIPT,
    LISTS,
    OPEN,
    PARTS,
    PLAIN,
    RUNS_AN_ENTRYPOINT,
    WAITS_BY_AN_ENTRYPOINT,
)
from tests.fakes.kubernetes.network_policies import Policy, may_be_reached, may_reach, policies
from tests.fakes.kubernetes.pod_security import OURS, RESTRICTED, violations

REPOSITORY = Path(__file__).parents[2]
VALUES = yaml.safe_load((REPOSITORY / "deploy/helm/values.yaml").read_text(encoding="utf-8"))
MANIFESTS = sorted((REPOSITORY / "deploy/kubernetes").glob("*.yaml"))


def at(path: str, values: Any = VALUES) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def leaves(values: Any, path: str = "") -> Iterator[str]:
    if not isinstance(values, dict) or path in OPEN or path.endswith(".resources"):
        yield path
        return
    for name, value in values.items():
        yield from leaves(value, f"{path}.{name}".lstrip("."))


def test_every_value_is_one_that_the_chart_knows() -> None:
    known = {*PLAIN, *LISTS, *OPEN, *(f"{part}.{key}" for part, keys in PARTS.items() for key in keys)}
    assert set(leaves(VALUES)) - known == set()
    assert {path for path, kind in PLAIN.items() if not isinstance(at(path), kind)} == set()


def test_a_value_that_the_chart_does_not_know_is_noticed() -> None:
    assert "scheduler.arguments" in set(leaves({"scheduler": {"arguments": []}}))


def arguments() -> Iterator[tuple[str, list[str]]]:
    for part, keys in RUNS_AN_ENTRYPOINT.items():
        for key in keys:
            yield f"{part}.{key}", at(f"{part}.{key}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("path", "words"), [*arguments()], ids=[path for path, _ in arguments()])
def test_the_image_can_do_what_the_chart_starts_in_it(path: str, words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    # A probe is started beside the entrypoint, and names the program itself.
    is_probe = path.endswith("command")
    assert (words[0] == "airflow") is is_probe
    assert get_parser().parse_args(words[is_probe:]).func


def test_what_the_image_does_not_hold_is_turned_off() -> None:
    assert [part for part in WAITS_BY_AN_ENTRYPOINT if at(f"{part}.waitForMigrations.enabled")] == []
    assert [part for part in GROOMS_BY_A_SCRIPT if at(f"{part}.logGroomerSidecar.enabled")] == []
    dockerfile = (REPOSITORY / "images/airflow/Dockerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["airflow"]' in dockerfile
    assert f"AIRFLOW_HOME={VALUES['airflowHome']} " in dockerfile
    assert f"USER {VALUES['uid']}:{VALUES['gid']}" in dockerfile
    pinned = (REPOSITORY / "images/airflow/requirements.txt").read_text(encoding="utf-8")
    assert f"apache-airflow=={VALUES['airflowVersion']} " in pinned
    manager = VALUES["config"]["core"]["auth_manager"]
    assert manager.startswith("airflow.api_fastapi.") or f"apache-airflow-providers-{manager.split('.')[2]}==" in pinned


def test_the_images_are_those_of_this_version() -> None:
    variables = {variable["name"]: variable.get("value") for variable in VALUES["env"]}
    assert VALUES["defaultAirflowTag"] == variables["CRYPTO_LAKEHOUSE_DOCKER__TAG"] == __version__
    repository = variables["CRYPTO_LAKEHOUSE_DOCKER__REGISTRY"]
    assert VALUES["defaultAirflowRepository"] == f"{repository}/airflow"


@pytest.mark.filterwarnings("ignore")
def test_the_authentication_that_is_named_can_be_loaded() -> None:
    from airflow.sdk.module_loading import import_string

    assert import_string(VALUES["config"]["core"]["auth_manager"])


def test_variables_are_settings_of_the_lakehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VALUES["env"]:
        assert set(variable) == {"name", "value"}
        assert variable["name"].startswith(PREFIX)
        monkeypatch.setenv(variable["name"], variable["value"])
    settings = Settings()
    assert {settings.runner_of(step).value for step in Step} == {"kubernetes"}
    assert settings.kubernetes.namespace == manifest("Role")["metadata"]["namespace"]
    assert settings.kubernetes.service_account == manifest("ServiceAccount")["metadata"]["name"]


def test_airflow_s_own_pods_are_restricted_too() -> None:
    container = {"name": "x", "securityContext": at("securityContexts.containers")}
    volumes = VALUES["volumes"]
    spec = {"containers": [container], "securityContext": at("securityContexts.pod"), "volumes": volumes}
    broken = violations({"spec": spec}, (*RESTRICTED, OURS[0]))
    assert broken == []
    assert {mount["mountPath"] for mount in VALUES["volumeMounts"]} == {"/work", "/tmp"}


def test_no_secret_is_in_what_is_deployed() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*MANIFESTS, REPOSITORY / "deploy/helm/values.yaml")]
    named = re.compile(r"(?im)^\s*(\w*(?:password|token|secretkey|fernetkey|jwtsecret|pass))\s*:\s*\S")
    assert [found.group(1) for text in texts for found in named.finditer(text)] == ["automountServiceAccountToken"]
    assert named.search("  fernetKey: abc"), "the control"


def manifest(kind: str) -> dict[str, Any]:
    [found] = [
        document
        for path in MANIFESTS
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document["kind"] == kind
    ]
    return dict(found)


def test_the_namespace_itself_refuses_what_is_not_restricted() -> None:
    labels = manifest("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_role_is_of_one_namespace_and_names_all_that_it_allows() -> None:
    role, binding = manifest("Role"), manifest("RoleBinding")
    words = {word for rule in role["rules"] for part in ("resources", "verbs") for word in rule[part]}
    assert "*" not in words
    assert not {"secrets", "pods/exec", "pods/attach", "pods/portforward", "deletecollection"} & words
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]
    # As the chart calls those of a release `airflow`.
    assert [subject["name"] for subject in binding["subjects"]] == ["airflow-scheduler", "airflow-triggerer"]


INTERNET, STORE = "52.219.0.1", "10.0.0.7"
TABLE = [
    *((step, INTERNET, 443, step in {"plan", "pull", "delta", "instruments"}) for step in Step),
    *((step, STORE, 443, True) for step in Step),
    *((step, STORE, 80, False) for step in Step),
    *((step, INTERNET, 22, False) for step in Step),
    # The cloud's metadata, the cluster's API server, its pods and its nodes.
    *((step, "169.254.169.254", 80, False) for step in Step),
    *((step, "10.96.0.1", 443, False) for step in Step),
    *((step, "172.16.5.4", 443, False) for step in Step),
    *((step, "192.168.1.10", 443, False) for step in Step),
    ("other", INTERNET, 443, False),
]


@pytest.mark.parametrize(("step", "address", "port", "allowed"), TABLE)
def test_a_step_reaches_what_it_needs_and_no_more(step: str, address: str, port: int, allowed: bool) -> None:
    labels = {} if step == "other" else {"crypto-lakehouse/step": str(step)}
    assert may_reach(policies(), labels, address, port) is allowed


@pytest.mark.parametrize("step", Step)
def test_nobody_reaches_a_step(step: Step) -> None:
    assert not may_be_reached(policies(), {"crypto-lakehouse/step": step.value})


@pytest.mark.parametrize(
    "step", [step for step in Step if step not in {Step.PLAN, Step.PULL, Step.DELTA, Step.INSTRUMENTS}]
)
def test_with_a_lake_on_a_claim_a_step_at_rest_has_no_network(step: Step) -> None:
    in_force = named("deny-all", "reach-the-internet")
    labels = {"crypto-lakehouse/step": step.value}
    assert not any(may_reach(in_force, labels, address, 443) for address in (INTERNET, STORE, "10.96.0.1"))


def named(*names: str) -> list[Policy]:
    return [policy for policy in policies() if policy["metadata"]["name"] in names]


def test_without_the_denial_everything_is_reached() -> None:
    only = named("reach-the-internet")
    assert may_reach(only, {"crypto-lakehouse/step": "gate"}, "169.254.169.254", 80), "the control"
