"""`make up` with real processes: it opens a lake, names its address, logs, and ends all that it started."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.dags.homes import copied_home
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]

_PROGRAM = """
import sys
from pathlib import Path
from rich.console import Console
from crypto_lakehouse.demo import place
place.LATEST = Path(sys.argv[1])
from crypto_lakehouse.demo.__main__ import main
sys.exit(main(["--up"]))
"""


@dataclass
class Up:
    """An Airflow that `make up` started on a terminal."""

    home: Path
    port: int
    process: "subprocess.Popen[bytes]"
    terminal: int
    text: str = ""
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60))

    def read_until(self, words: str) -> None:
        deadline = time.monotonic() + 600
        while words not in self.text and time.monotonic() < deadline:
            try:
                self.text += os.read(self.terminal, 4096).decode()
            except OSError:
                break
        assert words in self.text, self.text

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = self.http.request(method, url, headers=headers, body=None if body is None else json.dumps(body))
        assert answer.status < 300, answer.data
        return json.loads(answer.data)


def command(folder: Path, port: int, **extra: str) -> tuple[list[str], dict[str, str]]:
    environment = {name: value for name, value in os.environ.items() if name != "CRYPTO_LAKEHOUSE_LAKE"}
    return [sys.executable, "-c", _PROGRAM, str(folder / "latest.json")], {
        **environment,
        "AIRFLOW_PORT": str(port),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        **extra,
    }


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    for name in ("archive", "lake"):
        (folder / name).mkdir()
    (folder / "airflow").symlink_to(copied_home(tmp_path_factory))
    facts = {"title": "a folder of a test", "home": str(folder), "folder": str(folder / "archive"), "bucket": "bucket"}
    (folder / "latest.json").write_text(json.dumps(facts))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal, theirs = pty.openpty()
    arguments, environment = command(folder, port)
    process = subprocess.Popen(
        arguments, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Up(folder, port, process, terminal)
    finally:
        process.terminate()
        process.wait(120)
        os.close(terminal)


def test_it_opens_the_lake_of_the_demonstration_and_names_its_address_once_it_answers(started: Up) -> None:
    started.read_until(f"http://127.0.0.1:{started.port}")
    assert "a folder of a test" in started.text
    page = started.http.request("GET", f"http://127.0.0.1:{started.port}/")
    assert (page.status, b"Airflow" in page.data) == (200, True)


def test_a_second_one_is_told_that_the_port_is_taken(started: Up) -> None:
    started.read_until("is ready")
    arguments, environment = command(started.home, started.port)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert f"port {started.port} is in use" in done.stdout
    assert "make up AIRFLOW_PORT=" in done.stdout


def test_the_log_of_a_task_holds_what_its_step_says(started: Up) -> None:
    started.read_until("is ready")
    token = started.ask("GET", "/auth/token")["access_token"]
    started.ask("PATCH", "/api/v2/dags/fill_gaps", {"is_paused": False}, token)
    started.ask("POST", "/api/v2/dags/fill_gaps/dagRuns", {"dag_run_id": "by_hand", "logical_date": None}, token)
    run = "/api/v2/dags/fill_gaps/dagRuns/by_hand"
    wait_until(lambda: started.ask("GET", run, token=token)["state"] in {"success", "failed"}, pause=0.5)
    logs = started.home / "airflow" / "logs" / "dag_id=fill_gaps" / "run_id=by_hand"
    assert "step_started step=gaps" in (logs / "task_id=find" / "attempt=1.log").read_text()


def test_the_pages_of_the_lake_are_mounted_behind_the_login_and_in_the_menu(started: Up) -> None:
    started.read_until("is ready")
    address = f"http://127.0.0.1:{started.port}/lakehouse/reports/"
    page = started.http.request("GET", address)
    assert page.status == 200
    assert "Quality reports" in page.data.decode() and str(started.home / "lake") in page.data.decode()
    plugins = started.ask("GET", "/api/v2/plugins", token=started.ask("GET", "/auth/token")["access_token"])
    views = [view["destination"] for plugin in plugins["plugins"] for view in plugin["external_views"]]
    assert {"nav", "dag", "dag_run", "task_instance"} <= set(views)


def test_ctrl_c_ends_it_and_all_its_processes_with_exit_code_0(started: Up) -> None:
    started.read_until("is ready")
    assert len(processes_of(started.home)) >= 4, "the control"
    os.killpg(started.process.pid, signal.SIGINT)
    started.read_until("Ending Airflow")
    assert started.process.wait(120) == 0
    assert "Traceback" not in started.text
    wait_until(lambda: not processes_of(started.home))


def processes_of(home: Path) -> list[str]:
    """Returns the command lines of the processes that have the home of this Airflow in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"AIRFLOW_HOME={home / 'airflow'}".encode() in variables:
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found
