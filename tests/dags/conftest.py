"""Airflow for tests of DAGs: the project's own DAGs and plugins."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# Airflow reads these when it is first imported, so they are set before any test module of this folder is.
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(REPOSITORY / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(REPOSITORY / "plugins")
