"""Steps in containers of a real engine: whatever the container says, the result file decides."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from tests.containers.conftest import open_to_all
from tests.containers.engine import BASE, PREFIX, Engine
from tests.lakehouse_airflow.runners.conftest import GOOD, GOOD_FIGURES, ORDER, WHAT_DECIDES, pull_operator, step_script
from tests.waiting import STANDSTILL_SECONDS, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

CANARY = "canary-55aa"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "lake"
    folder.mkdir()
    open_to_all(folder)
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(folder))
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNER", "docker")
    load_settings.cache_clear()
    yield folder
    load_settings.cache_clear()


@pytest.fixture
def operator(
    images: Engine, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Returns a maker of a pull operator whose image leaves these facts, runs this script and ends with this code."""
    tag = f"{PREFIX}/lying:{tmp_path.name[-40:]}".replace("_", "-")

    def make(code: int = 0, facts: dict[str, Any] | None = None, script: str = "", **settings: Any) -> Any:
        (tmp_path / "step.py").write_text(step_script(code, facts, script))
        (tmp_path / "Dockerfile").write_text(f'FROM {BASE}\nCOPY step.py /\nENTRYPOINT ["python3", "/step.py"]\n')
        assert images.build(tag, str(tmp_path / "Dockerfile"), tmp_path).returncode == 0
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_DOCKER", json.dumps({"images": {"pull": tag}, **settings}))
        return pull_operator()

    yield make
    images.run("rmi", "--force", tag, check=False)
    assert ours(images) == [], "a container was left"


def ours(engine: Engine) -> list[str]:
    return engine.run("ps", "--all", "--quiet", "--filter", f"label=crypto-lakehouse.order={ORDER}").stdout.split()


def lines_of_a_run() -> list[str]:
    """Runs the step as the settings say and returns what went to the log."""
    from lakehouse_airflow.runners.docker_runner import DockerRunner
    from lakehouse_airflow.runners.runner import RunContext

    lines: list[str] = []
    DockerRunner().run(Step.PULL, ORDER, RunContext(load_settings(), lines.append, {"dag_id": "x"}))
    return lines


def test_a_good_result_gives_its_counts(operator: Any) -> None:
    assert operator(facts=GOOD).execute({}) == GOOD_FIGURES


def test_the_log_has_the_step_s_lines(operator: Any) -> None:
    operator(script="print('many\\n' * 3 + 'words')")
    assert lines_of_a_run()[1:] == [
        *("many", "many", "many", "words"),
        f"a line of the step step pull --work-order {ORDER}",
    ]


@WHAT_DECIDES
def test_the_result_file_decides(
    facts: dict[str, Any] | None, code: int, message: str, final: bool, operator: Any
) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    with pytest.raises(TaskFailed, match=message) as raised:
        operator(code=code, facts=facts).execute({})
    assert isinstance(raised.value, TaskFailedForGood) is final


def test_an_image_that_is_nowhere_is_named(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse_airflow.errors import TaskFailed

    task = operator()
    # A registry on a closed port of this machine: nothing outside is asked.
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_DOCKER", json.dumps({"images": {"pull": "127.0.0.1:9/nowhere:none"}}))
    load_settings.cache_clear()
    with pytest.raises(TaskFailed, match=r"image 127\.0\.0\.1:9/nowhere:none does not exist"):
        task.execute({})


def test_an_engine_that_does_not_answer_may_be_tried_again(operator: Any) -> None:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    task = operator(host="unix:///nowhere/docker.sock")
    with pytest.raises(TaskFailed, match="engine does not answer") as raised:
        task.execute({})
    assert not isinstance(raised.value, TaskFailedForGood)


def test_a_container_has_no_rights_and_the_limits_of_its_step(operator: Any, images: Engine, lake: Path) -> None:
    task = operator(facts=GOOD, script="time.sleep(3600)", limits={"pull": {"memory_mib": 96, "cpus": 0.5}})
    with running(task, images) as container:
        found = images.inspect(container)
        task.on_kill()
    host, config = found["HostConfig"], found["Config"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges"])
    assert (host["Memory"], host["NanoCpus"], config["User"]) == (96 << 20, 500_000_000, "10001:10001")
    assert host["PidsLimit"]
    assert not host["Privileged"]
    assert [(mount["Source"], mount["Destination"]) for mount in found["Mounts"]] == [(str(lake), "/lake")]
    assert config["Labels"]["crypto-lakehouse.step"] == "pull"


def test_killing_the_task_ends_the_container(operator: Any, images: Engine) -> None:
    task = operator(script="time.sleep(600)")
    with running(task, images) as container:
        task.on_kill()
    assert images.run("inspect", container, check=False).returncode != 0


def test_the_container_of_a_try_whose_worker_died_does_not_go_on_beside_the_next(
    operator: Any, images: Engine, lake: Path
) -> None:
    ghost_script = "pathlib.Path('/lake/ghost').write_text('x'); time.sleep(600)"
    ghost = running(operator(script=ghost_script), images)
    with ghost as container:
        # It is at work long enough for the ghost to clear up what it takes for its own.
        task = operator(facts=GOOD, script="time.sleep(3)")
        assert (lake / "ghost").exists(), "the fault: it was at work"
        assert task.execute({}) == GOOD_FIGURES
        assert images.run("inspect", container, check=False).returncode != 0
    assert may_be_tried_again(ghost.error)


def test_a_container_that_somebody_removes_may_be_tried_again(operator: Any, images: Engine) -> None:
    attempt = running(operator(facts=GOOD, script="time.sleep(600)"), images)
    with attempt as container:
        images.run("rm", "--force", container)
    assert may_be_tried_again(attempt.error)


def may_be_tried_again(error: BaseException | None) -> bool:
    from lakehouse_airflow.errors import TaskFailed, TaskFailedForGood

    return isinstance(error, TaskFailed) and not isinstance(error, TaskFailedForGood)


def test_a_step_that_wants_too_much_memory_fails_and_says_so(operator: Any) -> None:
    operator(facts=GOOD, script="x = b'x' * (1 << 30)", limits={"pull": {"memory_mib": 64}})
    assert "more memory than its limit" in lines_of_a_run()[-1]


def test_a_secret_reaches_the_step_and_no_log(
    operator: Any, lake: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_STORAGE__SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("SOME_WORKER_VARIABLE", "worker")
    monkeypatch.setenv("NOT_PASSED", "worker")
    task = operator(
        facts=GOOD,
        script="pathlib.Path('/lake/seen').write_text(json.dumps(dict(os.environ)))",
        pass_environment=["SOME_WORKER_VARIABLE"],
    )
    task.execute({})
    lines = lines_of_a_run()
    seen = json.loads((lake / "seen").read_text())
    assert json.loads(seen["CRYPTO_LAKEHOUSE_STORAGE"])["secret_access_key"] == CANARY
    assert seen["SOME_WORKER_VARIABLE"] == "worker"
    assert "NOT_PASSED" not in seen
    assert CANARY not in "".join([*lines, *capfd.readouterr()])


class running:  # noqa: N801  read as a verb
    """Executes an operator in a thread until its container runs; yields the container's id."""

    def __init__(self, task: Any, engine: Engine) -> None:
        self.task, self.engine = task, engine
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.execute)

    def execute(self) -> None:
        try:
            self.task.execute({})
        except SystemExit as error:
            self.error = error

    def __enter__(self) -> str:
        self.thread.start()
        container: str = wait_until(self._running)
        # It is given a second in which to do its work.
        time.sleep(1)
        return container

    def _running(self) -> str:
        containers = ours(self.engine)
        return containers[0] if containers and self.engine.inspect(containers[0])["State"]["Running"] else ""

    def __exit__(self, *_: object) -> None:
        self.thread.join(STANDSTILL_SECONDS)
        assert not self.thread.is_alive()
