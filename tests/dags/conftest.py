"""Airflow for tests of DAGs: the project's own DAGs and plugins, and homes with a database that is ready."""

import os
from pathlib import Path

import pytest

from tests.dags.homes import copied_home

REPOSITORY = Path(__file__).parents[2]

# Airflow reads these when it is first imported, so they are set before any test module of this folder is.
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(REPOSITORY / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(REPOSITORY / "plugins")


@pytest.fixture
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test's own home of Airflow, with its database and DAGs."""
    return copied_home(tmp_path_factory)
