"""Whole DAG runs through Airflow in which one side fails: what the other brought is published, and the run is red."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment, prepare
from tests.exchange import Fault, LocalExchange
from tests.small_lake import SmallLake, small_lake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAME = "binance_spot_klines"
NOW = datetime(2025, 1, 4, 4, 0, tzinfo=UTC)
CONF = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": "2025-01-01", "end_date": "2025-01-03"}


@dataclass(frozen=True)
class Place:
    lake: SmallLake
    exchange: LocalExchange
    environment: dict[str, str]

    def run(self, folder: Path) -> tuple[int, dict[str, str]]:
        """Runs the dataset's DAG once; returns the exit code and the states of its tasks."""
        orders = folder / "runs.json"
        orders.write_text(json.dumps([{"dag_id": NAME, "conf": CONF}]))
        command = [sys.executable, str(REPOSITORY / "plugins" / "run_dags.py"), str(orders)]
        code = subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode
        with sqlite3.connect(f"{self.environment['AIRFLOW_HOME']}/airflow.db") as held:
            rows = held.execute(
                "SELECT task_id, state FROM task_instance WHERE run_id = (SELECT run_id FROM dag_run ORDER BY id DESC)"
            ).fetchall()
        return code, dict(rows)

    def published(self) -> dict[str, int]:
        catalog = EmbeddedCatalog(Path(self.lake.settings.lake) / "catalog" / "catalog.sqlite")
        return {one.partition: one.rows for one in catalog.partitions(dataset(NAME))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow with its database and DAGs: making one takes longer than a run."""
    home = tmp_path_factory.mktemp("airflow")
    prepare(airflow_environment(home, str(home)))
    return home


@pytest.fixture
def place(tmp_path: Path, prepared: Path) -> Iterator[Place]:
    """Two days in the archive, a third at the exchange."""
    with small_lake(tmp_path) as lake, LocalExchange(clock=NOW.timestamp) as exchange:
        lake.publish(NAME, "2025-01-01")
        lake.publish(NAME, "2025-01-02")
        extra = {
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
            "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "true",
            "CRYPTO_LAKEHOUSE_EXCHANGE__SPOT_URL": f"{exchange.url}/spot",
            "CRYPTO_LAKEHOUSE_EXCHANGE__LIMITS_FILE": str(tmp_path / "limits.sqlite"),
            # No waiting between tries.
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "0",
        }
        environment = airflow_environment(prepared, lake.settings.lake, extra)
        yield Place(lake, exchange, environment)


def test_both_sides_meet_in_one_partition(place: Place, tmp_path: Path) -> None:
    code, states = place.run(tmp_path)
    assert (code, set(states.values())) == (0, {"success"})
    assert place.published() == {"interval=1h/symbol_key=BTCUSDT/month=2025-01": 72}


def test_an_exchange_that_refuses_us_holds_up_nothing_but_itself(place: Place, tmp_path: Path) -> None:
    place.exchange.inject(Fault.GEO_451, times=5, path="")
    code, states = place.run(tmp_path)
    assert place.exchange.fired[Fault.GEO_451] == 1
    assert code == 1
    assert (states["delta"], states["transform.publish"], states["report"]) == ("failed", "success", "failed")
    assert place.published() == {"interval=1h/symbol_key=BTCUSDT/month=2025-01": 48}


def test_an_archive_that_fails_builds_nothing_from_halves(place: Place, tmp_path: Path) -> None:
    missing = [key for key in place.lake.bucket.objects if key.endswith(".zip")]
    place.lake.bucket.fault = lambda path: (404, b"") if any(key in path for key in missing) else None
    code, states = place.run(tmp_path)
    assert any(path.endswith(".zip") for path in place.lake.bucket.requests)
    assert code == 1
    assert states["pull"] == "failed"
    assert states.get("transform.conform") != "success"
    assert place.published() == {}
