"""The protocol of runners, and what a runner is told of the task it runs for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a runner is told.

    Args:
        settings: The deployment.
        log: Takes each line that the step prints.
        labels: Names the task, where the runner can mark what it starts.
        airflow: The task's own context, for runners that hand the step to an operator.
    """

    settings: Settings
    log: Callable[[str], None]
    labels: Mapping[str, str]
    airflow: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Runner(Protocol):
    """Carries out one step at a time. What it returns is only its word: the step's result file decides."""

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the step's exit code once it has ended.

        Raises:
            AirflowException: The step could not be started or was lost sight of, and a retry may help.
            AirflowFailException: It cannot be started as the deployment is configured.
            TaskDeferred: The step was started, and a triggerer waits for it; `resume` goes on from there.
        """

    def stop(self) -> None:
        """Ends what `run` started, with everything that it started itself; nothing where nothing runs."""


@runtime_checkable
class DeferrableRunner(Runner, Protocol):
    """A runner whose `run` may leave the waiting to a triggerer."""

    def resume(self, step: Step, order_key: str, context: RunContext, event: Mapping[str, Any]) -> int:
        """Returns the step's exit code, told by the triggerer's event."""


def task_labels(context: Mapping[str, Any]) -> dict[str, str]:
    """Returns what names a task: its DAG, run, task, map index and try; nothing outside of Airflow."""
    ti = context.get("ti")
    if ti is None:
        return {}
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return {name: str(getattr(ti, name, "")) for name in names}
