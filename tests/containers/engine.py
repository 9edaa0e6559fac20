"""The Docker engine as the tests use it: through a client that can build with BuildKit."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto_lakehouse import __version__

REPOSITORY = Path(__file__).parents[2]
IMAGES = ("s5cmd", "polars", "quality", "exchange", "cli", "airflow", "glue")
"""Those that hold the package."""

OTHER_IMAGES = ("store", "database", "guard", "secrets")
PREFIX, TAG = os.environ.get("TEST_IMAGES", "crypto-lakehouse-test"), "test"
"""Two checkouts that share an engine keep apart by their prefix."""
BASE = os.environ.get("BASE_IMAGE") or f"{PREFIX}/base:bookworm-python3.12"
"""What users build on where it is named; what `base_image.sh` makes elsewhere."""
UID = 10001
STRICT = (
    *("--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges", "--user", str(UID)),
    *("--tmpfs", "/work:rw,mode=1777"),
)
"""What every step has to live with."""


@dataclass(frozen=True)
class Engine:
    """A client, and the words before each of its builds."""

    client: str

    def run(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run([self.client, *arguments], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def build(self, tag: str, dockerfile: str, context: Path, *more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.client, "build", "--network", "host", *more, "--tag", tag, "--file", dockerfile, str(context)],
            env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
            capture_output=True,
            text=True,
            check=False,
        )

    def inspect(self, name: str) -> Any:
        return json.loads(self.run("inspect", name).stdout)[0]

    def inspect_network(self, name: str) -> Any:
        return json.loads(self.run("network", "inspect", name).stdout)[0]


def image(name: str) -> str:
    """Returns the name under which the tests build an image."""
    return f"{PREFIX}/{name}:{TAG}"


def find_engine() -> Engine | str:
    """Returns the engine, or why there is none to be had."""
    found = [Path(folder) / "docker" for folder in os.get_exec_path()]
    clients = [str(path) for path in dict.fromkeys(found) if shutil.which(str(path))]
    if not clients:
        return "there is no docker client"
    answering = [client for client in clients if _output(client, "version", "--format", "{{.Server.Version}}")]
    if not answering:
        return "no Docker engine answers: start dockerd"
    able = [client for client in answering if _can_build(client)]
    return Engine(able[0]) if able else "no docker client here can build with BuildKit: install buildx"


def _can_build(client: str) -> bool:
    if _output(client, "buildx", "version"):
        return True
    # Until 23.0 the client had BuildKit built in.
    return int((_output(client, "version", "--format", "{{.Client.Version}}") or "99").partition(".")[0]) < 23


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def ensure_base(engine: Engine) -> str:
    """Returns the base of all images; makes it where none is named or there."""
    if engine.run("image", "inspect", BASE, check=False).returncode != 0:
        if os.environ.get("BASE_IMAGE"):
            engine.run("pull", BASE)
        else:
            subprocess.run([str(REPOSITORY / "tests/containers/base_image.sh"), BASE], check=True)
    return BASE


def build_all(engine: Engine) -> None:
    """Builds the base and every image of the project."""
    ensure_base(engine)
    for name in (*IMAGES, *OTHER_IMAGES):
        build(engine, name)


def build(engine: Engine, name: str) -> None:
    """Builds an image of the project; the base is there."""
    done = engine.build(image(name), dockerfile(name), REPOSITORY, *build_arguments())
    assert done.returncode == 0, done.stderr[-5000:]


def build_arguments(base: str = BASE) -> Sequence[str]:
    labels = {"BASE_IMAGE": base, "VERSION": __version__, "REVISION": "test", "CREATED": "test", "SOURCE": "test"}
    return [word for name, value in labels.items() for word in ("--build-arg", f"{name}={value}")]


def dockerfile(name: str) -> str:
    return str(REPOSITORY / "images" / name / "Dockerfile")
