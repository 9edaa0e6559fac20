"""The one place where the lake's errors become Airflow's: transient ones are retried, all others are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.runs.results import StepResult


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """Raises what the lake raises as an error that Airflow retries, or as one that it does not.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: Trying again changes nothing.
    """
    try:
        yield
    except TransientError as error:
        raise AirflowException(str(error)) from error
    except LakehouseError as error:
        raise AirflowFailException(str(error)) from error


def raise_for(result: StepResult[Any], code: int) -> None:
    """Raises where a step failed by its result, or where its exit code contradicts a good result.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: Trying again changes nothing.
    """
    if result.error is not None:
        message = f"{result.step} failed: {result.error.name}: {result.error.message}"
        may_help = result.error.is_transient or not result.error.is_known
        raise (AirflowException if may_help else AirflowFailException)(message)
    if code != 0:
        raise AirflowException(f"{result.step} left a good result and exit code {code}: one of them lies")
