"""Homes of Airflow: one is prepared for all tests of a run and then copied, because preparing takes long."""

import shutil
from pathlib import Path

import pytest

from crypto_lakehouse.demo.airflow_home import airflow_environment, prepare
from tests.prepared import prepared


def copied_home(factory: pytest.TempPathFactory) -> Path:
    """Returns a new home with a database of its own, in which pools and DAGs are registered."""
    first = prepared(factory, "airflow", lambda home: prepare(airflow_environment(home, str(home))))
    home = factory.mktemp("airflow")
    shutil.copytree(first, home, dirs_exist_ok=True)
    settings = home / "airflow.cfg"
    settings.write_text(settings.read_text(encoding="utf-8").replace(str(first), str(home)), encoding="utf-8")
    return home
