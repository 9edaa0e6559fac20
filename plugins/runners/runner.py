"""The protocol of runners, and what a runner is told of the task it runs for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a runner is told.

    Args:
        settings: The deployment.
        log: Takes each line that the step prints.
        labels: Names the task, where the runner can mark what it starts.
    """

    settings: Settings
    log: Callable[[str], None]
    labels: Mapping[str, str]


class Runner(Protocol):
    """Carries out one step at a time. What it returns is only its word: the step's result file decides."""

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the step's exit code once it has ended.

        Raises:
            AirflowException: The step could not be started or was lost sight of, and a retry may help.
            AirflowFailException: It cannot be started as the deployment is configured.
        """

    def stop(self) -> None:
        """Ends what `run` started, with everything that it started itself; nothing where nothing runs."""


def task_labels(context: Mapping[str, Any]) -> dict[str, str]:
    """Returns what names a task: its DAG, run, task, map index and try; nothing outside of Airflow."""
    ti = context.get("ti")
    if ti is None:
        return {}
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return {name: str(getattr(ti, name, "")) for name in names}
