"""A DAG run as production on AWS has it, as far as one machine can show it.

Terraform applies the tree to moto's server; Airflow's tasks run with `terraform output -raw env` as their settings and
start Terraform's task definitions by name; a stand-in runs these in the images that are built here; the steps read and
write the S3 and Glue that Terraform made. Not as on AWS: where services are (endpoints), keys instead of roles, and
that nobody judges rights, networks and memory.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.verbs import DATASET_RUN
from crypto_lakehouse.vocabulary import Step
from tests.containers.engine import REPOSITORY, Engine, image
from tests.containers.ministack import Ministack, gateway
from tests.fakes.bucket import FakeBucket, serving
from tests.small_lake import SmallLake
from tests.terraform.conftest import Deployment
from tests.terraform.stand_in import stand_in
from tests.terraform.terraforming import find_tools, workspace

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

KLINES = "binance_um_klines"
DAYS = ("2025-01-01", "2025-01-02")
RUN = {
    "dag_id": KLINES,
    "conf": {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": DAYS[0], "end_date": DAYS[1]},
}
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
# The exchange is not asked in dev, which has no way to the internet.
STEPS = [step for stage in DATASET_RUN for step in stage.steps if step is not Step.DELTA]
ANSWERED_ONLY = {
    *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
    *("registeredAt", "registeredBy", "deregisteredAt"),
}
"""What describes a task definition and is not asked for when one is registered."""


@dataclass(frozen=True)
class Place:
    """What a run needs: an archive with two days, what Terraform made, and what Airflow is told of it."""

    archive: FakeBucket
    deployment: Deployment
    variables: Mapping[str, str]


@pytest.fixture(scope="module")
def place(images: Engine, ecs: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    tools = find_tools()
    if isinstance(tools, str):
        pytest.skip(tools)
    host = gateway(images)
    with ExitStack() as stack:
        endpoint = stack.enter_context(stand_in(host))
        archive = stack.enter_context(serving(FakeBucket(), host))
        copy = workspace(tools, tmp_path_factory.mktemp("terraform"), endpoint, environment="dev")
        (copy.folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        assert copy.init().ok
        applied = copy.apply()
        assert applied.ok, applied.text
        deployment = Deployment(copy, endpoint, applied)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in KEYS.items():
            patch.setenv(name, value)
        _without_policy(deployment)
        stack.callback(images.run, "rmi", *_move(deployment, ecs), check=False)
        added = {
            "CRYPTO_LAKEHOUSE_ECS__POLL_SECONDS": "1",
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": archive.endpoint,
            "CRYPTO_LAKEHOUSE_STORAGE__ENDPOINT_URL": endpoint,
            "CRYPTO_LAKEHOUSE_CATALOG__GLUE_ENDPOINT_URL": endpoint,
        }
        yield Place(archive, deployment, {**deployment.env, **added})


def _without_policy(deployment: Deployment) -> None:
    """Moto refuses whatever a policy refuses on a condition; what the policy says is tested as data."""
    deployment.client("s3").delete_bucket_policy(Bucket=deployment.workspace.output("buckets")["lake"])


def _move(deployment: Deployment, ecs: Ministack) -> set[str]:
    """Brings what Terraform made for steps to the stand-in that can run it: word for word but for the keys.

    Returns the names under which task definitions look for images; those that are built here now have them.
    """
    made, client, names = deployment.workspace.output("ecs"), ecs.client("ecs"), set()
    client.create_cluster(clusterName=made["cluster"])
    for group in made["log_groups"].values():
        ecs.client("logs").create_log_group(logGroupName=group)
    for arn in made["task_definition"].values():
        held = deployment.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        asked = {name: value for name, value in held.items() if name not in ANSWERED_ONLY}
        (container,) = asked["containerDefinitions"]
        container["environment"] += [{"name": name, "value": value} for name, value in KEYS.items()]
        client.register_task_definition(**asked)
        name = container["image"].rpartition("/")[2].partition(":")[0]
        ecs.engine.run("tag", image(name), container["image"])
        names.add(container["image"])
    return names


@pytest.fixture(scope="module")
def finished(place: Place, ecs: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What Airflow said of a run of the DAG; the settings stay in the environment."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "runs.json").write_text(json.dumps([RUN]))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.variables.items():
            patch.setenv(name, value)
        lake = SmallLake(place.archive, Settings())
        for day in DAYS:
            lake.publish(KLINES, day)
        yield _airflow(folder, {**os.environ, **KEYS, **ecs.variables})


def _airflow(folder: Path, variables: Mapping[str, str]) -> str:
    own = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "lakehouse_airflow.sqlite_options.CONNECT_ARGS",
        "PYTHONPATH": str(REPOSITORY / "include"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = ""
    for words in (
        ("airflow", "db", "migrate"),
        ("airflow", "dags", "reserialize"),
        (sys.executable, "-m", "lakehouse_airflow.run_dags", str(folder / "runs.json")),
    ):
        done = subprocess.run(words, env={**variables, **own}, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        (folder / "said.txt").write_text(said)
        assert done.returncode == 0, f"{words}: {said[-8000:]}"
    return said


def test_a_dag_run_on_ecs_publishes_into_what_terraform_made(finished: str, place: Place) -> None:
    told = [json.loads(line[1:]) for line in finished.splitlines() if line.startswith("@")]
    assert [line["state"] for line in told if line["event"] == "end"] == ["success"]
    settings = Settings()
    days = Lake(settings).coverage(KLINES, days=(date(2025, 1, 1), date(2025, 1, 2))).to_dicts()
    assert [day["rows"] for day in days] == [24, 24]
    assert settings.lake == f"s3://{place.deployment.workspace.output('buckets')['lake']}"
    assert Lake(settings).scan(KLINES, symbols=["BTCUSDT"], interval="1h").collect().height == 48


def test_every_step_was_a_deferred_task_of_terraform_s_definition(finished: str, ecs: Ministack, place: Place) -> None:
    client, cluster = ecs.client("ecs"), place.variables["CRYPTO_LAKEHOUSE_ECS__CLUSTER"]
    arns = client.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    tasks = client.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    families = [task["taskDefinitionArn"].rpartition("/")[2].partition(":")[0] for task in tasks]
    assert sorted(families) == sorted(f"{cluster}-{step}" for step in STEPS)
    assert {task["containers"][0]["exitCode"] for task in tasks} == {0}
    assert "DEFERRED" in finished.upper()


def test_alarms_can_count_what_the_steps_said(finished: str, ecs: Ministack, place: Place) -> None:
    groups = place.deployment.workspace.output("ecs")["log_groups"]
    logs, filters = ecs.client("logs"), place.deployment.client("logs").describe_metric_filters()["metricFilters"]
    said = {step: _said(logs, groups[step]) for step in STEPS}
    assert {step: (result["step"], result["subject"]) for step, result in said.items()} == {
        step: (step, KLINES) for step in said
    }
    assert "failed" not in {result["status"] for result in said.values()}
    # Each pattern asks for names that are there, or it would never match.
    asked = {
        metric_filter["logGroupName"]: metric_filter["filterPattern"]
        for metric_filter in filters
        if metric_filter["filterName"].startswith("quarantined")
    }
    for step, line in said.items():
        for name in re.findall(r"\$\.counts\.(\w+)", asked.get(groups[step], "")):
            assert name in line["counts"]
            asked.pop(groups[step])
    assert asked == {}


def _said(logs: Any, group: str) -> dict[str, Any]:
    messages = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    # The other lines are events of the step.
    (line,) = [message for message in messages if '"status"' in message]
    found: dict[str, Any] = json.loads(line)
    return found
