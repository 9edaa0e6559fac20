"""The one place where the lake's errors become Airflow's: transient ones are retried, all others are not."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.lake.work import StepResult


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


def raise_for(result: StepResult, code: int) -> None:
    """Raises where a step's result says that it failed, or where its exit code contradicts a good result.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: Trying again changes nothing.
    """
    if result.status == "failed":
        message = f"{result.step} failed: {result.error.get('class')}: {result.error.get('message')}"
        retryable = result.error.get("transient") or not result.error.get("known")
        raise (AirflowException if retryable else AirflowFailException)(message)
    if code != 0:
        raise AirflowException(f"{result.step} left a good result and exit code {code}: one of them lies")
