"""The protocol of runners, and the context that a runner receives from its task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a runner knows about its task.

    Args:
        settings: The deployment's settings.
        log: Receives each line that the step prints.
        labels: Names of the task, for runners that can label what they start.
        airflow: Airflow's context of the task, for runners that use an operator of a provider.
    """

    settings: Settings
    log: Callable[[str], None]
    labels: Mapping[str, str]
    airflow: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Runner(Protocol):
    """Carries out one step at a time. The exit code does not decide: the step's result file does."""

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the step's exit code once it has ended.

        Raises:
            AirflowException: The step could not be started or watched, and a retry may help.
            AirflowFailException: The deployment's configuration does not allow the step to start.
            TaskDeferred: The step was started and a triggerer waits for it; `resume` continues from there.
        """

    def stop(self) -> None:
        """Ends the step and all its child processes; does nothing if no step runs."""


@runtime_checkable
class DeferrableRunner(Runner, Protocol):
    """A runner whose `run` may let a triggerer wait for the step."""

    def resume(self, step: Step, order_key: str, context: RunContext, event: Mapping[str, Any]) -> int:
        """Returns the step's exit code, taken from the triggerer's event."""


def task_labels(context: Mapping[str, Any]) -> dict[str, str]:
    """Returns the names of a task: its DAG, run, task, map index and try; empty outside of Airflow."""
    ti = context.get("ti")
    if ti is None:
        return {}
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return {name: str(getattr(ti, name, "")) for name in names}
