"""The tasks that moto's ECS has.

moto starts no containers, so a task's command is run here as a process with the task's variables, before moto walks the
task through its states.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Fleet:
    """What the tasks run, and what ECS says of them."""

    lake: Path
    program: str = ""
    # None: as the process ended.
    said_code: int | None = None
    fails_to_start: bool = False
    tasks: list[Any] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)

    def started(self, task: Any) -> None:
        self.tasks.append(task)
        # moto leaves it pending for good.
        container = task.containers[0]
        container.last_status = "STOPPED"
        if self.fails_to_start:
            task.stop_code, task.stopped_reason = "TaskFailedToStart", "CannotPullContainerError: no such image"
            container.exitCode = None
            return
        [told] = task.overrides["containerOverrides"]
        environment = {one["name"]: one["value"] for one in told["environment"]}
        self.environments.append(environment)
        mounted = {name: str(self.lake) if value == "/lake" else value for name, value in environment.items()}
        run = subprocess.run(
            [sys.executable, "-c", self.program, *told["command"]],
            env={"PATH": os.environ["PATH"], **mounted},
            check=False,
        )
        container.exitCode = run.returncode if self.said_code is None else self.said_code


def stays_running() -> None:
    from moto.moto_api import state_manager

    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000})


def ends_soon(fleet: Fleet) -> None:
    from moto.moto_api import state_manager

    assert fleet.tasks[0].last_status == "RUNNING"
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1})
