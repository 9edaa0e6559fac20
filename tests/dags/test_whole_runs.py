"""Whole DAG runs through Airflow: two sides that meet, one that fails and holds up nothing else, and gaps to fill."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
from tests.small_lake import SmallLake, dropped, put_in_all, small_lake

pytestmark = pytest.mark.long

NAME = "binance_spot_klines"
NOW = datetime(2025, 1, 4, 4, 0, tzinfo=UTC)
CONF = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": "2025-01-01", "end_date": "2025-01-03"}


@dataclass(frozen=True)
class Place:
    lake: SmallLake
    exchange: LocalExchange
    environment: dict[str, str]

    def run(self, folder: Path, *runs: tuple[str, Mapping[str, Any]]) -> tuple[int, list["Ran"]]:
        """Runs DAGs one after another, each with its conf; returns the exit code and what became of each run.

        The runs share a process: Airflow takes longer to start than a task takes to run.
        """
        orders = folder / "runs.json"
        orders.write_text(json.dumps([{"dag_id": dag_id, "conf": conf} for dag_id, conf in runs]))
        command = [sys.executable, "-m", "lakehouse_airflow.run_dags", str(orders)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        events = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
        ended = [(event["run_id"], event["state"]) for event in events if event["event"] == "end"]
        assert len(ended) == len(runs), done.stderr[-4000:]
        return done.returncode, [Ran(self, run_id, state, done.stdout + done.stderr) for run_id, state in ended]

    def rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.environment['AIRFLOW_HOME']}/airflow.db")) as held:
            return held.execute(sql, values).fetchall()

    def published(self) -> dict[str, int]:
        catalog = EmbeddedCatalog(Path(self.lake.settings.lake) / "catalog" / "catalog.sqlite")
        return {one.partition: one.rows for one in catalog.partitions(dataset(NAME))}


@dataclass(frozen=True)
class Ran:
    """One run of a DAG that has ended."""

    place: Place
    run_id: str
    state: str
    log: str

    def tasks(self) -> list[tuple[str, str, int]]:
        """Returns the name, the state and the number of tries of each task."""
        return self.place.rows(
            "SELECT task_id, state, try_number FROM task_instance WHERE run_id = ? ORDER BY task_id, state", self.run_id
        )

    @property
    def states(self) -> dict[str, str]:
        return {task: state for task, state, _ in self.tasks()}


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
            **{
                f"CRYPTO_LAKEHOUSE_EXCHANGE__{name.upper()}_URL": f"{exchange.url}/{name}"
                for name in ("spot", "um", "cm")
            },
            "CRYPTO_LAKEHOUSE_EXCHANGE__LIMITS_FILE": str(tmp_path / "limits.sqlite"),
            # No waiting between tries.
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "0",
        }
        environment = airflow_environment(prepared, lake.settings.lake, extra)
        yield Place(lake, exchange, environment)


def test_both_sides_meet_in_one_partition(place: Place, tmp_path: Path) -> None:
    code, [ran] = place.run(tmp_path, (NAME, CONF))
    assert (code, ran.state, set(ran.states.values())) == (0, "success", {"success"})
    assert place.published() == {"kline_interval=1h/symbol_key=BTCUSDT/period=2025-01": 72}


def test_an_exchange_that_refuses_us_hides_no_refused_object_and_holds_up_nothing_but_itself(
    place: Place, tmp_path: Path
) -> None:
    refused = place.lake.publish(NAME, "2025-01-02", put_in_all(2, "0.01")).key
    place.exchange.inject(Fault.GEO_451, times=5, path="")
    code, [ran] = place.run(tmp_path, (NAME, CONF))
    assert place.exchange.fired[Fault.GEO_451] == 1
    assert (code, ran.state) == (1, "failed")
    states = ran.states
    assert {task: states[task] for task in ("delta", "transform.publish", "announce", "report")} == {
        **{"delta": "failed", "report": "failed"},
        **{"transform.publish": "success", "announce": "success"},
    }
    assert place.published() == {"kline_interval=1h/symbol_key=BTCUSDT/period=2025-01": 24}
    assert_one_message_names_all_that_went_wrong(ran, refused)
    assert_known_failures_have_no_frames(ran)
    assert place.rows("SELECT count(*) FROM asset_event WHERE source_run_id = ?", ran.run_id) == [(1,)]


def assert_one_message_names_all_that_went_wrong(ran: Ran, refused: str) -> None:
    first = f"{NAME}: 1 object refused; 1 step failed; 1 partition and 24 rows published"
    assert ran.log.count(first) == 1
    message = ran.log.partition(first)[2].partition("Report: ")[0]
    assert f"Object refused: {refused}: " in message
    assert "Step failed: delta: " in message
    assert "451" in message


def assert_known_failures_have_no_frames(ran: Ran) -> None:
    assert "Task exited" in ran.log, "the log of tasks is what is looked at"
    assert "Traceback" not in ran.log


def test_a_refused_plan_and_an_archive_that_fails_make_their_runs_red(place: Place, tmp_path: Path) -> None:
    missing = [key for key in place.lake.bucket.objects if key.endswith(".zip")]
    place.lake.bucket.fault = lambda path: (404, b"") if any(key in path for key in missing) else None
    code, [refused, failed] = place.run(tmp_path, (NAME, {**CONF, "symbls": ["ETHUSDT"]}), (NAME, CONF))
    assert (code, refused.state, failed.state) == (1, "failed", "failed")
    assert_an_unknown_param_ends_the_run_at_its_plan(place, refused)
    assert_an_archive_that_fails_builds_nothing_from_halves(place, failed)


def assert_an_unknown_param_ends_the_run_at_its_plan(place: Place, ran: Ran) -> None:
    tries = [(task, tries) for task, state, tries in ran.tasks() if state == "failed"]
    assert tries == [("plan", 1), ("report", 1)], "what cannot succeed is not tried again"
    assert ran.states["announce"] == "skipped"
    assert f"{NAME}: nothing was planned: there is no Param 'symbls'\nNearest: symbols. " in ran.log
    (page,) = Path(place.lake.settings.lake).glob("quality/*/*/report.html")
    assert "Failed steps</h3>\n<ul><li>pull: " in page.read_text(encoding="utf-8"), "the report of the other run"


def assert_an_archive_that_fails_builds_nothing_from_halves(place: Place, ran: Ran) -> None:
    assert any(path.endswith(".zip") for path in place.lake.bucket.requests)
    assert ran.states["pull"] == "failed"
    assert ran.states.get("transform.conform") != "success"
    assert place.published() == {}


def test_the_dags_of_the_whole_lake_fill_gaps_and_make_masters(place: Place, tmp_path: Path) -> None:
    place.lake.publish(NAME, "2025-01-02", dropped(5, 8))
    place.lake.run(NAME, "2025-01-01", "2025-01-02")
    code, [gaps, instruments] = place.run(tmp_path, ("fill_gaps", {}), ("instruments", {}))
    assert code == 1
    assert_the_daily_dag_of_gaps_triggered_the_dataset_that_has_one(place, gaps)
    assert_the_weekly_dag_of_instruments_made_a_master_of_each_market(place, instruments)


def assert_the_daily_dag_of_gaps_triggered_the_dataset_that_has_one(place: Place, ran: Ran) -> None:
    assert (ran.state, ran.states) == ("success", {"find": "success", "fill": "success"})
    ((dag_id, conf),) = place.rows("SELECT dag_id, conf FROM dag_run WHERE run_type = 'operator_triggered'")
    asked = json.loads(conf)
    assert dag_id == NAME
    assert (asked["symbols"], asked["intervals"], asked["start_date"]) == (["BTCUSDT"], ["1h"], "2025-01-02")
    assert asked["fill"] is True


def assert_the_weekly_dag_of_instruments_made_a_master_of_each_market(place: Place, ran: Ran) -> None:
    # The fake bucket has daily klines of one interval of one market: the other markets have no symbol to list.
    assert ran.tasks() == [*[("update", "failed", 1)] * 3, ("update", "success", 1)]
    versions = Path(place.lake.settings.lake).glob("instruments/binance_spot/versions/*")
    assert len(list(versions)) == 1
    (result,) = Path(place.lake.settings.lake).glob("runs/binance_spot/*/instruments.instruments.result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["outcome"]["figures"]["symbols"] == 1
