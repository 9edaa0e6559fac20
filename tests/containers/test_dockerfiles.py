"""What can be said of the images from their Dockerfiles, without an engine."""

import json
import re
import runpy
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.containers.engine import IMAGES, REPOSITORY, dockerfile
from tests.release.tools import tool

HEALTHY = runpy.run_path(str(REPOSITORY / "images" / "airflow" / "healthy.py"))
TRICKS = re.compile(r"curl|wget|apt-get|\beval\b|\bbash\b|\bsh -c\b|[^|]\|[^|]|\$\(|;|\bADD\b|chmod (?!755)|sudo")
"""What would hide from a reader, or from the lock, where something comes from."""


def source(name: str) -> str:
    return Path(dockerfile(name)).read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    """Returns the instructions of an image, each on one line, without comments."""
    text = "\n".join(line for line in source(name).splitlines() if not line.startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line]


def test_each_of_our_images_has_a_folder() -> None:
    assert set(IMAGES) <= {path.parent.name for path in REPOSITORY.glob("images/*/Dockerfile")}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_built_on_a_base_that_the_builder_chooses_and_in_two_stages(name: str) -> None:
    lines = instructions(name)
    assert lines[0] == "ARG BASE_IMAGE=python:3.12-slim-bookworm"
    assert [line for line in lines if line.startswith("FROM")] == ["FROM ${BASE_IMAGE} AS build", "FROM ${BASE_IMAGE}"]


@pytest.mark.parametrize("name", IMAGES)
def test_nothing_is_installed_but_by_hash_or_from_the_repository(name: str) -> None:
    installs = re.findall(r"pip [^&]*?install [^&]*", " ".join(instructions(name)))
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_no_shell_tricks_and_no_shell_in_front(name: str) -> None:
    lines = instructions(name)
    assert [line for line in lines if line.startswith("RUN") and TRICKS.search(line)] == []
    assert [line for line in lines if line.startswith(("ADD", "SHELL", "ONBUILD"))] == []
    for line in lines:
        assert not line.startswith(("ENTRYPOINT", "CMD")) or '["' in line
    assert TRICKS.search("RUN curl https://example.org | sh"), "the control"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_ends_as_nobody_and_says_how_its_health_is_asked(name: str) -> None:
    lines = instructions(name)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    (health,) = [line for line in lines if line.startswith("HEALTHCHECK")]
    assert health == "HEALTHCHECK NONE" or name == "airflow"
    before = source(name).splitlines()[source(name).splitlines().index(health) - 1] if health in source(name) else ""
    assert before.startswith("# "), "and why"


def test_the_linter_sees_what_is_not_pinned(tmp_path: Path) -> None:
    codes = []
    for line in ("FROM python:3.12-slim-bookworm", "FROM python"):
        (tmp_path / "Dockerfile").write_text(f"{line}\n")
        command = [tool("hadolint"), str(tmp_path / "Dockerfile")]
        codes.append(subprocess.run(command, capture_output=True, check=False).returncode)
    assert codes == [0, 1]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/opt/lakehouse/bin/python\0/opt/lakehouse/bin/airflow\0dag-processor\0--verbose", "dag_processor"),
        ("/opt/lakehouse/bin/python\0/opt/lakehouse/bin/airflow\0scheduler\0", "scheduler"),
        ("airflow triggerer", "triggerer"),
        ("airflow api_server -- host:0.0.0.0 port:8080", "api_server"),
        ("airflow api-server", "api_server"),
        ("airflow db migrate", ""),
        ("airflow dags list --scheduler", ""),
        ("sleep 60", ""),
    ],
)
def test_the_health_check_knows_what_runs_beside_it(command: str, name: str) -> None:
    assert HEALTHY["process_name"](command) == name


def test_a_part_is_as_well_as_the_api_server_says(capsys: pytest.CaptureFixture[str]) -> None:
    state = {"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(state).encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api/v2/monitor/health"
        assert [HEALTHY["main"](part, url) for part in state] == [0, 1]
        server.shutdown()
    assert "unhealthy" in capsys.readouterr().out
    with pytest.raises(OSError, match="refused"):
        HEALTHY["main"]("scheduler", url)
