"""Steps as pods whose containers a Docker engine runs as specified: the contract of processes, and more."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import open_to_all
from tests.containers.engine import BASE, Engine, ensure_base
from tests.containers.engine_pods import EnginePods
from tests.fakes.kubernetes.api_server import serving
from tests.lakehouse_airflow.runners.conftest import GOOD, GOOD_FIGURES, finished, lake, task_context
from tests.lakehouse_airflow.runners.pods_contract import PodsContract
from tests.lakehouse_airflow.runners.pods_place import SLOW, Place, both_ways, failure, in_thread

__all__ = ["lake"]
pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the provider is not installed")
pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

IMAGE = "crypto-lakehouse-kubernetes/step:test"
# What the image does lies in the lake, so that one image does for all tests.
PROGRAM = "exec(compile(open('/lake/step.py').read(), 'step', 'exec'))"
FACTS = """
import socket
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
def refusal(call):
    try:
        call()
    except OSError as error:
        return error.errno
pathlib.Path("/work/x").write_text("x")
pathlib.Path("/lake/seen").write_text(json.dumps(dict(
    user=os.getuid(), group=os.getgid(), groups=os.getgroups(), capabilities=status["CapBnd"].strip(),
    privileges=status["NoNewPrivs"].strip(), seccomp=status["Seccomp"].strip(),
    root=refusal(lambda: pathlib.Path("/opt/x").write_text("x")),
    network=refusal(lambda: socket.create_connection(("192.0.2.1", 80), 1)),
    full=refusal(lambda: pathlib.Path("/work/big").write_bytes(bytes(40 << 20))),
)))
"""


@pytest.fixture(scope="module")
def step_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    ensure_base(engine)
    start = json.dumps(["python3", "-c", PROGRAM])
    (folder / "Dockerfile").write_text(f"FROM {os.environ.get('BASE_IMAGE', BASE)}\nENTRYPOINT {start}\n")
    done = engine.build(IMAGE, str(folder / "Dockerfile"), folder)
    assert done.returncode == 0, done.stderr[-3000:]
    yield IMAGE
    engine.run("rmi", "--force", IMAGE, check=False)


@pytest.fixture
def place(step_image: str, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    carrier = EnginePods(f"{os.getpid()}-{tmp_path.name[-20:]}".replace("_", "-"))

    def say(folder: Path, program: str) -> None:
        (folder / "step.py").write_text(program)

    open_to_all(lake)
    with serving(carrier) as api:
        yield Place(lake, api, say, monkeypatch, step_image)
    assert carrier.left() == []
    carrier.close()


class TestPodsInAnEngine(PodsContract):
    """See the contract."""

    def test_a_step_has_the_rights_and_the_room_that_its_pod_says(self, place: Place) -> None:
        limits = {"pull": {"memory_mib": 256, "cpus": 0.5, "scratch_mib": 32}}
        finished(place.operator(facts=GOOD, script=FACTS, docker={"limits": limits}), task_context())
        assert json.loads((place.lake / "seen").read_text()) == {
            "user": 10001,
            "group": 10001,
            "groups": [10001],
            "capabilities": "0" * 16,
            "privileges": "1",
            "seccomp": "2",
            "root": 30,
            "network": 101,
            "full": 28,
        }
        carrier = place.cluster.carrier
        assert isinstance(carrier, EnginePods)
        [found] = carrier.inspected
        host = found["HostConfig"]
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (256 << 20, 256 << 20, 500_000_000)
        assert found["Config"]["Image"] == place.image

    @both_ways
    def test_a_step_that_wants_too_much_memory_fails_and_says_so(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        docker = {"limits": {"pull": {"memory_mib": 64}}}
        task = place.operator(facts=GOOD, script="x = b'x' * (1 << 30)", deferrable=deferrable, docker=docker)
        error = failure(task)
        assert "left no result" in str(error)
        said = "".join(capfd.readouterr())
        assert "exit code 137: OOMKilled" in said
        assert "more memory than its limit" in said

    def test_a_step_with_enough_memory_does_not_fail(self, place: Place) -> None:
        docker = {"limits": {"pull": {"memory_mib": 2048}}}
        task = place.operator(facts=GOOD, script="x = b'x' * (1 << 30)", docker=docker)
        assert finished(task, task_context()) == GOOD_FIGURES, "the control"

    def test_a_container_that_is_killed_on_its_node_fails_the_try_and_the_next_succeeds(self, place: Place) -> None:
        carrier = place.cluster.carrier
        assert isinstance(carrier, EnginePods)
        with in_thread(place.operator(facts=GOOD, script=SLOW, deferrable=True)) as task:
            place.wait_for("started")
            [name] = carrier.left()
            carrier.client.containers.get(name).kill()
        assert "left no result" in str(task.result)
        assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES
