"""Each kind of runner that the settings can name has a class."""

import pytest

from crypto_lakehouse.settings import RunnerKind

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("kind", RunnerKind)
def test_each_kind_has_its_runner(kind: RunnerKind) -> None:
    from lakehouse_airflow.runners.choosing import new_runner

    runner = new_runner(kind, ("crypto-lakehouse", "step"))
    assert type(runner).__name__.lower() == f"{kind.value}runner"
