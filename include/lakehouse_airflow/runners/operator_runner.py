"""What the runners have in common that hand a step to an operator of an Airflow provider.

The operator is made when the task runs, since `dags/` must not change with the runner. Where it defers, the task comes
back to `StepOperator.resume`, and the same operator is made again to hear what the triggerer says.
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
    """Starts a step by an operator and takes what that says as an exit code: 0, or 1 with the reason in the log."""

    def __init__(self) -> None:
        self._operator: Any = None

    @abstractmethod
    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the provider's operator for an order.

        Raises:
            AirflowFailException: The settings do not allow for one.
        """

    @abstractmethod
    def reentered(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Hands the triggerer's event to the operator."""

    @abstractmethod
    def is_final(self, error: Exception) -> bool:
        """Returns whether the service would say the same at the next try."""

    def reason(self, error: Exception) -> str:
        """Returns what the operator's error says, in a line for the log."""
        return _first_line(error)

    def start(self, context: RunContext) -> None:
        """Has the operator start the step."""
        self._operator.execute(context.airflow)

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns 0 where the operator says that the step succeeded, and 1 where it says anything else.

        Raises:
            TaskDeferred: The step was started, and a triggerer waits for it.
            AirflowFailException: The service refuses the step as the deployment is configured.
        """
        self._operator = self._made(step, order_key, context)
        return self._word_of(lambda: self.start(context), order_key, context)

    def resume(self, step: Step, order_key: str, context: RunContext, event: Mapping[str, Any]) -> int:
        """Returns what `run` would have, told by the triggerer's event.

        Raises:
            TaskDeferred: The step still runs.
            AirflowFailException: The service refuses to tell of it.
        """
        self._operator = self._made(step, order_key, context)
        return self._word_of(lambda: self.reentered(context, event), order_key, context)

    def stop(self) -> None:
        """Ends what the operator started."""
        if self._operator is not None:
            self._operator.on_kill()

    def _made(self, step: Step, order_key: str, context: RunContext) -> Any:
        try:
            return self.new_operator(step, order_key, context)
        except ImportError as error:
            raise AirflowFailException(f"the provider of this runner is not installed: {error.name}") from error

    def _word_of(self, call: Callable[[], None], order_key: str, context: RunContext) -> int:
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
            # Providers raise whatever their clients do. None of it is lost: the result file is asked next, and where
            # the step left none, the task fails.
            if not isinstance(error, AirflowException) and self.is_final(error):
                raise AirflowFailException(f"the service refuses the step: {self.reason(error)}") from error
            context.log(f"the operator says: {self.reason(error)}")
            return _FAILED
        return 0


def _first_line(error: Exception) -> str:
    # What follows may quote the whole request.
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:500]}"
