"""Steps as tasks on ECS whose containers really run: whatever ECS says of them, the result file decides.

The provider's own operator, client and trigger, against a stand-in that runs a task's container on this engine. What
that lacks, such as a refused cluster or capacity, `tests/lakehouse_airflow/runners/test_ecs_runner.py` has from moto.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.settings import load_settings
from tests.containers.conftest import open_to_all
from tests.containers.engine import PREFIX, ensure_base
from tests.containers.ministack import CLUSTER, Ministack
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
from tests.waiting import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

FAMILY, GROUP = "crypto-lakehouse-pull", "/crypto-lakehouse/steps/pull"
SLEEP = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\ntime.sleep(600)"
both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ecs: Ministack) -> Iterator[Path]:
    folder = tmp_path / "lake"
    folder.mkdir()
    open_to_all(folder)
    for name, value in ecs.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(folder))
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "ecs")
    load_settings.cache_clear()
    yield folder
    load_settings.cache_clear()


@pytest.fixture
def operator(ecs: Ministack, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Returns a maker of a pull operator whose image leaves these facts, runs this script and ends with this code."""
    tag = f"{PREFIX}/on-ecs:{tmp_path.name[-40:]}".replace("_", "-")

    def make(
        code: int = 0,
        facts: dict[str, Any] | None = None,
        script: str = "",
        *,
        deferrable: bool = False,
        image: str = tag,
        **more: Any,
    ) -> Any:
        if image == tag:
            (tmp_path / "step.py").write_text(step_script(code, facts, script))
            (tmp_path / "Dockerfile").write_text(
                f'FROM {ensure_base(ecs.engine)}\nCOPY step.py /\nENTRYPOINT ["python3", "/step.py"]\n'
            )
            assert ecs.engine.build(tag, str(tmp_path / "Dockerfile"), tmp_path).returncode == 0
        register(ecs, image, lake)
        given = {"has_lake_mount": True, "poll_seconds": 1, "subnets": ["subnet-1"], "logs_group": GROUP}
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_ECS", json.dumps({**given, "deferrable": deferrable, **more}))
        return pull_operator()

    yield make
    ecs.engine.run("rmi", "--force", tag, check=False)


def register(ecs: Ministack, image: str, lake: Path) -> None:
    """As Terraform does; the lake is a folder, which shows what the container left."""
    logs = ecs.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
        logs.create_log_group(logGroupName=GROUP)
    ecs.define(FAMILY, image, lake, GROUP)


def tasks(ecs: Ministack) -> list[dict[str, Any]]:
    """Returns what ECS says of all tasks, the oldest first."""
    client = ecs.client("ecs")
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in client.list_tasks(cluster=CLUSTER, desiredStatus=status)["taskArns"]
    ]
    found = client.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
    of_steps = [task for task in found if task["group"]]
    return sorted(of_steps, key=lambda task: str(task["createdAt"]))


def is_up(ecs: Ministack, lake: Path) -> Callable[[], None]:
    """Returns what waits until the step is at work."""

    return lambda: wait_until((lake / "up").exists, progress=lambda: str(tasks(ecs)))


def at_work(then: str = SLEEP) -> str:
    return f"pathlib.Path('/lake/up').write_text('x')\n{then}"


@both_ways
def test_a_good_result_gives_its_counts_and_the_step_s_lines_are_in_the_log(
    deferrable: bool, operator: Any, ecs: Ministack, capfd: pytest.CaptureFixture[str]
) -> None:
    task = operator(facts=GOOD, script="print('a word of its own', flush=True)", deferrable=deferrable)
    assert finished(task, task_context()) == GOOD_FIGURES
    said = "".join(capfd.readouterr())
    assert "] a word of its own" in said
    assert f"] a line of the step step pull --work-order {ORDER} --json" in said
    assert tasks(ecs)[-1]["containers"][0]["exitCode"] == 0


@pytest.mark.parametrize(
    ("facts", "code", "message", "is_final", "deferrable"),
    [
        (None, 0, "left no result", False, True),
        (None, 0, "left no result", False, False),
        (GOOD, 3, "contradict each other", False, True),
        (GOOD, 3, "contradict each other", False, False),
        (FAILED, 0, "why", True, True),
        (FAILED, 65, "why", True, True),
        (None, 75, "left no result", False, True),
    ],
    ids=[
        *("success without result", "success without result, waiting"),
        *("failure with good result", "failure with good result, waiting"),
        *("success with failed result", "both", "neither"),
    ],
)
def test_the_result_file_decides(
    facts: dict[str, Any] | None,
    code: int,
    message: str,
    is_final: bool,
    deferrable: bool,
    operator: Any,
    ecs: Ministack,
) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    with pytest.raises(TaskFailed, match=message) as raised:
        finished(operator(code=code, facts=facts, deferrable=deferrable), task_context())
    assert isinstance(raised.value, TaskFailedForGood) is is_final
    assert tasks(ecs)[-1]["containers"][0]["exitCode"] == code, "ECS told what the container said"


@both_ways
def test_an_image_that_is_nowhere_fails_soon_and_is_named(
    deferrable: bool, operator: Any, ecs: Ministack, capfd: pytest.CaptureFixture[str]
) -> None:
    from lakehouse_airflow.errors import TaskFailed

    # A registry on a closed port of this machine: nothing outside is asked.
    nowhere = "127.0.0.1:9/nowhere:none"
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(image=nowhere, deferrable=deferrable), task_context())
    assert tasks(ecs)[-1]["stopCode"] == "TaskFailedToStart"
    said = "".join(capfd.readouterr())
    assert "The task failed to start due to: " in said
    assert nowhere in said


def test_a_task_that_was_stopped_from_outside_is_a_failure_although_ecs_says_0(
    operator: Any, ecs: Ministack, lake: Path
) -> None:
    from lakehouse_airflow.errors import TaskFailed

    def stop() -> None:
        is_up(ecs, lake)()
        running = ecs.client("ecs").list_tasks(cluster=CLUSTER, desiredStatus="RUNNING")["taskArns"]
        ecs.client("ecs").stop_task(cluster=CLUSTER, task=running[0], reason="somebody")

    with pytest.raises(TaskFailed, match=r"left no result .*exit code 0"):
        finished(operator(script=at_work(), deferrable=True), task_context(), stop)
    last = tasks(ecs)[-1]
    assert (last["stoppedReason"], last["containers"][0]["exitCode"]) == ("somebody", 0), "the lie"
    assert ecs.containers("--filter", "status=running") == []


def test_a_container_that_is_killed_is_a_failure(operator: Any, ecs: Ministack, lake: Path) -> None:
    from lakehouse_airflow.errors import TaskFailed

    def kill() -> None:
        is_up(ecs, lake)()
        ecs.engine.run("kill", *ecs.containers("--filter", "status=running"))

    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(script=at_work(), deferrable=True), task_context(), kill)
    assert tasks(ecs)[-1]["containers"][0]["exitCode"] == 137


def test_killing_the_task_ends_the_container(operator: Any, ecs: Ministack, lake: Path) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    task = operator(script=at_work(), deferrable=True)
    with pytest.raises(TaskDeferred):
        task.execute(task_context())
    is_up(ecs, lake)()
    assert len(ecs.containers("--filter", "status=running")) == 1
    task.on_kill()
    assert ecs.containers("--filter", "status=running") == []


def test_a_try_that_was_cut_off_is_joined_by_the_next_and_the_step_runs_once(
    operator: Any, ecs: Ministack, lake: Path
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    before = len(tasks(ecs))
    # It ends when it is told to, after the second try has deleted the first's result and joined.
    wait = "while not pathlib.Path('/lake/go').exists(): time.sleep(0.1)"
    with pytest.raises(TaskDeferred):
        operator(facts=GOOD, script=at_work(wait), deferrable=True).execute(task_context())
    is_up(ecs, lake)()
    again = pull_operator()
    assert finished(again, task_context(try_number=2), (lake / "go").touch) == GOOD_FIGURES
    assert len(tasks(ecs)) == before + 1


def test_a_task_that_does_not_end_is_given_up_and_stopped(operator: Any, ecs: Ministack, lake: Path) -> None:
    from lakehouse_airflow.errors import TaskFailed

    started = time.monotonic()
    with pytest.raises(TaskFailed, match="left no result"):
        finished(operator(script=at_work(), timeout_seconds=5), task_context())
    assert time.monotonic() - started < 600, "the step would sleep for 600 s"
    assert (lake / "up").exists(), "it was at work"
    assert tasks(ecs)[-1]["lastStatus"] == "STOPPED"
    assert ecs.containers("--filter", "status=running") == []
