"""The Docker engine as the tests use it: through a client that can build with BuildKit."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
IMAGES = ("s5cmd", "polars", "quality", "exchange", "airflow", "glue")
"""Those that hold the package."""

OTHER_IMAGES = ("store", "database", "keeper")
# Who shares an engine with others builds under a name of their own.
PREFIX, TAG = os.environ.get("TEST_CONTAINERS_PREFIX", "crypto-lakehouse-test"), "test"
BASE = f"{PREFIX}/base:bookworm"
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


def image(name: str) -> str:
    """Returns the name under which the tests build an image."""
    return f"{PREFIX}/{name}:{TAG}"


def find_engine() -> Engine | str:
    """Returns the engine, or why there is none to be had."""
    found = [Path(folder) / "docker" for folder in os.get_exec_path()]
    clients = [str(one) for one in dict.fromkeys(found) if shutil.which(str(one))]
    if not clients:
        return "there is no docker client"
    answering = [one for one in clients if _output(one, "version", "--format", "{{.Server.Version}}")]
    if not answering:
        return "no Docker engine answers: start dockerd"
    able = [one for one in answering if _can_build(one)]
    return Engine(able[0]) if able else "no docker client here can build with BuildKit: install buildx"


def _can_build(client: str) -> bool:
    if _output(client, "buildx", "version"):
        return True
    # Until 23.0 the client had BuildKit built in.
    return int((_output(client, "version", "--format", "{{.Client.Version}}") or "99").partition(".")[0]) < 23


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def build_all(engine: Engine) -> None:
    """Builds the base, where none is given or there, and every image of the project."""
    base = os.environ.get("BASE_IMAGE", BASE)
    if base == BASE and engine.run("image", "inspect", BASE, check=False).returncode != 0:
        subprocess.run([str(REPOSITORY / "tests/containers/base_image.sh"), BASE], check=True)
    for name in (*IMAGES, *OTHER_IMAGES):
        done = engine.build(image(name), dockerfile(name), REPOSITORY, *build_arguments(base))
        assert done.returncode == 0, done.stderr[-5000:]


def build_arguments(base: str = "") -> Sequence[str]:
    return ("--build-arg", f"BASE_IMAGE={base or os.environ.get('BASE_IMAGE', BASE)}")


def dockerfile(name: str) -> str:
    return str(REPOSITORY / "images" / name / "Dockerfile")
