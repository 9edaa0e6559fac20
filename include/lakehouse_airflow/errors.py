"""Failures of tasks: how the lake's errors become Airflow's, and the line that an alarm matches.

Airflow retries transient errors and no others. A known failure is one message in the log, without a traceback: its
frames say nothing to an operator. A bug keeps its traceback.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

from airflow.sdk import Context, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.exit_codes import EXIT_PERMANENT, EXIT_TRANSIENT, EXIT_USAGE
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.runbook import Entry, entry_of, see, with_entry
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.vocabulary import Step

_log = logging.getLogger(__name__)


class TaskFailed(SystemExit):
    """Ends a task that failed for a known reason; another try may help.

    Airflow logs the traceback of every exception but this kind, and repeats the task if tries are left.
    """

    exit_code = EXIT_TRANSIENT

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # Airflow prints it after the message.
        self.code = self.exit_code


class TaskFailedForGood(TaskFailed):
    """Ends a task that failed for a known reason; another try would fail as well."""

    exit_code = EXIT_PERMANENT


@contextmanager
def told_in_one_message() -> Iterator[None]:
    """Logs a known failure of a task in one message, and ends the task.

    Raises:
        TaskFailed: The task failed, and another try may help.
        TaskFailedForGood: The task failed, and another try changes nothing.
    """
    try:
        yield
    except (AirflowSkipException, AirflowRescheduleException, DownstreamTasksSkipped):
        raise
    except AirflowException as error:
        _log.error("%s", error)
        kind = TaskFailedForGood if isinstance(error, AirflowFailException) else TaskFailed
        raise kind(str(error)) from None


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translates an error of the lake into an error that Airflow retries, or into one that it does not retry.

    Raises:
        AirflowException: The error is transient; a retry may help.
        AirflowFailException: The error is permanent; a retry changes nothing.
    """
    try:
        with translated("the lake"):
            yield
    except TransientError as error:
        raise AirflowException(with_entry(str(error), entry_of(type(error).__name__))) from error
    except LakehouseError as error:
        raise AirflowFailException(with_entry(str(error), entry_of(type(error).__name__))) from error


def raise_for(result: StepResult[Any], code: int) -> None:
    """Raises an error if a step failed, or if its exit code contradicts a good result.

    Raises:
        AirflowException: The step failed, and a retry may help.
        AirflowFailException: The step failed, and a retry changes nothing.
    """
    if result.error is not None:
        what = f"{result.step} failed: {result.error.name}: {result.error.message}"
        message = with_entry(what, entry_of(result.error.name, result.step))
        may_help = result.error.is_transient or not result.error.is_known
        raise (AirflowException if may_help else AirflowFailException)(message)
    if code != 0:
        raise AirflowException(
            f"{result.step} wrote a good result and ended with exit code {code}: these contradict each other. "
            "See the log above"
        )


def raise_without_result(step: Step, order_key: str, code: int) -> NoReturn:
    """Raises an error for a step that left no result: it was killed, or it could not write to the lake.

    Raises:
        AirflowException: A retry may help.
        AirflowFailException: By its exit code, a retry changes nothing.
    """
    is_permanent = code in {EXIT_PERMANENT, EXIT_USAGE}
    raise (AirflowFailException if is_permanent else AirflowException)(
        f"{step} left no result for {order_key} (exit code {code}): it did not finish\n{see(Entry.STEP_UNFINISHED)}"
    )


_POLICY = ExceptionRetryPolicy(
    [RetryRule(TaskFailedForGood, RetryAction.FAIL, reason="another try would fail as well")],
)


def retrying(retries: int, first_delay: timedelta) -> dict[str, Any]:
    """Returns the default arguments of a DAG whose tasks are retried, each time after a longer delay."""
    return {
        "owner": "lakehouse",
        "retries": retries,
        "retry_delay": first_delay,
        "retry_exponential_backoff": True,
        "retry_policy": _POLICY,
        "on_failure_callback": log_failure,
    }


def log_failure(context: Context) -> None:
    """Failure callback: prints one line with the failed task's names, which an alarm can match."""
    ti = context["ti"]
    print(f"lakehouse_failure dag={ti.dag_id} task={ti.task_id} map_index={ti.map_index} run={ti.run_id}", flush=True)
