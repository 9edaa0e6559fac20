"""A DAG run as production has it: Airflow in its image, every step in a container of its own beside it."""

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.query import Lake
from tests.containers.conftest import open_to_all
from tests.containers.engine import STRICT, UID, Engine, image
from tests.small_lake import SmallLake, small_lake

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

KLINES = "binance_um_klines"
SOCKET = Path("/var/run/docker.sock")
RUN = {
    "dag_id": KLINES,
    "conf": {
        "symbols": ["BTCUSDT"],
        "intervals": ["1h"],
        "start_date": "2025-01-01",
        "end_date": "2025-01-02",
    },
}
COMMAND = "airflow db migrate && airflow dags reserialize && python -m lakehouse_airflow.run_dags /runs/runs.json"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[SmallLake]:
    with small_lake(tmp_path) as one:
        for day in ("2025-01-01", "2025-01-02"):
            one.publish(KLINES, day)
        Path(one.settings.lake).mkdir()
        yield one


def test_a_dag_run_with_every_step_in_a_container_publishes(images: Engine, lake: SmallLake, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "runs.json").write_text(json.dumps([RUN]))
    folder = Path(lake.settings.lake)
    os.chown(folder, UID, UID)
    open_to_all(tmp_path / "runs")
    tmp_path.chmod(0o755)
    names = ("plan", "pull", "delta", "conform", "gate", "publish", "report")
    of_step = {"pull": "s5cmd", "delta": "exchange", "gate": "quality"}
    docker = {
        "images": {name: image(of_step.get(name, "polars")) for name in names},
        "network": "host",
        "lake_source": str(folder),
    }
    variables = {
        "CRYPTO_LAKEHOUSE_LAKE": "/lake",
        "CRYPTO_LAKEHOUSE_RUNNER": "docker",
        "CRYPTO_LAKEHOUSE_DOCKER": json.dumps(docker),
        "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
        "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "lakehouse_airflow.sqlite_options.CONNECT_ARGS",
    }
    done = images.run(
        *("run", "--rm", *STRICT, "--tmpfs", "/tmp:rw,mode=1777", "--network", "host"),
        *("--group-add", str(SOCKET.stat().st_gid), "--volume", f"{SOCKET}:{SOCKET}"),
        *("--volume", f"{folder}:/lake", "--volume", f"{tmp_path / 'runs'}:/runs:ro"),
        *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
        *("--entrypoint", "sh", image("airflow"), "-c", COMMAND),
        check=False,
    )
    said = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
    assert done.returncode == 0, f"{done.stdout[-6000:]}{done.stderr[-3000:]}"
    assert [one["state"] for one in said if one["event"] == "end"] == ["success"]
    for step, name in (("pull", "s5cmd"), ("gate", "quality"), ("publish", "polars")):
        assert f"of {image(name)}, network" in done.stdout + done.stderr, f"{step} ran in a container"
    days = Lake(lake.settings).coverage(KLINES, days=(date(2025, 1, 1), date(2025, 1, 2))).to_dicts()
    assert [one["rows"] for one in days] == [24, 24]
