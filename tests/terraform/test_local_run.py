"""The lake of an account before anything runs on ECS: a DAG run with the local runner on what Terraform applied."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.demo.airflow_home import airflow_environment, prepare
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import RunnerKind, Settings
from tests.fakes.bucket import FakeBucket, serving
from tests.small_lake import SmallLake
from tests.terraform.conftest import NAME, Deployment, without_bucket_policy

pytest.importorskip("airflow", reason="Airflow is not installed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
# Another dataset than that of the run in one process, which counts what it publishes.
DATASET = "binance_spot_klines"
RUN = {
    "dag_id": DATASET,
    "conf": {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": "2025-01-01", "end_date": "2025-01-02"},
}


@dataclass(frozen=True)
class Place:
    """An archive with two days, and what Airflow is told of the deployment."""

    settings: Settings
    variables: dict[str, str]


@pytest.fixture
def place(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The settings are those of `terraform output -raw env`; the runner and endpoints alone are others."""
    with serving(FakeBucket()) as bucket:
        told = {
            **deployment.env,
            "CRYPTO_LAKEHOUSE_RUNNER": "local",
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": bucket.endpoint,
            "CRYPTO_LAKEHOUSE_STORAGE__ENDPOINT_URL": deployment.endpoint,
            "CRYPTO_LAKEHOUSE_CATALOG__GLUE_ENDPOINT_URL": deployment.endpoint,
            "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        settings = Settings()
        lake = SmallLake(bucket, settings)
        for day in ("2025-01-01", "2025-01-02"):
            lake.publish(DATASET, day)
        yield Place(settings, airflow_environment(tmp_path / "airflow", settings.lake, told))


def test_a_dag_run_with_the_local_runner_publishes_and_leaves_terraform_nothing_to_do(
    place: Place, deployment: Deployment, tmp_path: Path
) -> None:
    assert (place.settings.runner, place.settings.lake) == (RunnerKind.LOCAL, f"s3://{NAME}-lake-123456789012")
    prepare(place.variables)
    with without_bucket_policy(deployment):
        run_dag(place, tmp_path)
        days = Lake(place.settings).coverage(DATASET, days=(date(2025, 1, 1), date(2025, 1, 2))).to_dicts()
        rows = Lake(place.settings).scan(DATASET, symbols=["BTCUSDT"], interval="1h").collect()
    assert [(one["day"].day, one["rows"]) for one in days] == [(1, 24), (2, 24)]
    assert rows.height == 48
    held = deployment.client("glue").get_partitions(DatabaseName=NAME.replace("-", "_"), TableName=DATASET)
    assert len(held["Partitions"]) == 1
    planned = deployment.workspace.plan()
    assert planned.code == 0, planned.text[-4000:]


def run_dag(place: Place, folder: Path) -> None:
    (folder / "runs.json").write_text(json.dumps([RUN]))
    command = [sys.executable, "-m", "lakehouse_airflow.run_dags", str(folder / "runs.json")]
    done = subprocess.run(command, env=place.variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
