"""A child ends with its parent, however the parent ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto_lakehouse import children
from crypto_lakehouse.children import bound_to_us, ended_with_us
from tests.waiting import is_running, wait_until

_PARENT = """
import os, subprocess, sys, signal
from crypto_lakehouse.children import bound_to_us
arguments = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(3600)"]
bound = arguments if sys.argv[1] == "alone" else bound_to_us(arguments)
child = subprocess.Popen(bound, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def orphan_of(how: str, end: Callable[["subprocess.Popen[str]"], None]) -> int:
    """Returns the process id of a child whose parent was ended."""
    arguments = [sys.executable, "-c", _PARENT, how]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        end(parent)
        parent.wait()
    return pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_child_ends_when_its_parent_is_killed(number: signal.Signals) -> None:
    pid = orphan_of("bound", lambda parent: parent.send_signal(number))
    wait_until(lambda: not is_running(pid))


def test_a_child_that_is_not_bound_would_be_caught() -> None:
    pid = orphan_of("alone", lambda parent: parent.kill())
    try:
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_child_has_the_process_id_the_arguments_and_the_exit_code_of_its_program() -> None:
    script = "import os, sys; print(os.getpid(), *sys.argv[1:]); sys.exit(7)"
    with subprocess.Popen(
        bound_to_us([sys.executable, "-c", script, "a b", "--c"]), stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert (output, process.returncode) == (f"{process.pid} a b --c\n", 7)


def test_a_child_whose_parent_died_before_it_could_ask_does_not_start(tmp_path: Path) -> None:
    arguments = bound_to_us([sys.executable, "-c", f"open({str(tmp_path / 'started')!r}, 'w')"])
    # As if the parent had been another process.
    arguments[arguments.index(str(os.getpid()))] = "1"
    assert subprocess.run(arguments, check=False).returncode == 0
    assert not (tmp_path / "started").exists()


def test_a_block_ends_the_whole_session_of_a_process() -> None:
    script = (
        "import subprocess, sys, time\n"
        "own = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        "print(own.pid, flush=True); time.sleep(3600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with ended_with_us(process):
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    wait_until(lambda: not is_running(pid))


def test_elsewhere_than_on_linux_the_program_starts_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children.sys, "platform", "darwin")
    assert bound_to_us(["/bin/true", "x"]) == ["/bin/true", "x"]
