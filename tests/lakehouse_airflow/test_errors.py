"""Airflow retries what may help, and no other failure."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.runs.results import StepError, StepResult
from crypto_lakehouse.vocabulary import Step
from tests.lakehouse_airflow.results import failed, succeeded

pytestmark = pytest.mark.filterwarnings("ignore")


def raised_by(error: Exception) -> BaseException:
    """Returns the error that a task raises for an error of the lake."""
    from lakehouse_airflow.errors import translated_errors

    with pytest.raises(Exception, match="why") as caught, translated_errors():
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (SourceUnavailable("why", "Wait"), True),
        (InvalidRequest("why", "Change it"), False),
        (LakehouseError("why"), False),
    ],
    ids=["transient", "permanent", "base class"],
)
def test_only_transient_errors_are_retried(error: LakehouseError, is_retried: bool) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    translated = raised_by(error)
    assert isinstance(translated, AirflowException)
    assert isinstance(translated, AirflowFailException) is not is_retried
    assert translated.__cause__ is error


def test_an_error_that_is_not_the_lake_s_stays_what_it_is() -> None:
    error = ValueError("why")
    assert raised_by(error) is error


@pytest.mark.parametrize(
    ("result", "code", "message", "is_retried"),
    [
        (failed(is_transient=True), 75, "pull failed: X: why", True),
        (failed(is_known=False), 70, "pull failed: X: why", True),
        (failed(), 65, "pull failed: X: why", False),
        (failed(), 0, "pull failed: X: why", False),
        (succeeded(), 137, "exit code 137: these contradict each other", True),
    ],
    ids=["transient", "unknown", "permanent", "permanent with code 0", "good result with a bad code"],
)
def test_a_failed_step_fails_its_task(result: StepResult[Any], code: int, message: str, is_retried: bool) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from lakehouse_airflow.errors import raise_for

    with pytest.raises(AirflowException, match=message) as caught:
        raise_for(result, code)
    assert isinstance(caught.value, AirflowFailException) is not is_retried


@pytest.mark.parametrize(
    ("name", "message", "last"),
    [
        ("SourceUnavailable", "why", "See docs/runbook.md#the-archive-does-not-answer"),
        ("ResourcesExhausted", "why\nFree space", "See docs/runbook.md#no-space-memory-or-handles-are-left"),
        ("KeyError", "why", "See docs/runbook.md#an-error-of-the-program"),
        ("ExchangeRefused", "See docs/runbook.md#x", "pull failed: ExchangeRefused: See docs/runbook.md#x"),
    ],
)
def test_the_message_of_a_failed_step_leads_to_its_entry_of_the_runbook(name: str, message: str, last: str) -> None:
    from airflow.sdk.exceptions import AirflowException

    from lakehouse_airflow.errors import raise_for

    result = replace(failed(), error=StepError(name, message))
    with pytest.raises(AirflowException) as caught:
        raise_for(result, 65)
    assert str(caught.value).splitlines()[-1] == last


def test_so_do_the_message_of_a_killed_step_and_that_of_a_lake_which_does_not_answer() -> None:
    from airflow.sdk.exceptions import AirflowException

    from lakehouse_airflow.errors import raise_without_result

    with pytest.raises(AirflowException, match=r"\(exit code 137\): it did not finish\nSee .*#a-step-did-not-finish$"):
        raise_without_result(Step.CONFORM, "runs/d/r/transform-000.json", 137)
    assert str(raised_by(SourceUnavailable("why"))) == "why\nSee docs/runbook.md#the-lake-does-not-answer"


def test_a_good_result_with_a_good_code_raises_nothing() -> None:
    from lakehouse_airflow.errors import raise_for

    raise_for(succeeded(), 0)


def test_a_failure_prints_one_line_with_the_names_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    from lakehouse_airflow.errors import log_failure

    ti = SimpleNamespace(dag_id="binance_um_klines", task_id="pull", map_index=3, run_id="manual__1")
    log_failure({"ti": ti})  # type: ignore[typeddict-item]
    assert capsys.readouterr().out == "lakehouse_failure dag=binance_um_klines task=pull map_index=3 run=manual__1\n"
