"""Compose as the tests use it: version 2, a plug-in of the docker client, or version 1, as Debian has it."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.containers.engine import REPOSITORY, Engine

PROJECT_LABEL, SERVICE_LABEL = "com.docker.compose.project", "com.docker.compose.service"
STACK_LABEL, STEP_LABEL, RUN_LABEL = (f"crypto-lakehouse.{name}" for name in ("stack", "step", "run_id"))


def find_compose(engine: Engine) -> Sequence[str] | str:
    """Returns the words before each compose command, or why there are none."""
    if engine.run("compose", "version", check=False).returncode == 0:
        return (engine.client, "compose")
    old = shutil.which("docker-compose")
    return (old,) if old else "there is neither `docker compose` nor `docker-compose`: install one"


@dataclass(frozen=True)
class Compose:
    """A stack of a name of its own."""

    engine: Engine
    command: Sequence[str]
    project: str
    variables: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **self.variables, "COMPOSE_PROJECT_NAME": self.project},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-4000:]}{done.stderr[-4000:]}\n{self.logs()}"
        return done.stdout + done.stderr

    def logs(self) -> str:
        """Returns the last words of every container that does not do as it should."""
        said = []
        for service, found in self.containers().items():
            state = found["State"]
            if state["ExitCode"] or state.get("Health", {}).get("Status") == "unhealthy":
                done = self.engine.run("logs", "--tail", "40", found["Id"], check=False)
                said.append(f"--- {service}: {state}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return "\n".join(said)

    def containers(self) -> dict[str, Any]:
        """Returns what the engine knows of each service's container."""
        found = self._listed("container", "ls", "--all")
        known = [self.engine.inspect(container) for container in found]
        return {container["Config"]["Labels"][SERVICE_LABEL]: container for container in known}

    def container(self, service: str) -> Any:
        return self.containers()[service]

    def execute(self, service: str, *words: str) -> str:
        return self.engine.run("exec", self.container(service)["Id"], *words).stdout

    def steps(self, step: str = "", run: str = "") -> list[str]:
        """Returns the containers of the stack's steps that run."""
        labels = {STACK_LABEL: self.project, STEP_LABEL: step, RUN_LABEL: run}
        filters = [word for name, value in labels.items() if value for word in ("--filter", f"label={name}={value}")]
        return self.engine.run("ps", "--quiet", "--no-trunc", *filters).stdout.split()

    def leftovers(self) -> list[str]:
        """Returns what is there of the stack: containers, networks, volumes."""
        kinds = (("container", "ls", "--all"), ("network", "ls"), ("volume", "ls"))
        mine = self.engine.run("ps", "--all", "--quiet", "--filter", f"label={STACK_LABEL}={self.project}").stdout
        return [f"{kind[0]} {name}" for kind in kinds for name in self._listed(*kind)] + mine.split()

    def _listed(self, *kind: str) -> list[str]:
        mine = f"label={PROJECT_LABEL}={self.project}"
        return self.engine.run(*kind, "--quiet", "--filter", mine).stdout.split()
