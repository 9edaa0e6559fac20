"""A step as a process beside its task: its lines, its exit code, and its end."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step
from tests.waiting import is_running, wait_until

pytestmark = pytest.mark.filterwarnings("ignore")


def run(script: str) -> tuple[int, list[str]]:
    """Returns the exit code and the lines of a script that stands in for a step."""
    from lakehouse_airflow.runners.local_runner import LocalRunner
    from lakehouse_airflow.runners.runner import RunContext

    lines: list[str] = []
    runner = LocalRunner((sys.executable, "-c", script))
    return runner.run(Step.PULL, "runs/x/pull-000.json", RunContext(Settings(), lines.append, {})), lines


def test_a_step_gets_its_verb_and_its_order() -> None:
    script = "import json, sys; print(*json.loads(sys.stdin.readline())['arguments'])"
    assert run(script) == (0, ["step pull --work-order runs/x/pull-000.json"])


def test_both_streams_are_logged_and_the_exit_code_is_the_process_s() -> None:
    code, lines = run("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(65)")
    assert code == 65
    assert lines == ["out", "err"]


def test_bytes_that_are_no_text_do_not_end_the_log() -> None:
    code, lines = run("import sys; sys.stdout.buffer.write(b'\\xff\\n'); print('after')")
    assert (code, lines) == (0, ["\ufffd", "after"])


_STEP = """
import signal, sys, time
from pathlib import Path
place = Path({place!r})
def end(*_):
    (place / "cleared").write_text("away")
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
(place / "started").write_text("")
time.sleep(3600)
"""
_TASK = """
import sys
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.local_runner import LocalRunner
from lakehouse_airflow.runners.runner import RunContext
LocalRunner((sys.executable, "-c", {step!r})).run(Step.PULL, "x", RunContext(Settings(), print, {{}}))
"""


def test_a_step_clears_away_and_ends_where_its_task_is_killed(tmp_path: Path) -> None:
    script = _TASK.format(step=_STEP.format(place=str(tmp_path)))
    with subprocess.Popen([sys.executable, "-c", script]) as task:
        wait_until((tmp_path / "started").exists, progress=task.poll)
        task.kill()
    wait_until(lambda: (tmp_path / "cleared").exists() and (tmp_path / "cleared").read_text() == "away")


_WORKER = """
import os, sys
from crypto_lakehouse.cli.worker import serve
def carry_out(arguments):
    print(os.getpid(), os.environ.get("SEEN", "nothing"), end="")
    os.environ["SEEN"] = arguments[1]
    return int(os.environ["CODE"])
serve(sys.stdin, carry_out)
"""


def test_a_worker_is_kept_for_the_next_step_of_the_thread_until_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for code in ("0", "0", "65", "0"):
        monkeypatch.setenv("CODE", code)
        ended, (line,) = run(_WORKER)
        assert ended == int(code)
        process, left = line.split()
        assert left == "nothing", "a step leaves nothing in the environment of the next one"
        seen.append(process)
    assert seen[0] == seen[1] == seen[2] != seen[3]


def test_threads_share_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE", "0")
    lines = [run(_WORKER)[1]]
    thread = threading.Thread(target=lambda: lines.append(run(_WORKER)[1]))
    thread.start()
    thread.join()
    assert lines[0] != lines[1]
    assert run(_WORKER)[1] == lines[0]


def test_a_worker_that_was_killed_while_it_waited_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE", "0")
    process = int(run(_WORKER)[1][0].split()[0])
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not is_running(process))
    code, (line,) = run(_WORKER)
    assert code == 0
    assert not line.startswith(str(process))


def test_a_stop_ends_a_step_that_runs_and_does_nothing_otherwise() -> None:
    from lakehouse_airflow.runners.local_runner import LocalRunner
    from lakehouse_airflow.runners.runner import RunContext

    runner = LocalRunner((sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)"))
    runner.stop()
    has_started = threading.Event()
    codes: list[int] = []
    context = RunContext(Settings(), lambda _line: has_started.set(), {})
    thread = threading.Thread(target=lambda: codes.append(runner.run(Step.PULL, "x", context)))
    thread.start()
    has_started.wait()
    runner.stop()
    thread.join()
    assert codes == [-15]
    runner.stop()
