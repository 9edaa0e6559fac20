"""The settings of Airflow on a laptop, and its database."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.request import getproxies_environment

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.errors import SourceUnavailable

# Loading Airflow takes longer than most commands do. Its configuration file has keys that all its processes share.
_COMMANDS = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import write_default_airflow_configuration_if_needed
write_default_airflow_configuration_if_needed()
parser = get_parser()
for arguments in json.loads(sys.argv[1]):
    chosen = parser.parse_args(arguments)
    chosen.func(chosen)
"""
_DEFAULTS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    # The default is all interfaces. On a laptop only its owner should reach Airflow.
    "AIRFLOW__API__HOST": "127.0.0.1",
    # The API server builds its routes at the first call. The default of 5 s is too short on a busy laptop.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
    # Every 30 s by default, which writes a log and keeps a small machine busy.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "GX_ANALYTICS_ENABLED": "false",
}
"""What the environment of the user may set otherwise."""
REPOSITORY = require_checkout()
"""The demonstration runs the DAGs and the fake exchange of the checkout: there is none in an installed package."""


def airflow_environment(home: Path, lake: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment variables for Airflow and for the steps that it starts.

    The user's own variables have precedence, except those that make it this Airflow and this lake.

    Args:
        home: Folder of Airflow: database and logs.
        lake: Root of the lake.
        extra: Further variables.
    """
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "lakehouse_airflow.sqlite_options.CONNECT_ARGS",
        "CRYPTO_LAKEHOUSE_LAKE": lake,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY / "include"), os.environ.get("PYTHONPATH")))),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # Some machines set this variable. Each start of Airflow would then compile its sources again.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    return {**_DEFAULTS, **os.environ, **own, **_without_proxy(), **(extra or {})}


def _without_proxy() -> dict[str, str]:
    """Returns variables by which the programs of Airflow reach each other on this machine without the user's proxy."""
    hosts = getproxies_environment().get("no", "")
    # A star stands for all hosts only where it stands alone.
    direct = hosts if hosts.strip() == "*" else ",".join(filter(None, (hosts, "localhost", "127.0.0.1")))
    return {"NO_PROXY": direct, "no_proxy": direct}


def prepare(environment: Mapping[str, str]) -> None:
    """Creates the database and the pools of Airflow, unless they exist.

    Raises:
        SourceUnavailable: An Airflow command failed. The message contains its output.
    """
    home = Path(environment["AIRFLOW_HOME"])
    marker = home / ".prepared"
    if marker.is_file():
        return
    home.mkdir(parents=True, exist_ok=True)
    pools = str(REPOSITORY / "config" / "pools.json")
    # The DAGs are registered here once: two processes that register them at the same time block each other.
    run_commands(environment, ["db", "migrate"], ["pools", "import", pools], ["dags", "reserialize"])
    marker.touch()


def run_commands(environment: Mapping[str, str], *commands: Sequence[str]) -> None:
    """Runs commands of Airflow's command line one after another, in one process.

    Raises:
        SourceUnavailable: A command failed. The message contains the output.
    """
    done = subprocess.run(  # noqa: S603  our own interpreter, an argument list
        [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SourceUnavailable("A command of Airflow failed", (done.stdout + done.stderr)[-2000:])
