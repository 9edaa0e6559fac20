"""The report step sums up a run, whatever of it failed or was refused."""

import pytest

from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.runs.history import read_run
from crypto_lakehouse.runs.outcomes import ReportOutcome
from crypto_lakehouse.runs.results import result_key
from crypto_lakehouse.steps.report import dataset_section, run_coverage
from crypto_lakehouse.vocabulary import Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, planned
from tests.small_lake import SmallLake, put_in_all

ALL = (Step.PULL, Step.CONFORM, Step.GATE, Step.PUBLISH)


def test_the_figures_of_all_steps_and_a_page(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    outcome: ReportOutcome = batch.run(*ALL, Step.REPORT).completed()
    assert (outcome.figures.pull.objects, outcome.figures.publish.rows_published) == (1, 24)
    assert outcome.report.startswith(small.storage.uri)
    page = small.storage.read(read_run(small.storage, batch.plan_key).report_key).decode()
    assert f"{UM}, {FIRST} to {FIRST}" in page


def test_a_report_names_the_steps_that_did_not_finish(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(*ALL)
    small.storage.delete(result_key(batch.key(Step.PUBLISH), Step.PUBLISH))
    outcome: ReportOutcome = batch.run(Step.REPORT).completed()
    (failed,) = outcome.failed
    assert (failed.step, failed.error) == (Step.PUBLISH, "")
    assert "did not finish" in str(failed)
    assert small.storage.exists(read_run(small.storage, batch.plan_key).report_key)


def test_a_report_names_what_was_refused_and_why(small: SmallLake) -> None:
    key = small.publish(UM, FIRST, put_in_all(2, "0.01"))
    batch = planned(small)
    batch.run(*ALL)
    outcome: ReportOutcome = batch.run(Step.REPORT).completed()
    assert [line.partition(": ")[0] for line in outcome.refused_partitions] == [batch_partition()]
    assert [line.partition(": ")[0] for line in outcome.refused_objects] == [key.key]
    assert all(line.partition(": ")[2] for line in (*outcome.refused_partitions, *outcome.refused_objects))
    assert outcome.failed == ()


def batch_partition() -> str:
    return f"kline_interval=1h/symbol_key=BTCUSDT/period={FIRST[:7]}"


def test_without_the_result_of_the_plan_there_is_no_report(small: SmallLake) -> None:
    batch = planned(small)
    small.storage.delete(result_key(batch.plan_key, Step.PLAN))
    with pytest.raises(ArchiveFileMissing):
        batch.run(Step.REPORT)
    assert not small.storage.exists(read_run(small.storage, batch.plan_key).report_key)


def test_the_section_names_partitions_and_refused_objects(small: SmallLake) -> None:
    key = small.publish(UM, FIRST, put_in_all(2, "what"))
    batch = planned(small)
    batch.run(*ALL)
    section = dataset_section(read_run(small.storage, batch.plan_key))
    (refused,) = section.refused
    assert refused.startswith(f"{key.key}: ")
    assert [line.condition for line in section.partitions] == ["quarantined"]
    assert (section.objects, section.failed) == (1, ())


def test_the_coverage_of_a_run_is_that_of_its_published_partitions(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(*ALL)
    days = run_coverage(small.storage, read_run(small.storage, batch.plan_key).results).days
    assert days.filter(days["rows"] > 0).height == 1
