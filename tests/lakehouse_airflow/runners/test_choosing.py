"""The runner that the settings name is the one that carries out a step."""

import pytest

from crypto_lakehouse.settings import RunnerKind

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("kind", RunnerKind)
def test_every_kind_of_runner_exists(kind: RunnerKind) -> None:
    from lakehouse_airflow.runners.choosing import new_runner

    runner = new_runner(kind, ())
    assert type(runner).__name__.lower() == f"{kind}runner"
    runner.stop()
