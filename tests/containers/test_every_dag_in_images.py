"""Every DAG of `dags/` runs once in the images, against an archive and an exchange on loopback.

One dataset of each data type has data for a day, in the archive or at the exchange, and must publish it. All other
datasets find nothing to do. Two halves run at once, each in its own Airflow.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.query import Lake
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, Frequency
from tests.containers.airflow_container import DagRuns, run_dags
from tests.containers.engine import REPOSITORY, Engine
from tests.fakes.exchange import LocalExchange
from tests.small_lake import SmallLake, dropped, small_lake

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800), pytest.mark.filterwarnings("ignore")]

DAY = date(2025, 1, 1)
EXCHANGE_TIME = datetime(2025, 1, 4, 4, 0, tzinfo=UTC)
# The maintenance is the last one: then there is something to read, to mend and to bring again.
OTHER_DAGS = ("fill_gaps", "instruments", "maintenance")
DAMAGED = "binance_um_klines"
WITH_A_GAP = "binance_spot_klines"


def with_data() -> list[Dataset]:
    """Returns the datasets that have data for a day.

    These are the first dataset of each data type in the archive, klines of every market (the instrument master of a
    market needs symbols), and all datasets that only an exchange has.
    """
    first_of_type = {dataset.data_type: dataset for dataset in reversed(DATASETS) if dataset.frequencies}
    chosen = [*first_of_type.values(), *(dataset for dataset in DATASETS if dataset.data_type is DataType.KLINES)]
    return [dataset for dataset in DATASETS if dataset in chosen or not dataset.frequencies]


@dataclass(frozen=True)
class Place:
    """The lake with its archive, and the exchange."""

    lake: SmallLake
    exchange: LocalExchange


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("every-dag")
    folder.chmod(0o755)
    with small_lake(folder) as lake, LocalExchange(clock=EXCHANGE_TIME.timestamp) as exchange:
        for dataset in with_data():
            if dataset.frequencies:
                is_monthly = Frequency.DAILY not in dataset.frequencies
                change = dropped(3, 5) if dataset.name == WITH_A_GAP else dropped(0, 0)
                lake.publish(dataset.name, str(DAY), change, monthly=is_monthly)
        Path(lake.settings.lake).mkdir()
        yield Place(lake, exchange)


@pytest.fixture(scope="module")
def runs_of_every_dag(images: Engine, place: Place, tmp_path_factory: pytest.TempPathFactory) -> list[DagRuns]:
    """Returns the outcomes after every DAG has run once."""
    folder = tmp_path_factory.mktemp("runs")
    folder.chmod(0o755)
    variables = exchange_variables(place.exchange)

    def run(name: str, runs: list[dict[str, Any]]) -> DagRuns:
        return run_dags(images, place.lake, runs, folder / name, variables)

    runs = [dataset_run(dataset) for dataset in sorted(DATASETS, key=lambda dataset: dataset not in with_data())]
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(run, ("first", "second"), (runs[::2], runs[1::2])))
    lose_object(place.lake)
    last = run("last", [{"dag_id": name, "conf": {}} for name in OTHER_DAGS])
    return [*halves, last]


def lose_object(lake: SmallLake) -> None:
    """Removes an object from Bronze, so that the maintenance has to note it and to trigger a run that brings it."""
    (stored,) = Path(lake.settings.lake).glob(f"bronze/{DAMAGED}/objects/**/*.zip")
    stored.unlink()


@pytest.fixture(scope="module")
def outcomes(runs_of_every_dag: list[DagRuns]) -> Mapping[str, str]:
    """Returns the final state of each run by its DAG."""
    states: dict[str, str] = {}
    for outcome in runs_of_every_dag:
        assert outcome.code == 0, f"{outcome.states}\n{outcome.log[-60000:]}"
        print(f"{sum(outcome.seconds.values()):.0f} s: {outcome.seconds}")
        states |= outcome.states
    return states


@pytest.fixture(scope="module")
def logs(runs_of_every_dag: list[DagRuns]) -> str:
    """Returns the lines of all runs."""
    return "".join(outcome.log for outcome in runs_of_every_dag)


def exchange_variables(exchange: LocalExchange) -> dict[str, str]:
    mounts = ("spot", "um", "cm", "coinbase", "kraken")
    return {f"CRYPTO_LAKEHOUSE_EXCHANGE__{mount.upper()}_URL": f"{exchange.url}/{mount}" for mount in mounts}


def dataset_run(dataset: Dataset) -> dict[str, Any]:
    """Returns a run of a dataset's DAG for the day; only datasets without an archive ask their exchange."""
    last_day = date(2025, 1, 31) if Frequency.DAILY not in dataset.frequencies and dataset.frequencies else DAY
    conf = {
        "symbols": [dataset.sample_symbol],
        "start_date": str(DAY),
        "end_date": str(last_day),
        "delta": not dataset.frequencies,
    }
    return {"dag_id": dataset.name, "conf": {**conf, "intervals": ["1h"]} if dataset.has_interval else conf}


def test_every_dag_that_there_is_ran_and_succeeded(outcomes: Mapping[str, str]) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(REPOSITORY / "dags")
    assert bag.import_errors == {}
    assert sorted(outcomes) == sorted(bag.dags)
    assert set(outcomes.values()) == {"success"}


@pytest.mark.parametrize("dataset", with_data(), ids=lambda dataset: dataset.name)
def test_a_dataset_of_each_data_type_was_published(dataset: Dataset, place: Place, outcomes: Mapping[str, str]) -> None:
    assert outcomes[dataset.name] == "success"
    (day,) = Lake(place.lake.settings).coverage(dataset.name, days=(DAY, DAY)).to_dicts()
    assert day["rows"] > 0


def test_the_instrument_master_knows_what_archive_and_exchange_list(place: Place, outcomes: Mapping[str, str]) -> None:
    assert outcomes["instruments"] == "success"
    outcome_of = {result["subject"]: result["outcome"] for result in results(place, "instruments")}
    assert set(outcome_of) == {"binance_spot", "binance_um", "binance_cm", "binance_option"}
    assert all(outcome["figures"]["added"] > 0 for outcome in outcome_of.values())
    assert outcome_of["binance_um"]["figures"]["exchange_info_rows"] > 0
    assert any(request.path.endswith("exchangeInfo") for request in place.exchange.requests)


def test_a_gap_was_found_and_every_fill_was_triggered(place: Place, outcomes: Mapping[str, str], logs: str) -> None:
    assert outcomes["fill_gaps"] == "success"
    (result,) = results(place, "gaps")
    fills = {fill["dataset"]: fill for fill in result["outcome"]["fills"]}
    assert fills[WITH_A_GAP]["first_day"] == str(DAY), "the day with the hole"
    assert fills["binance_spot_trades"]["first_day"] > str(DAY), "the control: that day is complete"
    assert logs.count("end task task_id=fill ") == len(fills)


def test_the_lake_was_read_and_a_lost_object_was_noted_and_brought_again(
    place: Place, outcomes: Mapping[str, str], logs: str
) -> None:
    assert outcomes["maintenance"] == "success"
    (scrubbed,), (repaired,), (collected,) = (results(place, step) for step in ("scrub", "repair", "collect"))
    assert scrubbed["outcome"]["figures"]["files_read"] > 0
    assert [fault["table"] for fault in repaired["outcome"]["left"]] == [DAMAGED]
    assert [run["dataset"] for run in repaired["outcome"]["runs"]] == [DAMAGED]
    assert logs.count("end task task_id=heal ") == 1
    assert not any(collected["outcome"]["figures"].values()), "nothing is older than the grace"


def results(place: Place, step: str) -> list[dict[str, Any]]:
    """Returns the results of a step in all runs."""
    files = Path(place.lake.settings.lake, "runs").rglob(f"*.{step}.result.json")
    return [json.loads(file.read_text()) for file in sorted(files)]
