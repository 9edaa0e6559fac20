"""Returns the runner that the deployment's settings name."""

from collections.abc import Sequence

from crypto_lakehouse.settings import RunnerKind
from lakehouse_airflow.runners.docker_runner import DockerRunner
from lakehouse_airflow.runners.ecs_runner import EcsRunner
from lakehouse_airflow.runners.kubernetes_runner import KubernetesRunner
from lakehouse_airflow.runners.local_runner import LocalRunner
from lakehouse_airflow.runners.runner import Runner


def new_runner(kind: RunnerKind, command: Sequence[str]) -> Runner:
    """Returns a new runner of a kind.

    Args:
        kind: The kind, as the settings name it.
        command: the command line of the worker of a local runner.
    """
    if kind is RunnerKind.LOCAL:
        return LocalRunner(command)
    remote: dict[RunnerKind, type[Runner]] = {
        RunnerKind.DOCKER: DockerRunner,
        RunnerKind.KUBERNETES: KubernetesRunner,
        RunnerKind.ECS: EcsRunner,
    }
    return remote[kind]()
