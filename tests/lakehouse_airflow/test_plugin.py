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
apps, _ = plugins_manager.get_fastapi_plugins()
views, _ = plugins_manager._get_ui_plugins()
listed = [[app["url_prefix"] for app in apps], [(view["destination"], view["href"]) for view in views]]
heavy = {"polars", "pandas", "pyarrow", "duckdb", "great_expectations", "ccxt", "boto3", "crypto_lakehouse"}
loaded = sorted(heavy & {name.partition(".")[0] for name in sys.modules})
pages = sorted(name for name in sys.modules if name.startswith("lakehouse_airflow.pages."))
print(json.dumps([ours, dict(errors), loaded, pages, listed]))
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
    names, errors, heavy, pages, (prefixes, views) = json.loads(done.stdout.splitlines()[-1])
    assert (names, errors) == (["LakehousePlugin"], {})
    assert (heavy, pages) == ([], []), "the first request for a page loads it, no start of a process"
    assert prefixes == ["/lakehouse"]
    assert views == [
        ["nav", "lakehouse/reports/"],
        ["dag", "lakehouse/reports/{DAG_ID}/"],
        ["dag_run", "lakehouse/reports/{DAG_ID}/{RUN_ID}"],
        ["task_instance", "lakehouse/reports/{DAG_ID}/{RUN_ID}"],
    ]
