"""The guard before the Docker engine lets steps through and nothing else; the engine here is a double on a socket."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from crypto_lakehouse.settings import Settings, StepLimits
from crypto_lakehouse.vocabulary import Step
from tests.compose.programs import program

OWN, FOREIGN = "a" * 64, "b" * 64
ENVIRONMENT = {
    "GUARD_STACK": "stack",
    "GUARD_IMAGES": "lake/pull:1 lake/polars:1",
    "GUARD_NETWORK": "stack-lake",
    "GUARD_VOLUMES": "stack-key:/secrets/lake:ro stack-exchange:/exchange",
}
GOOD: dict[str, Any] = {
    "Image": "lake/polars:1",
    "Cmd": ["step", "conform", "--work-order", "x"],
    "Env": ["A=b"],
    "User": "10001:10001",
    "Tty": False,
    "Entrypoint": None,
    "Labels": {"crypto-lakehouse.step": "conform"},
    "HostConfig": {
        "NetworkMode": "stack-lake",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Init": True,
        "Memory": 1 << 30,
        "NanoCpus": 10**9,
        "PidsLimit": 512,
        "Tmpfs": {"/work": "rw,mode=1777,size=64m"},
        "Mounts": [
            {"Type": "volume", "Source": "stack-key", "Target": "/secrets/lake", "ReadOnly": True},
            {"Type": "volume", "Source": "stack-exchange", "Target": "/exchange", "ReadOnly": False},
        ],
    },
}
CREATE = "/v1.41/containers/create?name=lakehouse-conform-0"
AS_FORWARDED = {
    **{name: value for name, value in GOOD.items() if name not in {"Tty", "Entrypoint"}},
    "Labels": {"crypto-lakehouse.step": "conform", "crypto-lakehouse.stack": "stack"},
}
"""What is empty under a name that the guard does not know is left out."""
guard = program("guard/guard_engine.py")


class EngineDouble(ThreadingMixIn, UnixStreamServer):
    """An engine with two containers, one of them ours; notes what reaches it, and pauses in a log and before a wait."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.pause = 0.0
        super().__init__(str(path), _EngineHandler)


class _EngineHandler(BaseHTTPRequestHandler):
    server: EngineDouble

    def answer(self) -> None:
        body_size = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append((self.command, self.path, self.rfile.read(body_size)))
        status, content = self.found()
        self.send_response_only(status)
        self.send_header("Connection", "close")
        self.end_headers()
        is_slow = self.path.endswith(("/logs?follow=1", "/wait?"))
        time.sleep(self.server.pause if is_slow else 0)
        # A slow answer has more than what lies between those who write and those who read.
        answer = b" " * (is_slow << 22) + json.dumps(content).encode()
        with suppress(ConnectionError):  # the guard may have ended
            self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def found(self) -> tuple[int, Any]:
        if "/containers/json" in self.path:
            return 200, [{"Id": OWN}]
        known = {OWN: "stack", FOREIGN: "another", "stack-lakehouse-pull-7": "stack"}
        name = self.path.partition("/containers/")[2].partition("/")[0]
        if self.path.endswith("/json") and "/containers/" in self.path:
            if name not in known:
                return 404, {"message": "none"}
            own = known[name] == "stack"
            return 200, {"Id": OWN if own else name, "Config": {"Labels": {guard.LABEL: known[name]}}}
        return 200, {"said": "the engine"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineDouble]:
    with doubled(tmp_path) as server:
        yield server


@pytest.fixture
def ask(engine: EngineDouble, tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    with guarded(tmp_path):
        client = guard.Engine(tmp_path / "guarded.sock")

        def ask(method: str, target: str, body: Any = None) -> tuple[int, str]:
            content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            with client.ask(method, target, content) as answer:
                return answer.status, answer.read().decode()

        yield ask


@contextmanager
def doubled(folder: Path) -> Iterator[EngineDouble]:
    with EngineDouble(folder / "engine.sock") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def guarded(folder: Path, **limits: float) -> Iterator[None]:
    policy, behind = guard.Policy.of(ENVIRONMENT), guard.Engine(folder / "engine.sock")
    with guard.Guard(folder / "guarded.sock", behind, policy, **limits) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()


def changed(path: str, value: Any) -> dict[str, Any]:
    """Returns the good specification with one value changed."""
    specification = json.loads(json.dumps(GOOD))
    *places, last = path.split(".")
    part = specification
    for place in places:
        part = part[int(place) if place.isdigit() else place]
    part[last] = value
    return specification  # type: ignore[no-any-return]


def test_a_step_is_created_under_the_stack_s_name_and_mark(ask: Any, engine: EngineDouble) -> None:
    assert ask("POST", CREATE, GOOD) == (200, '{"said": "the engine"}')
    ((method, target, body),) = engine.seen
    assert (method, target) == ("POST", "/v1.41/containers/create?name=stack-lakehouse-conform-0")
    assert json.loads(body) == AS_FORWARDED


MORE_THAN_A_STEP_NEEDS = {
    "another image": ("Image", "debian"),
    "root": ("User", "0:0"),
    "nobody in particular": ("User", ""),
    "another program": ("Entrypoint", ["sh"]),
    "a key in other letters": ("hostconfig", {"Privileged": True}),
    "all rights": ("HostConfig.Privileged", True),
    "one right": ("HostConfig.CapAdd", ["SYS_ADMIN"]),
    "rights left": ("HostConfig.CapDrop", []),
    "new rights": ("HostConfig.SecurityOpt", ["seccomp=unconfined"]),
    "a folder of the machine": ("HostConfig.Binds", ["/:/machine"]),
    "a mount of a folder": ("HostConfig.Mounts", [{"Type": "bind", "Source": "/", "Target": "/machine"}]),
    "the socket": (
        "HostConfig.Mounts",
        [{"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/var/run/docker.sock"}],
    ),
    "another volume": (
        "HostConfig.Mounts",
        [{"Type": "volume", "Source": "stack_database", "Target": "/exchange", "ReadOnly": False}],
    ),
    "the key to be written": (
        "HostConfig.Mounts",
        [{"Type": "volume", "Source": "stack-key", "Target": "/secrets/lake", "ReadOnly": False}],
    ),
    "a volume's driver": (
        "HostConfig.Mounts",
        [
            {
                **{"Type": "volume", "Source": "stack-exchange", "Target": "/exchange"},
                "VolumeOptions": {"DriverConfig": {"Options": {"device": "/", "o": "bind"}}},
            }
        ],
    ),
    "volumes of others": ("HostConfig.VolumesFrom", ["stack_database_1"]),
    "a writable root": ("HostConfig.ReadonlyRootfs", False),
    "the machine's network": ("HostConfig.NetworkMode", "host"),
    "another's network": ("HostConfig.NetworkMode", "stack_airflow"),
    "the machine's processes": ("HostConfig.PidMode", "host"),
    "a device": ("HostConfig.Devices", [{"PathOnHost": "/dev/sda"}]),
    "no limit of memory": ("HostConfig.Memory", 0),
    "no limit of processes": ("HostConfig.PidsLimit", -1),
    "a restart": ("HostConfig.RestartPolicy", {"Name": "always"}),
    "scratch space elsewhere": ("HostConfig.Tmpfs", {"/etc": "rw"}),
    "programs in scratch space": ("HostConfig.Tmpfs", {"/work": "rw,exec"}),
    "scratch space on the disk": ("HostConfig.Tmpfs", {}),
    "scratch space in two places": ("HostConfig.Tmpfs", {"/work": "rw,mode=1777,size=64m", "/etc": "rw"}),
    "to be taken for a service": ("Labels", {"com.docker.compose.project": "stack"}),
}


@pytest.mark.parametrize("what", MORE_THAN_A_STEP_NEEDS)
def test_whatever_a_step_does_not_need_is_refused(what: str, ask: Any, engine: EngineDouble) -> None:
    path, value = MORE_THAN_A_STEP_NEEDS[what]
    status, said = ask("POST", CREATE, changed(path, value))
    assert (status, engine.seen) == (403, []), said
    assert "not allowed for steps" in said


EMPTY = (None, False, 0, "", [], {})
UNKNOWN = [
    *("user", "image", "cmd", "labels", "hostconfig", "Entrypoint", "entrypoint", "NetworkingConfig", "Volumes"),
    *("HostConfig.readonlyrootfs", "HostConfig.READONLYROOTFS", "HostConfig.capdrop", "HostConfig.securityopt"),
    *("HostConfig.\u017fecurityOpt", "HostConfig.networkmode", "HostConfig.memory", "HostConfig.nanocpus"),
    *("HostConfig.pidslimit", "HostConfig.init", "HostConfig.mounts", "HostConfig.tmpfs", "HostConfig.Privileged"),
    *("HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths", "HostConfig.Mounts.0.readonly"),
    *("HostConfig.Mounts.0.TYPE", "HostConfig.Mounts.0.source", "HostConfig.Mounts.0.VolumeOptions"),
]
"""The engine reads names without regard to case, and the last of two wins."""


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_name_is_left_out_where_it_is_empty_and_else_refused(
    path: str, ask: Any, engine: EngineDouble
) -> None:
    for value in EMPTY:
        assert ask("POST", CREATE, changed(path, value))[0] == 200
        assert json.loads(engine.seen.pop()[2]) == AS_FORWARDED
    status, said = ask("POST", CREATE, changed(path, True))
    assert (status, engine.seen) == (403, [])
    assert "not allowed for steps" in said


def test_a_key_that_is_there_twice_reaches_the_engine_as_it_was_checked(ask: Any, engine: EngineDouble) -> None:
    text = json.dumps(GOOD)
    twice = text.replace('"HostConfig": {', '"HostConfig": {"Privileged": true}, "HostConfig": {')
    assert ask("POST", CREATE, twice.encode())[0] == 200
    assert b"Privileged" not in engine.seen[0][2]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1.41/containers/json"),
        ("GET", "/v1.41/info"),
        ("POST", "/v1.41/images/create?fromImage=debian"),
        ("GET", "/v1.41/images/debian/json"),
        ("POST", "/v1.41/build"),
        ("POST", "/v1.41/volumes/create"),
        ("POST", f"/v1.41/containers/{OWN}/exec"),
        ("GET", f"/v1.41/containers/{OWN}/archive?path=/"),
        ("PUT", f"/v1.41/containers/{OWN}/archive?path=/"),
        ("POST", f"/v1.41/containers/{OWN}/attach"),
        ("POST", f"/v1.41/containers/{OWN}/update"),
        ("POST", f"/v1.41/containers/{OWN}/../{FOREIGN}/start"),
        ("POST", f"/v1.41/containers/{OWN}%2Fstart"),
        ("GET", "/v1.41/images/lake/polars:1/../../containers/x/json"),
        ("POST", "/v1.41/containers/create"),
        ("POST", "/v1.41/containers/create?name=crypto-lakehouse_database_1"),
        ("POST", "/v1.41/containers/create?name=lakehouse-a&name=lakehouse-b"),
        ("POST", "/v1.41/containers/create?name=lakehouse-a%2F..%2Fb"),
        ("POST", "/v1.40/containers/create?name=lakehouse-a"),
        ("POST", "/v1.12/containers/create?name=lakehouse-a"),
        ("POST", "/v2.41/containers/create?name=lakehouse-a"),
        ("POST", "/v1.41/v1.12/containers/create?name=lakehouse-a"),
        ("POST", "/v1.41/containers%2Fcreate?name=lakehouse-a"),
        ("POST", "/V1.41/Containers/Create?name=lakehouse-a"),
        ("POST", "/v1.41/./containers/create?name=lakehouse-a"),
        ("POST", "/v1.41/containers//create?name=lakehouse-a"),
        ("POST", "/v1.41/containers/create/?name=lakehouse-a"),
        ("PUT", "/v1.41/containers/create?name=lakehouse-a"),
        ("POST", "/v1.41/images/create?fromImage=lake/polars&tag=1"),
        ("GET", f"/v1.41/images/lake/polars@sha256:{OWN}/json"),
        ("GET", "/v1.41/images/lake%2Fpolars:1/json"),
        ("POST", "/v1.41/images/load"),
        ("DELETE", "/v1.41/images/lake/polars:1"),
        ("POST", f"/v1.41/commit?container={OWN}"),
        ("POST", f"/v1.41/exec/{OWN}/start"),
        ("POST", "/v1.41/session"),
        ("POST", "/v1.41/grpc"),
        ("GET", "/v1.41/events"),
        ("GET", f"/v1.41/containers/{OWN}/attach/ws"),
        ("GET", f"/v1.41/containers/{OWN}/export"),
        ("HEAD", f"/v1.41/containers/{OWN}/archive?path=/"),
        ("POST", f"/v1.41/containers/{OWN}/rename?name=x"),
        ("POST", f"/v1.41/containers/{OWN}/checkpoints"),
        ("POST", "/v1.41/containers/prune"),
        ("POST", f"/v1.41/containers/%2e%2e/{OWN}/start"),
        ("POST", "/v1.41/containers/../start"),
    ],
)
def test_what_is_not_on_the_list_does_not_reach_the_engine(
    method: str, target: str, ask: Any, engine: EngineDouble
) -> None:
    assert ask(method, target, GOOD)[0] == 403
    assert engine.seen == []


@pytest.mark.parametrize(
    ("method", "action"),
    [("GET", "/json"), ("GET", "/logs?follow=1"), ("POST", "/start"), ("POST", "/stop?t=1"), ("POST", "/wait")],
)
def test_an_own_container_may_be_watched_and_ended(method: str, action: str, ask: Any, engine: EngineDouble) -> None:
    assert ask(method, f"/v1.41/containers/{OWN}{action}")[0] == 200
    assert engine.seen[-1][1].rstrip("?") == f"/v1.41/containers/{OWN}{action}"


@pytest.mark.parametrize(("method", "action"), [("GET", "/json"), ("POST", "/stop"), ("DELETE", "?force=1")])
def test_somebody_else_s_container_is_not_there(method: str, action: str, ask: Any, engine: EngineDouble) -> None:
    assert ask(method, f"/v1.41/containers/{FOREIGN}{action}")[0] == 404
    assert ask(method, f"/v1.41/containers/{'c' * 64}{action}")[0] == 404
    assert [request[0] for request in engine.seen] == ["GET", "GET"], "it was only looked at"


@pytest.mark.parametrize(
    ("method", "asked", "heard"),
    [
        ("POST", "/start?checkpoint=a&checkpoint-dir=/machine", "/start?"),
        ("POST", "/start?detachKeys=a%0d%0aHost:%20b", "/start?"),
        ("POST", "/stop?t=1&t%20=2&T=3", "/stop?t=1"),
        ("POST", "/kill?signal=9%0d%0aA:%20b", "/kill?signal=9%0D%0AA%3A+b"),
        ("GET", "/logs?follow=1&tail=all&details=1", "/logs?follow=1&tail=all"),
        ("DELETE", "?v=True&link=False&force=True", "?v=True&force=True"),
    ],
)
def test_of_a_query_only_what_is_known_is_forwarded(
    method: str, asked: str, heard: str, ask: Any, engine: EngineDouble
) -> None:
    assert ask(method, f"/v1.41/containers/{OWN}{asked}", {"HostConfig": {"Privileged": True}})[0] == 200
    assert engine.seen[-1] == (method, f"/v1.41/containers/{OWN}{heard}", b"")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[]", b"1", b"\xff", b'{"Image": ["a"]}', b'{"Labels": 1}', b""])
def test_what_is_no_specification_is_refused(body: bytes, ask: Any, engine: EngineDouble) -> None:
    assert ask("POST", CREATE, body)[0] == 403
    assert engine.seen == []


def test_the_log_says_what_was_refused_in_one_short_plain_line(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("POST", CREATE, changed("Image", "\x1b[2J\nlast \ud800" + "x" * 9999))[0] == 403
    said = capsys.readouterr().out
    assert "\\x1b[2J\\nlast \\ud800xx" in said
    assert said.isascii()
    assert len(said.splitlines()) == 1
    assert len(said) < 600


def test_a_container_is_found_by_the_name_that_the_runner_gave_it(ask: Any, engine: EngineDouble) -> None:
    assert ask("DELETE", "/v1.41/containers/lakehouse-pull-7?force=1")[0] == 200
    assert [request[:2] for request in engine.seen] == [
        ("GET", "/containers/stack-lakehouse-pull-7/json"),
        ("DELETE", f"/v1.41/containers/{OWN}?force=1"),
    ]


def test_the_engine_s_version_and_the_steps_images_may_be_asked(ask: Any) -> None:
    for target in ("/version", "/v1.41/version", "/_ping", "/v1.41/images/lake/polars:1/json"):
        assert ask("GET", target)[0] == 200


def test_what_an_earlier_start_left_is_removed(engine: EngineDouble, tmp_path: Path) -> None:
    assert guard.Engine(tmp_path / "engine.sock").clear("stack") == 1
    assert [request[:2] for request in engine.seen][1] == ("DELETE", f"/containers/{OWN}?force=1&v=1")


def test_an_engine_that_is_away_is_told_apart_from_a_refusal(tmp_path: Path) -> None:
    with guarded(tmp_path), guard.Engine(tmp_path / "guarded.sock").ask("GET", "/version") as answer:
        assert answer.status == 502


def test_what_the_docker_runner_asks_for_is_let_through(
    ask: Any, engine: EngineDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = pytest.importorskip("docker")
    from lakehouse_airflow.runners.container import container_plan
    from lakehouse_airflow.runners.docker_runner import _create

    given = {
        "host": f"unix://{tmp_path}/guarded.sock",
        "network": "stack-lake",
        "images": {"conform": "lake/polars:1"},
        "mounts": ["stack-key:/secrets/lake:ro", "stack-exchange:/exchange"],
        "pass_environment": ["AWS_SHARED_CREDENTIALS_FILE"],
        "limits": {"conform": StepLimits(memory_mib=128).model_dump()},
    }
    settings = Settings.model_validate({"lake": "s3://lake", "docker": given})
    plan = container_plan(Step.CONFORM, "runs/x/y.json", settings, {"AWS_SHARED_CREDENTIALS_FILE": "/secrets/lake/x"})
    client = docker.DockerClient(base_url=given["host"], version="1.41")
    with pytest.raises(KeyError, match="Id"):
        # The double has no container to show: what matters is that the request came through.
        _create(client, plan, {"step": "conform"}, settings.docker.user)
    client.close()
    method, target, body = engine.seen[-1]
    assert (method, target.partition("?")[0]) == ("POST", "/v1.41/containers/create")
    assert json.loads(body)["HostConfig"]["Mounts"][0]["ReadOnly"] is True
    assert "AWS_SHARED_CREDENTIALS_FILE=/secrets/lake/x" in json.loads(body)["Env"]
