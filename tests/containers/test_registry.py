"""Pushing to a registry for real: Debian's, on loopback, behind a password. What is remembered is what it holds."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.engine import REPOSITORY, Engine
from tests.waiting import STANDSTILL_SECONDS, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

SCRIPT = REPOSITORY / "release" / "registry.py"
USER, PASSWORD = "releaser", "open sesame"
KNOWN = f"{USER}:$2b$05$s4oQHwPgY99cdctuTW0a1uigHf3rhqeQgNlMwk8vW278ciXlkIeJG\n"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIGURATION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/known}}}}
"""


@dataclass(frozen=True)
class Registry:
    """A registry, and a folder in which releases are made."""

    host: str
    folder: Path
    client: Path

    def run(self, *words: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
        environment = {
            **os.environ,
            "PATH": f"{self.client.parent}:{os.environ['PATH']}",
            "DOCKER_CONFIG": str(self.folder / "client"),
            "REGISTRY_USER": USER,
            "REGISTRY_PASSWORD": password,
        }
        command = [sys.executable, str(SCRIPT), *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def manifest(self, name: str, tag: str) -> bytes:
        word = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {word}", "Accept": MANIFEST}
        request = urllib.request.Request(f"http://{self.host}/v2/lake/{name}/manifests/{tag}", headers=headers)
        with urllib.request.urlopen(request, timeout=STANDSTILL_SECONDS) as answer:
            return bytes(answer.read())

    @property
    def digests(self) -> Path:
        return self.folder / "dist" / "images.sha256"


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Iterator[Registry]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("there is no docker-registry: it is a package of Debian's")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "known").write_text(KNOWN)
    (tmp_path / "config.yml").write_text(CONFIGURATION.format(folder=tmp_path, port=port))
    with (tmp_path / "log").open("w") as log:
        command = [program, "serve", str(tmp_path / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    wait_until_it_answers(port, process)
    yield Registry(f"127.0.0.1:{port}", tmp_path, Path(engine.client))
    process.terminate()
    process.wait(STANDSTILL_SECONDS)


def wait_until_it_answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    def answers() -> bool:
        assert process.poll() is None, "the registry ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    wait_until(answers)


@pytest.fixture
def images(engine: Engine, registry: Registry) -> Iterator[list[str]]:
    """Two images of a few bytes, named for the registry."""
    names = []
    for word in ("one", "two"):
        folder = registry.folder / word
        folder.mkdir()
        (folder / "file").write_text(word)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
        names.append(f"{registry.host}/lake/{word}:0.1.0")
        assert engine.build(names[-1], str(folder / "Dockerfile"), folder).returncode == 0
    yield names
    engine.run("rmi", "--force", *names)


def test_the_digests_are_those_of_what_the_registry_holds(registry: Registry, images: list[str]) -> None:
    assert registry.run("login", f"{registry.host}/lake").returncode == 0
    done = registry.run("push", *images)
    assert done.returncode == 0, done.stderr
    wanted = [
        f"{hashlib.sha256(registry.manifest(name, '0.1.0')).hexdigest()}  {registry.host}/lake/{name}"
        for name in ("one", "two")
    ]
    assert registry.digests.read_text().splitlines() == wanted
    assert PASSWORD not in done.stdout + done.stderr


def test_a_wrong_password_and_none_push_nothing(registry: Registry, images: list[str]) -> None:
    assert registry.run("login", f"{registry.host}/lake", password="sesame").returncode != 0
    assert registry.run("push", *images).returncode != 0
    assert not registry.digests.exists()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        registry.manifest("one", "0.1.0")


def test_one_image_that_is_not_there_leaves_no_digests(registry: Registry, images: list[str]) -> None:
    registry.run("login", f"{registry.host}/lake")
    assert registry.run("push", *images).returncode == 0
    assert registry.digests.exists(), "the control"
    assert registry.run("push", images[0], f"{registry.host}/lake/three:0.1.0").returncode != 0
    assert not registry.digests.exists()
