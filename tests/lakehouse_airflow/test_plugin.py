"""The plugin in `plugins/`: Airflow finds it, and importing it is cheap."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LISTED = """
import json, sys
from airflow import plugins_manager
found, errors = plugins_manager._get_plugins()
ours = [type(p).__name__ if not isinstance(p, type) else p.__name__ for p in found if p.name == "crypto_lakehouse"]
heavy = {"polars", "pandas", "pyarrow", "duckdb", "great_expectations", "ccxt", "crypto_lakehouse"}
print(json.dumps([ours, dict(errors), sorted(heavy & {name.partition(".")[0] for name in sys.modules})]))
"""


def test_airflow_finds_the_plugin_and_it_loads_neither_the_lakehouse_nor_an_engine(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "PYTHONPATH": str(REPOSITORY / "include"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LISTED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    names, errors, heavy = json.loads(done.stdout.splitlines()[-1])
    assert (names, errors) == (["LakehousePlugin"], {})
    assert "crypto_lakehouse" not in heavy
    assert "polars" not in heavy
