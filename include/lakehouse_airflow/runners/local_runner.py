"""Runs a step as a process on the machine of the task."""

import json
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from crypto_lakehouse.children import bound_to_us
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.runner import RunContext

_GRACE_SECONDS = 10


class _Ready(threading.local):
    """The worker that is ready for the next step of this thread, and the process that started it.

    It ends with the thread that started it, and a fork of this process must not use it.
    """

    process: "subprocess.Popen[str] | None" = None
    command: Sequence[str] = ()
    owner = 0


_ready = _Ready()


class LocalRunner:
    """Lets a worker process carry out the step, and keeps the worker for the next step of this thread.

    A worker carries out one step at a time. It is in its own session, so that `stop` ends its child processes too, for
    example s5cmd.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the exit code of the step."""
        mark = secrets.token_hex()
        arguments = ["step", step.value, "--work-order", order_key]
        request = json.dumps({"arguments": arguments, "environment": dict(os.environ), "mark": mark})
        process = self._process = self._worker_with(request)
        try:
            return self._followed(process, mark, context)
        except BaseException:
            self.stop()
            _close(process)
            raise
        finally:
            self._process = None

    def stop(self) -> None:
        """Ends the step's process and all its child processes."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def _worker_with(self, request: str) -> "subprocess.Popen[str]":
        """Returns a worker that has got the request: the one that is ready, or a new one."""
        kept, _ready.process = _ready.process, None
        if kept is not None and (_ready.owner, _ready.command) == (os.getpid(), self._command):
            with suppress(BrokenPipeError):
                _send(kept, request)
                return kept
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module, an argument list
            # Where the task is killed, the step gets SIGTERM and clears its files away.
            bound_to_us(self._command, signal.SIGTERM),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        # Why a worker ended at once is in its output, which is read next.
        with suppress(BrokenPipeError):
            _send(process, request)
        return process

    def _followed(self, process: "subprocess.Popen[str]", mark: str, context: RunContext) -> int:
        """Logs the lines of the step and returns its exit code, or the worker's where it ended before the step."""
        for line in process.stdout or ():
            rest, is_end, end = line.partition(mark)
            if rest.rstrip() or not is_end:
                context.log(rest.rstrip())
            if is_end:
                code, following = end.split()
                if following == "ready":
                    _ready.process, _ready.command, _ready.owner = process, self._command, os.getpid()
                else:
                    _close(process)
                return int(code)
        _close(process)
        return process.returncode


def _send(process: "subprocess.Popen[str]", request: str) -> None:
    if process.stdin is not None:
        process.stdin.write(f"{request}\n")
        process.stdin.flush()


def _close(process: "subprocess.Popen[str]") -> None:
    with suppress(BrokenPipeError), process:
        pass
