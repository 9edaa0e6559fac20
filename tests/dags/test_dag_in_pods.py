"""A whole DAG run with every step in a pod: each task defers, the provider's trigger waits, the task is resumed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment
from crypto_lakehouse.query import Lake
from tests.fakes.kubernetes.api_server import ApiServer, kube_config, serving
from tests.fakes.kubernetes.process_pods import Processes
from tests.small_lake import SmallLake, small_lake

pytest.importorskip("airflow.providers.cncf.kubernetes", reason="the provider is not installed")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]

KLINES = "binance_um_klines"
IMAGES = ("s5cmd", "polars", "quality", "exchange")
DAYS = ("2025-01-01", "2025-01-02")
CONF = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": DAYS[0], "end_date": DAYS[1]}
STEPS = ["plan", "pull", "conform", "gate", "publish", "report"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[SmallLake, ApiServer]]:
    """An archive of two days, an empty lake, and a cluster whose images are this checkout's own steps."""
    carrier = Processes(tmp_path, environment={"PYTHONPATH": str(REPOSITORY / "include")})
    for name in IMAGES:
        carrier.images[f"crypto-lakehouse/{name}:latest"] = [sys.executable, "-m", "crypto_lakehouse.cli"]
    with small_lake(tmp_path) as lake, serving(carrier) as api:
        for day in DAYS:
            lake.publish(KLINES, day)
        Path(lake.settings.lake).mkdir()
        api.cluster.claims["lake"] = Path(lake.settings.lake)
        yield lake, api


def test_a_dag_run_with_every_step_in_a_pod_publishes(
    place: tuple[SmallLake, ApiServer], tmp_path: Path, airflow_home: Path
) -> None:
    lake, api = place
    orders = tmp_path / "runs.json"
    orders.write_text(json.dumps([{"dag_id": KLINES, "conf": CONF}]))
    environment = airflow_environment(
        airflow_home,
        lake.settings.lake,
        {
            "KUBECONFIG": str(kube_config(api, tmp_path / "kubeconfig")),
            "CRYPTO_LAKEHOUSE_RUNNER": "kubernetes",
            "CRYPTO_LAKEHOUSE_KUBERNETES": json.dumps({"lake_claim": "lake", "poll_seconds": 0.2}),
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
            "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        },
    )
    said = tmp_path / "said"
    with said.open("wb") as output:
        command = [sys.executable, "-m", "lakehouse_airflow.run_dags", str(orders)]
        done = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
    assert done.returncode == 0, said.read_text()[-8000:]
    text = said.read_text()
    assert text.count("Pausing task as DEFERRED") == len(STEPS)
    assert "[base] logs: plan of" in text, "the log is what is looked at"
    assert "CRYPTO_LAKEHOUSE_ARCHIVE" not in text, "no pod's specification is in it"
    assert [pod["metadata"]["labels"]["crypto-lakehouse/step"] for pod in api.cluster.created] == STEPS
    assert (api.cluster.pods, api.refused) == ({}, [])
    days = Lake(lake.settings).coverage(KLINES, days=(date(2025, 1, 1), date(2025, 1, 2))).to_dicts()
    assert [day["rows"] for day in days] == [24, 24]
