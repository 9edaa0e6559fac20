"""The lake's errors and contradictions become what Airflow retries, or does not."""

import pytest

from crypto_lakehouse.errors import ChecksumMismatch, RateLimited

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("error", "is_final"), [(RateLimited("wait"), False), (ChecksumMismatch("no"), True)])
def test_a_transient_error_is_retried_and_a_permanent_one_is_not(error: Exception, is_final: bool) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from lakehouse_airflow.errors import translated_errors

    with pytest.raises(AirflowException) as raised, translated_errors():
        raise error
    assert isinstance(raised.value, AirflowFailException) is is_final
    assert raised.value.__cause__ is error


def test_another_error_passes_as_it_is() -> None:
    from lakehouse_airflow.errors import translated_errors

    with pytest.raises(ZeroDivisionError), translated_errors():
        raise ZeroDivisionError
