"""Thirty days and twenty-four months, backfilled by Airflow's own scheduler, and what must hold afterwards."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.airflow_home import run_commands
from crypto_lakehouse.demo.serving import serve_bucket
from crypto_lakehouse.demo.synthetic import SyntheticRequest, build_archive
from tests.dags.scheduled_airflow import ScheduledAirflow, scheduled_airflow

DAYS = tuple(date(2024, 12, 10) + timedelta(days=number) for number in range(30))
MONTHS = tuple(date(2023 + number // 12, number % 12 + 1, 1) for number in range(24))
DAILY, MONTHLY = "binance_um_metrics", "binance_um_funding_rate"
SPANS = {
    DAILY: ("2024-12-10T09:00:00+00:00", "2025-01-08T09:00:00+00:00"),
    MONTHLY: ("2023-01-02T09:00:00+00:00", "2024-12-02T09:00:00+00:00"),
}
RUNS = {DAILY: len(DAYS), MONTHLY: len(MONTHS)}
ROWS_A_DAY = {DAILY: 288, MONTHLY: 3}


@dataclass(frozen=True)
class Published:
    """The days and months of which the archive has objects."""

    days: tuple[date, ...]
    months: tuple[date, ...]

    @property
    def rows(self) -> dict[str, int]:
        """How many rows are right, by dataset."""
        days_of_months = sum((_next_month(month) - month).days for month in self.months)
        return {DAILY: len(self.days) * ROWS_A_DAY[DAILY], MONTHLY: days_of_months * ROWS_A_DAY[MONTHLY]}

    @property
    def runs(self) -> int:
        """How many runs have something to do."""
        return len(self.days) + len(self.months)


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


@contextmanager
def backfilling(home: Path, folder: Path, published: Published, extra: Mapping[str, str]) -> Iterator[ScheduledAirflow]:
    """Yields an Airflow whose archive has these objects; nothing of it runs yet.

    Args:
        home: A prepared home of Airflow.
        folder: Where the archive and the lake come to be.
        published: What the archive has.
        extra: Further variables.
    """
    requests = [
        SyntheticRequest(dataset(DAILY), ("BTCUSDT",), published.days),
        SyntheticRequest(dataset(MONTHLY), ("BTCUSDT",), months=published.months),
    ]
    build_archive(folder / "archive", requests)
    with serve_bucket(folder / "archive") as endpoint:
        airflow = scheduled_airflow(
            home,
            folder / "lake",
            {
                "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": endpoint,
                "CRYPTO_LAKEHOUSE_MARKETS": json.dumps({"um": {"symbols": ["BTCUSDT"]}}),
                **extra,
            },
        )
        yield airflow


def create_backfills(airflow: ScheduledAirflow, reprocess: str = "none") -> None:
    """Creates one backfill for each DAG, as a person does."""
    run_commands(
        airflow.environment,
        *(["dags", "unpause", dag_id, "--yes"] for dag_id in SPANS),
        *(
            [
                *("backfill", "create", "--dag-id", dag_id, "--from-date", start, "--to-date", end),
                # As many tasks run at once. In each of its rounds, the scheduler would look at more runs in vain.
                *("--max-active-runs", "4", "--reprocess-behavior", reprocess),
            ]
            for dag_id, (start, end) in SPANS.items()
        ),
    )


def planned_spans(airflow: ScheduledAirflow, dataset_name: str) -> list[tuple[str, str]]:
    """Returns the first and the last day of what each run of a backfill planned."""
    orders = (airflow.lake / "runs" / dataset_name).glob("backfill__*/plan.json")
    requests = [json.loads(path.read_text(encoding="utf-8")) for path in orders]
    return sorted((request["first_day"], request["last_day"]) for request in requests)


def partitions(airflow: ScheduledAirflow) -> dict[str, dict[str, tuple[str, int]]]:
    """Returns the published files and their rows, by partition, by dataset."""
    catalog = airflow.catalog()
    return {
        name: {version.partition: (version.file, version.rows) for version in catalog.partitions(dataset(name))}
        for name in SPANS
    }


def assert_each_span_was_planned_once(airflow: ScheduledAirflow) -> None:
    """Holds the runs and what they planned to the days and months that were asked for."""
    assert {dag_id: airflow.run_states(dag_id) for dag_id in RUNS} == {
        dag_id: {"success": runs} for dag_id, runs in RUNS.items()
    }
    assert planned_spans(airflow, DAILY) == [(day.isoformat(), day.isoformat()) for day in DAYS]
    assert planned_spans(airflow, MONTHLY) == [
        (month.isoformat(), (_next_month(month) - timedelta(days=1)).isoformat()) for month in MONTHS
    ]


def assert_published(airflow: ScheduledAirflow, published: Published) -> None:
    """Holds what readers see to what the archive has."""
    rows = {name: sum(rows for _, rows in files.values()) for name, files in partitions(airflow).items()}
    assert rows == published.rows
    assert airflow.rows("SELECT max(length(value)) FROM xcom")[0][0] < 4096
    assert {dag_id for (dag_id,) in airflow.rows("SELECT DISTINCT source_dag_id FROM asset_event")} == set(SPANS)


def assert_a_second_backfill_makes_no_run(airflow: ScheduledAirflow) -> None:
    """Creates the backfills again, and sees that no run came of them."""
    runs, before = airflow.rows("SELECT id, run_id, start_date FROM dag_run"), partitions(airflow)
    create_backfills(airflow)
    assert airflow.rows("SELECT count(*) FROM backfill") == [(2 * len(SPANS),)], "the control: they were accepted"
    assert airflow.rows("SELECT id, run_id, start_date FROM dag_run") == runs
    assert partitions(airflow) == before
