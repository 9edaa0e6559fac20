"""The guard before a real engine: what it lets through is bound, whatever else the request holds."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compose.programs import program
from tests.compose.test_guard import GOOD
from tests.containers.engine import Engine, ensure_base

guard = program("guard/guard_engine.py")
NAME = f"lakehouse-guarded-{os.getpid()}"
STACK = f"test-guard-{os.getpid()}"
LOOSENED = {
    "user": "",
    "entrypoint": [],
    "Entrypoint": [],
    "networkdisabled": False,
    "networkingconfig": {},
}
LOOSENED_HOST = {
    "readonlyrootfs": False,
    "capdrop": [],
    "securityopt": [],
    "networkmode": "",
    "memory": 0,
    "nanocpus": 0,
    "pidslimit": 0,
    "init": False,
    "MaskedPaths": [],
    "ReadonlyPaths": [],
}
"""The engine reads a key in any letters, and the last one wins."""
LOOK = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def write(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "yes"
print(json.dumps({
    "user": os.getuid(), "bounding": status["CapBnd"].strip(), "new rights": status["NoNewPrivs"].strip(),
    "root written": write("/usr/written"), "key written": write("/key/written"),
    "networks": sorted(os.listdir("/sys/class/net")),
}))
"""


@pytest.fixture
def engine_socket(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    """A guarded socket before the engine's own; a container and a volume of that test are gone afterwards."""
    if not guard.ENGINE.is_socket():
        pytest.skip(f"the engine is not at {guard.ENGINE}")
    environment = {
        "GUARD_STACK": STACK,
        "GUARD_IMAGES": ensure_base(engine),
        "GUARD_NETWORK": "none",
        "GUARD_VOLUMES": f"{STACK}-key:/key:ro",
    }
    behind = guard.Engine(guard.ENGINE)
    with guard.Guard(tmp_path / "guarded.sock", behind, guard.Policy.of(environment)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield tmp_path / "guarded.sock"
        server.shutdown()
    behind.clear(STACK)
    engine.run("volume", "rm", "--force", f"{STACK}-key")


def loosened(engine: Engine) -> bytes:
    """Returns a specification that a step may have, and behind it the same keys in other letters, empty."""
    mount = {"Type": "volume", "Source": f"{STACK}-key", "Target": "/key", "ReadOnly": True, "readonly": False}
    host = {**GOOD["HostConfig"], "NetworkMode": "none", "Mounts": [mount], **LOOSENED_HOST}
    command = ["python3", "-c", LOOK]
    return json.dumps({**GOOD, "Image": ensure_base(engine), "Cmd": command, "HostConfig": host, **LOOSENED}).encode()


def created(socket: Path, body: bytes, label: str) -> str:
    with guard.Engine(socket).ask("POST", f"/v1.41/containers/create?name={label}", body) as answer:
        content = answer.read()
    assert answer.status == 201, content
    return str(json.loads(content)["Id"])


def bounds(specification: dict[str, Any]) -> dict[str, Any]:
    host = specification["HostConfig"]
    names = ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "NetworkMode", "Memory", "NanoCpus", "PidsLimit", "Init")
    return {**{name: host[name] for name in names}, "User": specification["Config"]["User"]}


def test_the_engine_holds_a_step_to_what_the_guard_checked(engine: Engine, engine_socket: Path) -> None:
    body = loosened(engine)
    bare = created(guard.ENGINE, body, f"{STACK}-bare")
    try:
        free = engine.inspect(bare)
    finally:
        engine.run("rm", "--force", "--volumes", bare)
    assert (free["HostConfig"]["ReadonlyRootfs"], free["Config"]["User"]) == (False, ""), "without a guard it is free"
    assert free["Mounts"][0]["RW"] is True

    step = created(engine_socket, body, NAME)
    made = engine.inspect(step)
    asked = {**GOOD["HostConfig"], "NetworkMode": "none", "User": "10001:10001"}
    assert bounds(made) == {name: asked[name] for name in bounds(made)}
    assert [mount["RW"] for mount in made["Mounts"]] == [False]
    assert made["HostConfig"]["MaskedPaths"]
    assert made["HostConfig"]["ReadonlyPaths"]
    engine.run("start", "--attach", step)
    assert json.loads(engine.run("logs", step).stdout) == {
        **{"user": 10001, "bounding": "0" * 16, "new rights": "1", "networks": ["lo"]},
        **{"root written": "Read-only file system", "key written": "Read-only file system"},
    }
