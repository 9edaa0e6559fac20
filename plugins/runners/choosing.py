"""Which runner carries out a step, as the deployment's settings say."""

from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowFailException

from crypto_lakehouse.settings import RunnerKind
from runners.docker_runner import DockerRunner
from runners.local_runner import LocalRunner
from runners.runner import Runner


def new_runner(kind: RunnerKind, command: Sequence[str]) -> Runner:
    """Returns a runner of the kind.

    Args:
        kind: As in the settings.
        command: What a local runner starts, before the step's name.

    Raises:
        AirflowFailException: The kind has no runner yet.
    """
    if kind is RunnerKind.LOCAL:
        return LocalRunner(command)
    if kind is RunnerKind.DOCKER:
        return DockerRunner()
    # Kubernetes and ECS join here, each as a module with the two methods of `Runner`.
    raise AirflowFailException(f"runner {kind} is not available yet; set CRYPTO_LAKEHOUSE_RUNNER=local or docker")
