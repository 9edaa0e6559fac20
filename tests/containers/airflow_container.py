"""Airflow in its image, with every step in its own container beside it: runs of DAGs as production has them."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto_lakehouse.verbs import VERBS
from tests.containers.conftest import open_to_all
from tests.containers.engine import STRICT, UID, Engine, image
from tests.small_lake import SmallLake

SOCKET = Path("/var/run/docker.sock")
_COMMAND = "airflow db migrate && airflow dags reserialize && python -m lakehouse_airflow.run_dags /runs/runs.json"


@dataclass(frozen=True)
class DagRuns:
    """The outcome of DAG runs.

    Args:
        states: The state of each run by its DAG, in the order of the runs.
        seconds: How long each run took.
        code: The exit code.
        log: All lines of Airflow and of the steps.
    """

    states: Mapping[str, str]
    seconds: Mapping[str, float]
    code: int
    log: str


def run_dags(
    engine: Engine, lake: SmallLake, runs: Sequence[Mapping[str, Any]], folder: Path, variables: Mapping[str, str]
) -> DagRuns:
    """Runs DAGs one after another in the image of Airflow; each step runs in the image of its verb.

    Args:
        engine: The engine with all images.
        lake: The lake, a folder, and the archive.
        runs: `dag_id` and `conf` of each run.
        folder: A folder for the list of runs.
        variables: Further settings of Airflow's container.
    """
    folder.mkdir()
    (folder / "runs.json").write_text(json.dumps(list(runs)))
    open_to_all(folder)
    lake_folder = Path(lake.settings.lake)
    os.chown(lake_folder, UID, UID)
    given = {**_settings(lake, lake_folder), **variables}
    done = engine.run(
        *("run", "--rm", *STRICT, "--tmpfs", "/tmp:rw,mode=1777", "--network", "host"),
        *("--group-add", str(SOCKET.stat().st_gid), "--volume", f"{SOCKET}:{SOCKET}"),
        *("--volume", f"{lake_folder}:/lake", "--volume", f"{folder}:/runs:ro"),
        *(word for name, value in given.items() for word in ("--env", f"{name}={value}")),
        *("--entrypoint", "sh", image("airflow"), "-c", _COMMAND),
        check=False,
    )
    return _outcome(done)


def _settings(lake: SmallLake, lake_folder: Path) -> dict[str, str]:
    docker = {
        "images": {verb.step.value: image(verb.image.value) for verb in VERBS},
        "network": "host",
        "lake_source": str(lake_folder),
    }
    return {
        "CRYPTO_LAKEHOUSE_LAKE": "/lake",
        "CRYPTO_LAKEHOUSE_RUNNER": "docker",
        "CRYPTO_LAKEHOUSE_DOCKER": json.dumps(docker),
        "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "lakehouse_airflow.sqlite_options.CONNECT_ARGS",
    }


def _outcome(done: "subprocess.CompletedProcess[str]") -> DagRuns:
    lines = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@{")]
    ended = [line for line in lines if line["event"] == "end"]
    return DagRuns(
        {line["dag_id"]: line["state"] for line in ended},
        {line["dag_id"]: line["seconds"] for line in ended},
        done.returncode,
        done.stdout + done.stderr,
    )
