"""Runs a step as a process on the machine of the task."""

import os
import signal
import subprocess
from collections.abc import Sequence

from crypto_lakehouse.children import bound_to_us
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.runner import RunContext

_GRACE_SECONDS = 10


class LocalRunner:
    """Starts the step in its own session, so that `stop` ends its child processes too, for example s5cmd."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the process's exit code."""
        with subprocess.Popen(  # noqa: S603  our own interpreter and module, an argument list
            # Where the task is killed, the step gets SIGTERM and clears its files away.
            bound_to_us([*self._command, step.value, "--work-order", order_key], signal.SIGTERM),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._process = process
            try:
                for line in process.stdout or ():
                    context.log(line.rstrip())
            except BaseException:
                self.stop()
                raise
            return process.wait()

    def stop(self) -> None:
        """Ends the process and all its child processes."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
