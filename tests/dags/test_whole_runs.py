"""Whole DAG runs through Airflow: two sides that meet, one that fails and holds up nothing else, and gaps to fill."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.airflow_home import airflow_environment
from tests.dags.homes import copied_home
from tests.fakes.exchange import Fault, LocalExchange
from tests.small_lake import SmallLake, dropped, small_lake

pytestmark = pytest.mark.long

NAME = "binance_spot_klines"
NOW = datetime(2025, 1, 4, 4, 0, tzinfo=UTC)
CONF = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": "2025-01-01", "end_date": "2025-01-03"}


@dataclass(frozen=True)
class Place:
    lake: SmallLake
    exchange: LocalExchange
    environment: dict[str, str]

    def run(self, folder: Path, dag_id: str = NAME, conf: dict[str, Any] | None = None) -> tuple[int, dict[str, str]]:
        """Runs a DAG once; returns the exit code and the states of its tasks."""
        orders = folder / "runs.json"
        orders.write_text(json.dumps([{"dag_id": dag_id, "conf": CONF if conf is None else conf}]))
        command = [sys.executable, "-m", "lakehouse_airflow.run_dags", str(orders)]
        code = subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode
        newest = "(SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC)"
        states = self.rows(f"SELECT task_id, state FROM task_instance WHERE run_id = {newest}", dag_id)
        return code, dict(states)

    def rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.environment['AIRFLOW_HOME']}/airflow.db")) as held:
            return held.execute(sql, values).fetchall()

    def published(self) -> dict[str, int]:
        catalog = EmbeddedCatalog(Path(self.lake.settings.lake) / "catalog" / "catalog.sqlite")
        return {one.partition: one.rows for one in catalog.partitions(dataset(NAME))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow with its database and DAGs: making one takes longer than a run."""
    return copied_home(tmp_path_factory)


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
    assert place.published() == {"kline_interval=1h/symbol_key=BTCUSDT/period=2025-01": 72}


def test_an_exchange_that_refuses_us_holds_up_nothing_but_itself(place: Place, tmp_path: Path) -> None:
    place.exchange.inject(Fault.GEO_451, times=5, path="")
    code, states = place.run(tmp_path)
    assert place.exchange.fired[Fault.GEO_451] == 1
    assert code == 1
    assert (states["delta"], states["transform.publish"], states["report"]) == ("failed", "success", "failed")
    assert place.published() == {"kline_interval=1h/symbol_key=BTCUSDT/period=2025-01": 48}


def test_an_archive_that_fails_builds_nothing_from_halves(place: Place, tmp_path: Path) -> None:
    missing = [key for key in place.lake.bucket.objects if key.endswith(".zip")]
    place.lake.bucket.fault = lambda path: (404, b"") if any(key in path for key in missing) else None
    code, states = place.run(tmp_path)
    assert any(path.endswith(".zip") for path in place.lake.bucket.requests)
    assert code == 1
    assert states["pull"] == "failed"
    assert states.get("transform.conform") != "success"
    assert place.published() == {}


def test_a_plan_that_is_refused_is_reported_once_and_the_run_is_red(place: Place, tmp_path: Path) -> None:
    code, states = place.run(tmp_path, conf={**CONF, "symbols": ["[!"]})
    assert (code, states["plan"], states["report"]) == (1, "failed", "failed")
    newest = "(SELECT run_id FROM dag_run ORDER BY id DESC)"
    tries = place.rows(f"SELECT task_id, try_number FROM task_instance WHERE state = 'failed' AND run_id = {newest}")
    assert dict(tries) == {"plan": 1, "report": 1}, "what cannot succeed is not tried again"
    (page,) = Path(place.lake.settings.lake).glob("quality/*/*/report.html")
    assert "Failed steps</h3>\n<ul><li>plan: " in page.read_text(encoding="utf-8")


def test_the_daily_dag_of_gaps_triggers_the_dataset_that_has_one(place: Place, tmp_path: Path) -> None:
    place.lake.publish(NAME, "2025-01-02", dropped(5, 8))
    place.lake.run(NAME, "2025-01-01", "2025-01-02")
    code, states = place.run(tmp_path, "fill_gaps", {})
    assert (code, states) == (0, {"find": "success", "fill": "success"})
    ((dag_id, conf),) = place.rows("SELECT dag_id, conf FROM dag_run WHERE run_type = 'operator_triggered'")
    asked = json.loads(conf)
    assert dag_id == NAME
    assert (asked["symbols"], asked["intervals"], asked["start_date"]) == (["BTCUSDT"], ["1h"], "2025-01-02")
    assert asked["fill"] is True


def test_the_weekly_dag_of_instruments_makes_a_master_of_each_market(place: Place, tmp_path: Path) -> None:
    # The fake bucket has daily klines of one interval of one market: the other markets have no symbol to list.
    code, states = place.run(tmp_path, "instruments", {})
    assert code == 1
    tasks = place.rows("SELECT map_index, state FROM task_instance WHERE task_id = 'update'")
    assert sorted(state for _, state in tasks) == ["failed", "failed", "failed", "success"], states
    versions = Path(place.lake.settings.lake).glob("instruments/binance_spot/versions/*")
    assert len(list(versions)) == 1
    (result,) = Path(place.lake.settings.lake).glob("runs/binance_spot/*/instruments.instruments.result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["outcome"]["figures"]["symbols"] == 1
