"""Homes of Airflow: one is prepared for all tests of a run and then copied, because preparing takes long."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from crypto_lakehouse.demo.airflow_home import airflow_environment, prepare


def copied_home(factory: pytest.TempPathFactory) -> Path:
    """Returns a new home with a database of its own, in which pools and DAGs are registered."""
    first = _prepared_home(factory)
    home = factory.mktemp("airflow")
    shutil.copytree(first, home, dirs_exist_ok=True)
    settings = home / "airflow.cfg"
    settings.write_text(settings.read_text(encoding="utf-8").replace(str(first), str(home)), encoding="utf-8")
    return home


def _prepared_home(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    # The workers of one run have folders beside each other.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "prepared-airflow"
    with (shared / "prepared-airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(airflow_environment(home, str(home)))
    return home
