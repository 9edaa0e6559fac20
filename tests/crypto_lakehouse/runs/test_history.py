"""A run is read from its files: newest first, with its figures, and with what did not finish."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.runs.history import RunStatus, read_run
from crypto_lakehouse.runs.listing import list_runs
from crypto_lakehouse.runs.orders import PlanRequest, first_order_key, write_order
from crypto_lakehouse.runs.results import result_key
from crypto_lakehouse.vocabulary import Step
from tests.small_lake import SmallLake, put_in_all, small_lake

UM = "binance_um_klines"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty lake, and an archive."""
    with small_lake(tmp_path) as lake:
        yield lake


def test_the_record_of_a_run_agrees_with_its_summary(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    summary = small.run(UM, "2024-01-08", "2024-01-08")
    record = read_run(small.storage, summary.order_key)
    assert (record.request, record.failures) == (summary.request, ())
    assert (record.status, record.figures) == (summary.status, summary.figures) == (RunStatus.SUCCEEDED, record.figures)
    assert record.figures.publish.rows_published == 24
    assert 0 < record.seconds <= summary.seconds
    assert summary.report == f"{small.storage.uri}/{record.report_key}"
    assert small.storage.exists(record.report_key)


def test_a_run_that_the_gate_refused_something_of_is_quarantined_and_one_without_work_is_idle(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08", put_in_all(2, "0.01"))
    small.run(UM, "2024-01-08", "2024-01-08")
    small.run(UM, "2024-01-08", "2024-01-08")
    idle, quarantined = list_runs(small.storage, UM, 10)
    assert (idle.status, quarantined.status) == (RunStatus.NOTHING_TO_DO, RunStatus.QUARANTINED)
    assert quarantined.figures.quarantined == 2, "an object, and the partition that is empty without it"


@pytest.mark.parametrize("step", [Step.PULL, Step.CONFORM, Step.GATE, Step.PUBLISH])
def test_a_step_without_a_result_did_not_finish(small: SmallLake, step: Step) -> None:
    small.publish(UM, "2024-01-08")
    summary = small.run(UM, "2024-01-08", "2024-01-08")
    stem = "pull" if step is Step.PULL else "transform"
    order_key = summary.order_key.replace("plan.json", f"{stem}-000.json")
    assert small.storage.exists(result_key(order_key, step)), "what is removed was there"
    small.storage.delete(result_key(order_key, step))
    record = read_run(small.storage, summary.order_key)
    (failure,) = record.failures
    assert (record.status, failure.step, failure.order_key) == (RunStatus.FAILED, step, order_key)
    assert "did not finish" in failure.reason


def test_a_result_that_cannot_be_read_is_a_failure_too(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    summary = small.run(UM, "2024-01-08", "2024-01-08")
    small.storage.write(result_key(summary.order_key, Step.PLAN), b'{"step": "plan", "counts": {}}')
    (failure,) = read_run(small.storage, summary.order_key).failures
    assert (failure.step, "is damaged" in failure.reason) == (Step.PLAN, True)


def test_runs_are_listed_newest_first_and_no_more_than_wanted(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    keys = [small.run(UM, "2024-01-08", "2024-01-08").order_key for _ in range(3)]
    # Made older than it is: a clock of the store has no say.
    os.utime(Path(small.settings.lake) / keys[2], (1, 1))
    assert [record.plan_key for record in list_runs(small.storage, UM, 10)] == [keys[2], keys[1], keys[0]]
    assert len(list_runs(small.storage, UM, 2)) == 2
    assert list_runs(small.storage, "binance_cm_klines", 10) == []


def test_a_run_that_was_ordered_and_not_started_is_listed_first_and_a_damaged_one_not_at_all(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    keys = [small.run(UM, "2024-01-08", "2024-01-08").order_key for _ in range(2)]
    waiting = first_order_key(Step.PLAN, UM, "waiting")
    write_order(small.storage, waiting, PlanRequest(UM, "waiting", "2024-01-08", "2024-01-08"))
    small.storage.write(keys[1], small.storage.read(keys[1])[:-1])
    assert [record.plan_key for record in list_runs(small.storage, UM, 2)] == [waiting, keys[0]]


def test_a_run_that_was_not_ordered_is_no_run(small: SmallLake) -> None:
    with pytest.raises(ArchiveFileMissing):
        read_run(small.storage, first_order_key(Step.PLAN, UM, "never"))


def test_steps_that_were_not_started_after_a_failure_are_no_failures_of_their_own(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    summary = small.run(UM, "2024-01-08", "2024-01-08")
    for stem, step in (("pull", Step.PULL), ("transform", Step.CONFORM), ("transform", Step.GATE)):
        small.storage.delete(result_key(summary.order_key.replace("plan.json", f"{stem}-000.json"), step))
    assert [failure.step for failure in read_run(small.storage, summary.order_key).failures] == [Step.PULL]
