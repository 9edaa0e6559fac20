"""Steps as tasks on ECS: the provider's own operator, client and trigger against moto's server on loopback."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from tests.lakehouse_airflow.runners.conftest import (
    FAILED,
    GOOD,
    GOOD_FIGURES,
    ORDER,
    finished,
    pull_operator,
    step_script,
    task_context,
)
from tests.lakehouse_airflow.runners.ecs_fleet import Fleet, ends_soon, stays_running
from tests.waiting import STANDSTILL_SECONDS

pytest.importorskip("airflow.providers.amazon", reason="the provider is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

CANARY = "canary-31fd"
REGION = "us-east-1"
CLUSTER = "crypto-lakehouse"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3
    import requests
    from moto.moto_api import state_manager

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "CRYPTO_LAKEHOUSE_RUNNER": "ecs",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CRYPTO_LAKEHOUSE_CONFIG", raising=False)
    # Tasks end at once, but where a test says otherwise.
    state_manager.set_transition("ecs::task", {"progression": "immediate"})
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    container = {"name": "step", "image": "crypto-lakehouse/s5cmd", "memory": 512}
    ecs.register_task_definition(
        family="crypto-lakehouse-pull",
        containerDefinitions=[container],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )
    yield ecs
    state_manager.unset_transition("ecs::task")
    requests.post(f"{endpoint}/moto-api/reset", timeout=STANDSTILL_SECONDS)


@pytest.fixture
def fleet(client: Any, lake: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    from moto.ecs import models

    one = Fleet(lake)
    make = models.Task.__init__

    def made(task: Any, *arguments: Any, **named: Any) -> None:
        make(task, *arguments, **named)
        one.started(task)

    monkeypatch.setattr(models.Task, "__init__", made)
    return one


@pytest.fixture
def operator(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Returns a maker of a pull operator whose task leaves these facts and ends with this code."""
    import boto3

    subnet = boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]

    def make(code: int = 0, facts: dict[str, Any] | None = None, *, deferrable: bool = False, **more: Any) -> Any:
        fleet.program = step_script(code, facts)
        given = {"has_lake_mount": True, "poll_seconds": 1, "subnets": [subnet], "deferrable": deferrable}
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_ECS", json.dumps({**given, **more}))
        return pull_operator()

    return make


both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@both_ways
def test_a_good_result_gives_its_counts(deferrable: bool, operator: Any, fleet: Fleet) -> None:
    deferrals: list[int] = []
    one = operator(facts=GOOD, deferrable=deferrable)
    assert finished(one, task_context(), lambda: deferrals.append(1)) == GOOD_FIGURES
    assert bool(deferrals) is deferrable
    [task] = fleet.tasks
    assert (task.launch_type, task.group[:15]) == ("FARGATE", "lakehouse-pull-")


@pytest.mark.parametrize(
    ("facts", "code", "said", "message", "is_final"),
    [
        (None, 0, 0, "left no result", False),
        (GOOD, 0, 1, "contradict each other", False),
        (FAILED, 65, 0, "why", True),
        (FAILED, 65, 65, "why", True),
        (None, 9, 137, "left no result", False),
    ],
    ids=["success without result", "failure with good result", "success with failed result", "both", "killed"],
)
@both_ways
def test_the_result_file_decides(
    facts: dict[str, Any] | None,
    code: int,
    said: int,
    message: str,
    is_final: bool,
    deferrable: bool,
    operator: Any,
    fleet: Fleet,
) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    fleet.said_code = said
    with pytest.raises(TaskFailed, match=message) as raised:
        finished(operator(code=code, facts=facts, deferrable=deferrable), task_context())
    assert isinstance(raised.value, TaskFailedForGood) is is_final
    assert len(fleet.environments) == 1, "it was run"


@both_ways
def test_a_task_that_did_not_start_is_a_failure_that_says_so(
    deferrable: bool, operator: Any, fleet: Fleet, capfd: pytest.CaptureFixture[str]
) -> None:
    from lakehouse_airflow.errors import TaskFailed

    fleet.fails_to_start = True
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(facts=GOOD, deferrable=deferrable), task_context())
    assert fleet.tasks, "the fault was met"
    assert "failed to start due to: CannotPullContainerError" in "".join(capfd.readouterr())


def test_a_task_that_was_stopped_from_outside_is_a_failure(operator: Any, fleet: Fleet, client: Any) -> None:
    from lakehouse_airflow.errors import TaskFailed

    def stop() -> None:
        client.stop_task(cluster=CLUSTER, task=fleet.tasks[0].task_arn, reason="somebody")

    stays_running()
    fleet.said_code = 143
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(deferrable=True), task_context(), stop)
    assert fleet.tasks[0].stopped_reason == "somebody"


def test_a_try_that_was_cut_off_is_joined_by_the_next_and_the_step_runs_once(operator: Any, fleet: Fleet) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from lakehouse_airflow.errors import TaskFailed

    stays_running()
    with pytest.raises(TaskDeferred):
        operator(facts=GOOD, deferrable=True).execute(task_context())
    # The triggerer never fires; the task ends while the next try waits for it, and that one deleted its result.
    ends_soon(fleet)
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(facts=GOOD), task_context(try_number=2))
    assert len(fleet.tasks) == 1, "it was joined"
    # As ECS says of a task that has ended; moto forgets to.
    fleet.tasks[0].desired_status = "STOPPED"
    # Nothing runs any more: the next starts a task of its own.
    assert finished(operator(facts=GOOD), task_context(try_number=3)) == GOOD_FIGURES
    assert len(fleet.tasks) == 2


def test_a_step_that_ran_longer_than_anybody_waits_is_stopped_and_not_joined_again(operator: Any, fleet: Fleet) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    stays_running()
    with pytest.raises(TaskDeferred):
        operator(facts=GOOD, deferrable=True, timeout_seconds=3600).execute(task_context())
    # moto keeps no time of its own.
    fleet.tasks[0].created_at = time.time() - 7200
    with pytest.raises(TaskFailed, match="left no result") as raised:
        operator(facts=GOOD, deferrable=True, timeout_seconds=3600).execute(task_context(try_number=2))
    assert not isinstance(raised.value, TaskFailedForGood)
    assert fleet.tasks[0].stopped_reason == "it ran longer than ecs.timeout_seconds"
    assert len(fleet.tasks) == 1


def test_a_tag_holds_what_aws_takes(operator: Any, fleet: Fleet, client: Any) -> None:
    finished(operator(facts=GOOD), task_context(run_id="manual~(1)"))
    tags = client.list_tags_for_resource(resourceArn=fleet.tasks[0].task_arn)["tags"]
    assert {one["key"]: one["value"] for one in tags}["crypto-lakehouse:run_id"] == "manual--1-"


def test_killing_the_task_stops_it(operator: Any, fleet: Fleet) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    stays_running()
    one = operator(deferrable=True)
    with pytest.raises(TaskDeferred):
        one.execute(task_context())
    one.on_kill()
    assert fleet.tasks[0].desired_status == "STOPPED"


@pytest.mark.parametrize(("settings", "named"), [({"cluster": "nowhere"}, "ClusterNotFound"), ({"subnets": []}, "")])
def test_what_ecs_refuses_is_final(settings: dict[str, Any], named: str, operator: Any, fleet: Fleet) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    with pytest.raises(TaskFailedForGood, match=f"refuses the step.*{named}"):
        finished(operator(facts=GOOD, **settings), task_context())
    assert fleet.environments == []


def test_an_endpoint_that_does_not_answer_may_be_tried_again(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    one = operator(facts=GOOD)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TaskFailed, match="left no result") as raised:
        finished(one, task_context())
    assert not isinstance(raised.value, TaskFailedForGood)


def test_no_secret_is_in_what_a_task_is_told_nor_in_the_log(
    operator: Any, fleet: Fleet, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_DOCKER__PASS_ENVIRONMENT", '["SOME_KEY"]')
    monkeypatch.setenv("SOME_KEY", CANARY)
    with pytest.raises(SystemExit, match="left no result"):
        finished(operator(code=3), task_context())
    said = "".join(capfd.readouterr())
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" in said, "the operator logs what it sends"
    assert CANARY not in said
    assert CANARY not in json.dumps(fleet.tasks[0].overrides)


def test_the_task_s_lines_are_in_the_log(operator: Any, fleet: Fleet, capfd: pytest.CaptureFixture[str]) -> None:
    import boto3

    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/lakehouse")

    def forward() -> None:
        stream = f"step/step/{fleet.tasks[0].task_arn.rpartition('/')[2]}"
        logs.create_log_stream(logGroupName="/lakehouse", logStreamName=stream)
        line = {"timestamp": int(time.time() * 1000), "message": "a line of the step"}
        logs.put_log_events(logGroupName="/lakehouse", logStreamName=stream, logEvents=[line])

    capfd.readouterr()
    one = operator(facts=GOOD, deferrable=True, logs_group="/lakehouse")
    assert finished(one, task_context(), forward) == GOOD_FIGURES
    assert "] a line of the step" in "".join(capfd.readouterr())


def test_a_lake_that_is_a_folder_must_be_mounted(operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    with pytest.raises(TaskFailedForGood, match="has_lake_mount"):
        operator(has_lake_mount=False).execute(task_context())


def test_scratch_space_is_the_step_s_own(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow.runners.ecs_runner import overrides

    monkeypatch.setenv("CRYPTO_LAKEHOUSE_ECS", '{"ephemeral_gib": {"conform": 100}, "has_lake_mount": true}')
    load_settings.cache_clear()
    assert overrides(Step.CONFORM, ORDER, load_settings())["ephemeralStorage"] == {"sizeInGiB": 100}
    assert "ephemeralStorage" not in overrides(Step.PULL, ORDER, load_settings())


def test_a_step_runs_in_the_network_and_on_the_capacity_that_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow.runners.ecs_runner import EcsRunner
    from lakehouse_airflow.runners.runner import RunContext

    for name, value in {
        "LAKE": "s3://lake",
        "ECS__SUBNETS": "subnet-a,subnet-b",
        "ECS__SECURITY_GROUPS": "sg-a",
        "ECS__NETWORKS__DELTA__SUBNETS": "subnet-c",
        "ECS__NETWORKS__DELTA__SECURITY_GROUPS": "sg-c",
        "ECS__SPOT": "conform,gate",
        "ECS__LOGS_GROUP": "/lake/steps/{step}",
        "ECS__FAMILY_PREFIX": "lake",
    }.items():
        monkeypatch.setenv(f"CRYPTO_LAKEHOUSE_{name}", value)
    load_settings.cache_clear()
    context = RunContext(load_settings(), print, {}, {})
    made = {step: EcsRunner().new_operator(step, ORDER, context) for step in Step}
    places = {step: one.network_configuration["awsvpcConfiguration"] for step, one in made.items()}
    assert [step for step, place in places.items() if place["subnets"] == ["subnet-c"]] == [Step.DELTA]
    assert places[Step.DELTA]["securityGroups"] == ["sg-c"]
    assert (places[Step.PULL]["subnets"], places[Step.PULL]["securityGroups"]) == (["subnet-a", "subnet-b"], ["sg-a"])
    assert {step for step, one in made.items() if one.capacity_provider_strategy} == {Step.CONFORM, Step.GATE}
    assert made[Step.GATE].capacity_provider_strategy == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert (made[Step.PULL].awslogs_group, made[Step.PULL].task_definition) == ("/lake/steps/pull", "lake-pull")
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("said", "is_final"),
    [
        ("Unable to find task definition", True),
        ("Capacity is unavailable at this time. Please try again later", False),
        ("You've reached the limit on the number of vCPUs you can run concurrently", False),
    ],
)
def test_a_lack_of_capacity_passes_although_ecs_calls_it_the_client_s_fault(said: str, is_final: bool) -> None:
    from botocore.exceptions import ClientError

    from lakehouse_airflow.runners.ecs_runner import EcsRunner

    error = ClientError({"Error": {"Code": "ClientException", "Message": said}}, "RunTask")
    assert EcsRunner().is_final(error) is is_final


def test_settings_that_are_too_long_for_ecs_are_refused_before_it_is_asked(
    operator: Any, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse_airflow.errors import TaskFailedForGood

    symbols = [f"COIN{number}USDT" for number in range(600)]
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_MARKETS", json.dumps({"spot": {"symbols": symbols}}))
    with pytest.raises(TaskFailedForGood, match="ECS accepts 8192"):
        operator(facts=GOOD).execute(task_context())
    assert fleet.tasks == []


def test_a_task_that_does_not_end_is_given_up(operator: Any, fleet: Fleet) -> None:
    from lakehouse_airflow.errors import TaskFailed

    stays_running()
    fleet.said_code = 0
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(timeout_seconds=2), task_context())
    assert fleet.tasks[0].desired_status == "STOPPED", "where a worker waits, it stops the task"
