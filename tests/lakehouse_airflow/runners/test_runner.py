"""The names that a runner gives to what it starts."""

from tests.lakehouse_airflow.runners.conftest import task_context


def test_the_labels_of_a_task_are_its_names() -> None:
    from lakehouse_airflow.runners.runner import task_labels

    assert task_labels(task_context(try_number=2)) == {
        "dag_id": "binance_um_klines",
        "run_id": "manual__1",
        "task_id": "pull",
        "map_index": "0",
        "try_number": "2",
    }


def test_there_are_no_labels_outside_of_airflow() -> None:
    from lakehouse_airflow.runners.runner import task_labels

    assert task_labels({}) == {}


def test_a_context_does_not_show_what_airflow_gave_it() -> None:
    from crypto_lakehouse.settings import Settings
    from lakehouse_airflow.runners.runner import RunContext

    context = RunContext(Settings(), print, {}, {"canary": "canary-6a1f"})
    assert "canary-6a1f" not in repr(context)
