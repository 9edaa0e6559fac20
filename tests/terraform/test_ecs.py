"""What joins Terraform with images and runner: `terraform output -raw env` is all that the runner has to be told."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.settings import RunnerKind, Settings, load_settings
from crypto_lakehouse.vocabulary import Step
from tests.lakehouse_airflow.runners.conftest import ORDER, task_context
from tests.terraform.calls import recording
from tests.terraform.conftest import NAME, REGION, Deployment, without_bucket_policy
from tests.terraform.policies import allows
from tests.terraform.test_roles import role_policies

pytest.importorskip("airflow.providers.amazon", reason="the provider is not installed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]
IMAGES = Path(__file__).parents[2] / "images"
every_step = pytest.mark.parametrize("step", Step)


@pytest.fixture
def settings(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of Airflow's worker; only endpoints are added."""
    for name, value in deployment.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.endpoint)
    monkeypatch.delenv("CRYPTO_LAKEHOUSE_CONFIG", raising=False)
    load_settings.cache_clear()
    with without_bucket_policy(deployment):
        yield load_settings()
    load_settings.cache_clear()


def definition(deployment: Deployment, settings: Settings, step: Step) -> dict[str, Any]:
    """Returns the task definition by the name that the runner gives."""
    named = settings.ecs.task_definition(step)
    held: dict[str, Any] = deployment.client("ecs").describe_task_definition(taskDefinition=named)["taskDefinition"]
    return held


def test_a_shell_and_a_parser_of_lines_read_the_same_variables(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(deployment.workspace.run("output", "-raw", "env").text)
    script = "set -a; . ./.env; env -0"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    sourced = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert {name: sourced[name] for name in deployment.env} == deployment.env


@every_step
def test_every_step_has_what_the_runner_asks_for(deployment: Deployment, settings: Settings, step: Step) -> None:
    assert settings.runner_of(step) is RunnerKind.ECS
    held = definition(deployment, settings, step)
    (container,) = held["containerDefinitions"]
    assert held["taskDefinitionArn"] == deployment.workspace.output("ecs")["task_definition"][step]
    assert container["name"] == settings.ecs.container_name
    options = container["logConfiguration"]["options"]
    assert options["awslogs-group"] == settings.ecs.logs_group_of(step)
    assert options["awslogs-stream-prefix"] == settings.ecs.logs_prefix
    groups = deployment.client("logs").describe_log_groups(logGroupNamePrefix=options["awslogs-group"])["logGroups"]
    assert [one["logGroupName"] for one in groups] == [options["awslogs-group"]]
    network = settings.ecs.network(step)
    place = {"subnets": list(network.subnets), "security_groups": list(network.security_groups)}
    assert place == deployment.workspace.output("ecs")["network"][step]


@every_step
def test_a_task_definition_is_what_its_image_wants(deployment: Deployment, settings: Settings, step: Step) -> None:
    from lakehouse_airflow.runners.container import WORK

    held = definition(deployment, settings, step)
    (container,) = held["containerDefinitions"]
    image = container["image"].rpartition("/")[2].partition(":")[0]
    assert settings.docker.image(step).startswith(f"crypto-lakehouse/{image}:"), "as other runners choose it"
    source = (IMAGES / image / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["crypto-lakehouse"]' in source
    assert (container.get("entryPoint"), container["command"][:2]) == (None, ["step", step.value])
    assert [one["containerPath"] for one in container["mountPoints"]] == [WORK]
    assert f"VOLUME {WORK}\n" in source, "else Fargate's volume is root's alone"
    assert f"USER {container['user']}\n" in source
    assert held["ephemeralStorage"]["sizeInGiB"] >= 21


def test_the_runner_starts_the_step_s_task_where_it_belongs(deployment: Deployment, settings: Settings) -> None:
    for step in (Step.CONFORM, Step.DELTA):
        task = started(deployment, step)
        assert task["taskDefinitionArn"].rpartition("/")[2].partition(":")[0] == f"{NAME}-{step}"
        assert (task["launchType"], task["clusterArn"].rpartition("/")[2]) == ("FARGATE", NAME)
        [told] = task["overrides"]["containerOverrides"]
        assert (told["name"], told["command"]) == ("step", ["step", step.value, "--work-order", ORDER, "--json"])
        variables = {one["name"]: one["value"] for one in told["environment"]}
        assert variables["CRYPTO_LAKEHOUSE_LAKE"] == settings.lake
        assert json.loads(variables["CRYPTO_LAKEHOUSE_CATALOG"])["kind"] == "glue"
        details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
        assert details["subnetId"] in settings.ecs.network(step).subnets


def test_airflow_s_role_allows_every_call_of_a_step(deployment: Deployment, settings: Settings) -> None:
    from lakehouse_airflow.operators import StepOperator

    one = StepOperator(task_id="conform", step="conform", work_order=ORDER)
    with recording(REGION) as calls:
        execute(one)
        one.on_kill()
    made = calls.requests["orchestrator"]
    wanted = {"s3:DeleteObject", "ecs:ListTasks", "ecs:RunTask", "ecs:TagResource", "ecs:StopTask"}
    assert wanted <= {request.action for request in made}
    policies = role_policies(deployment, "orchestrator")
    assert {f"{one.action} {one.resource}" for one in made if not allows(policies, one)} == set()


def started(deployment: Deployment, step: Step) -> dict[str, Any]:
    """Starts a step as Airflow does and returns what ECS holds of its task."""
    from lakehouse_airflow.operators import StepOperator

    ecs = deployment.client("ecs")
    before = set(ecs.list_tasks(cluster=NAME)["taskArns"])
    execute(StepOperator(task_id=step.value, step=step.value, work_order=ORDER), step.value)
    (arn,) = set(ecs.list_tasks(cluster=NAME)["taskArns"]) - before
    held: dict[str, Any] = ecs.describe_tasks(cluster=NAME, tasks=[arn])["tasks"][0]
    ecs.stop_task(cluster=NAME, task=arn)
    return held


def execute(one: Any, task_id: str = "conform") -> None:
    from airflow.sdk.exceptions import TaskDeferred

    context = task_context()
    context["ti"].task_id = task_id
    with pytest.raises(TaskDeferred):
        one.execute(context)
