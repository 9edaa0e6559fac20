"""Airflow's own backfill, with its own scheduler: thirty days and twenty-four months, then nothing more to do.

Every day and every month has its run, and each run plans what is its own. Most of them find nothing in the archive and
end after their plan: that all steps run where there is something is seen on two days and on a month.
`test_full_backfill` does the same with objects for all of them.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.dags.backfills import (
    DAILY,
    MONTHLY,
    RUNS,
    Published,
    assert_a_second_backfill_makes_no_run,
    assert_each_span_was_planned_once,
    assert_published,
    backfilling,
    create_backfills,
)
from tests.dags.scheduled_airflow import ScheduledAirflow

pytestmark = pytest.mark.long

# Two runs, which may be under way at once, share a partition.
PUBLISHED = Published(days=(date(2024, 12, 30), date(2024, 12, 31)), months=(date(2024, 1, 1),))


@pytest.fixture
def airflow(tmp_path: Path, airflow_home: Path) -> Iterator[ScheduledAirflow]:
    with backfilling(airflow_home, tmp_path, PUBLISHED, {}) as airflow:
        yield airflow


def test_backfills_cover_every_day_and_month_once_and_a_second_one_changes_nothing(airflow: ScheduledAirflow) -> None:
    create_backfills(airflow)
    with airflow.scheduling():
        airflow.wait_for_backfills()
    assert_each_span_was_planned_once(airflow)
    assert_published(airflow, PUBLISHED)
    started = dict(airflow.rows("SELECT task_id, count(*) FROM task_instance WHERE state = 'success' GROUP BY task_id"))
    assert started["plan"] == RUNS[DAILY] + RUNS[MONTHLY]
    assert set(started.values()) == {started["plan"], PUBLISHED.runs}, "an idle run starts no process but its plan's"
    notes = [note for (note,) in airflow.rows("SELECT content FROM dag_run_note")]
    assert len(notes) == PUBLISHED.runs
    assert all(" rows published\nReport: " in note for note in notes)
    assert_a_second_backfill_makes_no_run(airflow)
