"""The common part of the runners that carry out a step with an operator of an Airflow provider.

The operator is created when the task runs, because `dags/` must not depend on the runner. If the operator defers, the
task resumes in `StepOperator.resume`, which creates the same operator again and passes the triggerer's event to it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.runner import RunContext

RESUME = "resume"
_FAILED = 1


class OperatorRunner(ABC):
    """Starts a step with an operator and turns its outcome into an exit code: 0, or 1 with the reason in the log."""

    def __init__(self) -> None:
        self._operator: Any = None

    @abstractmethod
    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the provider's operator for an order.

        Raises:
            AirflowFailException: The settings are not sufficient for one.
        """

    @abstractmethod
    def resume_operator(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Passes the triggerer's event to the operator."""

    @abstractmethod
    def is_final(self, error: Exception) -> bool:
        """Returns whether the service would answer the next try with the same error."""

    def reason(self, error: Exception) -> str:
        """Returns the operator's error as one line for the log."""
        return _first_line(error)

    def start(self, context: RunContext) -> None:
        """Starts the step with the operator."""
        self._operator.execute(context.airflow)

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns 0 if the operator reports success, else 1.

        Raises:
            TaskDeferred: The step was started and a triggerer waits for it.
            AirflowFailException: The service refuses the step because of the deployment's configuration.
        """
        self._operator = self._created(step, order_key, context)
        return self._exit_code_of(lambda: self.start(context), order_key, context)

    def resume(self, step: Step, order_key: str, context: RunContext, event: Mapping[str, Any]) -> int:
        """Returns the exit code as `run` does, taken from the triggerer's event.

        Raises:
            TaskDeferred: The step still runs.
            AirflowFailException: The service refuses to answer.
        """
        self._operator = self._created(step, order_key, context)
        return self._exit_code_of(lambda: self.resume_operator(context, event), order_key, context)

    def stop(self) -> None:
        """Ends the step that the operator started."""
        if self._operator is not None:
            self._operator.on_kill()

    def _created(self, step: Step, order_key: str, context: RunContext) -> Any:
        try:
            return self.new_operator(step, order_key, context)
        except ImportError as error:
            raise AirflowFailException(
                f"the Airflow provider of this runner is not installed: no module {error.name}"
            ) from error

    def _exit_code_of(self, call: Callable[[], None], order_key: str, context: RunContext) -> int:
        try:
            call()
        except TaskDeferred as deferred:
            raise TaskDeferred(
                trigger=deferred.trigger,
                method_name=RESUME,
                kwargs={"order_key": order_key},
                timeout=deferred.timeout,
            ) from None
        except AirflowFailException:
            raise
        except Exception as error:
            # Providers raise any error of their clients. No error is lost: the operator reads the result file next, and
            # the task fails if there is none.
            if not isinstance(error, AirflowException) and self.is_final(error):
                raise AirflowFailException(f"the service refuses the step: {self.reason(error)}") from error
            context.log(f"the operator reports: {self.reason(error)}")
            return _FAILED
        return 0


def _first_line(error: Exception) -> str:
    # Further lines may quote the whole request.
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:500]}"
