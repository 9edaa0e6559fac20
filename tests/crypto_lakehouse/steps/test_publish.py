"""The publish step shows readers what passed, and nothing else."""

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.runs.figures import PublishFigures
from crypto_lakehouse.vocabulary import Condition, Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, Batch, planned
from tests.small_lake import SmallLake, dropped, put_in_all

BEFORE = (Step.PULL, Step.CONFORM, Step.GATE)


def published_rows(batch: Batch) -> list[int]:
    return [record.rows for record in open_catalog(batch.lake.settings).partitions(dataset(UM))]


def test_what_passed_is_published_and_a_repeat_changes_nothing(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(*BEFORE)
    assert published_rows(batch) == []
    for _ in range(2):
        figures = batch.run(Step.PUBLISH).completed().figures
        assert figures == PublishFigures(partitions_published=1, rows_published=24)
        assert published_rows(batch) == [24]


def test_readers_keep_the_former_version_of_what_is_quarantined(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    planned(small).run(*BEFORE, Step.PUBLISH)
    small.publish(UM, FIRST, put_in_all(2, "0.01"))
    batch = planned(small)
    figures = batch.run(*BEFORE, Step.PUBLISH).completed().figures
    assert figures == PublishFigures(partitions_quarantined=1)
    assert published_rows(batch) == [24]
    (logged,) = VerdictLog(small.storage).latest(dataset(UM)).values()
    assert logged.verdict.condition is Condition.QUARANTINED


def test_an_overtaken_run_does_not_put_its_older_version_over_the_newer(small: SmallLake) -> None:
    small.publish(UM, FIRST, dropped(5, 8))
    overtaken = planned(small)
    overtaken.run(*BEFORE)
    small.publish(UM, FIRST)
    planned(small).run(*BEFORE, Step.PUBLISH)
    figures = overtaken.run(Step.PUBLISH).completed().figures
    assert figures == PublishFigures(partitions_superseded=1)
    assert published_rows(overtaken) == [24]
