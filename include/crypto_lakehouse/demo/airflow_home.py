"""Where a laptop's Airflow lives and how it is set: the one place that says so."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.errors import SourceUnavailable

REPOSITORY = require_checkout()
"""The demonstration runs the DAGs and the fake exchange of the checkout: there is none in an installed package."""


def airflow_environment(home: Path, lake: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment in which Airflow and the steps it starts find each other.

    Args:
        home: Airflow's own folder: database, logs.
        lake: The lake's root.
        extra: Further variables.
    """
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # All interfaces is the default; a laptop's Airflow is for its owner.
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # The API server builds its routes at a task's first call: on a busy laptop longer than the usual 5 s.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "lakehouse_airflow.sqlite_options.CONNECT_ARGS",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "CRYPTO_LAKEHOUSE_LAKE": lake,
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(REPOSITORY / "include"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # Some machines export it; every start of Airflow would then compile its sources again.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    return {**os.environ, **settings, **(extra or {})}


def prepare(environment: Mapping[str, str]) -> None:
    """Creates Airflow's database and pools, where they are not there yet.

    Raises:
        SourceUnavailable: Airflow said no; its words are in the message.
    """
    home = Path(environment["AIRFLOW_HOME"])
    marker = home / ".prepared"
    if marker.is_file():
        return
    home.mkdir(parents=True, exist_ok=True)
    pools = str(REPOSITORY / "config" / "pools.json")
    # The DAGs are registered once here: two processes that both did it first would stand in each other's way.
    for arguments in (["db", "migrate"], ["pools", "import", pools], ["dags", "reserialize"]):
        done = subprocess.run(  # noqa: S603  our own interpreter, an argument list
            [sys.executable, "-m", "airflow", *arguments],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SourceUnavailable(f"airflow {' '.join(arguments)} failed", (done.stdout + done.stderr)[-2000:])
    marker.touch()


def up(environment: Mapping[str, str]) -> int:
    """Runs Airflow with its UI until it is interrupted, and then ends all of it; returns its exit code."""
    # A session of its own: ending only the parent leaves the scheduler and its children behind.
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow", "standalone"], env=dict(environment), start_new_session=True
    )

    def end(_signal: int, _frame: object) -> None:
        os.killpg(process.pid, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return process.wait()
