"""The backfill of `test_backfill` with an object for each of its days and months, then all of it again."""

from pathlib import Path

import pytest

from tests.dags.backfills import (
    DAYS,
    MONTHS,
    Published,
    assert_a_second_backfill_makes_no_run,
    assert_each_span_was_planned_once,
    assert_published,
    backfilling,
    create_backfills,
    partitions,
)
from tests.dags.scheduled_airflow import EVERYTHING

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

PUBLISHED = Published(DAYS, MONTHS)


def test_a_full_backfill_publishes_every_day_and_month_and_running_it_again_finds_nothing_to_do(
    tmp_path: Path, airflow_home: Path
) -> None:
    with backfilling(airflow_home, tmp_path, PUBLISHED, {}) as airflow:
        create_backfills(airflow)
        with airflow.scheduling(EVERYTHING):
            airflow.wait_for_backfills()
        assert_each_span_was_planned_once(airflow)
        assert_published(airflow, PUBLISHED)
        assert_a_second_backfill_makes_no_run(airflow)
        # Only a scheduler marks them as complete, and a DAG has one backfill at a time.
        with airflow.scheduling(EVERYTHING):
            airflow.wait_for_backfills()

        before = partitions(airflow)
        create_backfills(airflow, reprocess="completed")
        with airflow.scheduling(EVERYTHING):
            airflow.wait_for_backfills()
        assert_each_span_was_planned_once(airflow)
        assert partitions(airflow) == before
        states = "SELECT task_id, state, count(*) FROM task_instance WHERE task_id != 'plan' GROUP BY task_id, state"
        assert {state for _, state, _ in airflow.rows(states)} <= {"skipped", "removed"}, airflow.rows(states)
