"""The publish step shows readers what passed, and nothing else."""

from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.runs.figures import PublishFigures
from crypto_lakehouse.steps import publish as publish_step
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


@pytest.mark.parametrize("fault", ["gone", "flipped", "cut"])
def test_a_candidate_damaged_after_the_gate_fails_alone_and_the_next_run_mends_it(fault: str, small: SmallLake) -> None:
    small.publish(UM, FIRST)
    small.publish(UM, "2024-02-08")
    batch = planned(small, FIRST, "2024-02-08")
    batch.run(*BEFORE)
    (path,) = Path(small.settings.lake).rglob("period=2024-01/**/data.parquet")
    data = path.read_bytes()
    path.unlink()
    if fault != "gone":
        path.write_bytes(data[:-1] if fault == "cut" else data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(CorruptObject, match=r"period=2024-01: silver/.* (is gone|has sha256|has \d+ bytes)"):
        batch.run(Step.PUBLISH)
    (published,) = open_catalog(small.settings).partitions(dataset(UM))
    assert published.partition.endswith("period=2024-02")
    assert set(VerdictLog(small.storage).latest(dataset(UM))) == {published.partition}
    planned(small, FIRST, "2024-02-08").run(Step.CONFORM, Step.GATE, Step.PUBLISH)
    assert published_rows(batch) == [24, 24]


def test_a_partition_that_is_published_during_the_step_is_looked_at_again(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(*BEFORE)
    attempts: list[int] = []
    publish = EmbeddedCatalog.publish

    def racing(
        self: EmbeddedCatalog, records: list[PublishedPartition], seen: dict[str, int] | None = None
    ) -> list[PublishedPartition]:
        if not attempts:
            publish(self, records)
        attempts.append(len(records))
        return publish(self, records, seen)

    monkeypatch.setattr(EmbeddedCatalog, "publish", racing)
    figures = batch.run(Step.PUBLISH).completed().figures
    assert attempts == [1, 1]
    assert figures == PublishFigures(partitions_published=1, rows_published=24)


def test_a_catalog_without_conditions_is_mended_at_once_when_a_newer_verdict_was_logged(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call of a stopped run arrives after a newer run has published: as with Glue, nothing refuses it."""
    small.publish(UM, FIRST, dropped(5, 8))
    stopped = planned(small)
    stopped.run(*BEFORE)
    small.publish(UM, FIRST)
    newer = planned(small)
    newer.run(*BEFORE)
    calls: list[int] = []
    publish = EmbeddedCatalog.publish

    def late(self: EmbeddedCatalog, records: list[PublishedPartition], _seen: object = None) -> list[object]:
        calls.append(records[0].rows)
        if len(calls) == 1:
            newer.run(Step.PUBLISH)
        publish(self, records)
        return []

    monkeypatch.setattr(EmbeddedCatalog, "is_conditional", False)
    monkeypatch.setattr(EmbeddedCatalog, "publish", late)
    monkeypatch.setattr(publish_step, "still_current", lambda _table, verdicts, _inputs: list(verdicts))
    stopped.run(Step.PUBLISH)
    assert calls == [21, 24, 24], "the late call, the newer run's, and the one that restores it"
    assert published_rows(stopped) == [24]


def test_an_overtaken_run_does_not_put_its_older_version_over_the_newer(small: SmallLake) -> None:
    small.publish(UM, FIRST, dropped(5, 8))
    overtaken = planned(small)
    overtaken.run(*BEFORE)
    small.publish(UM, FIRST)
    planned(small).run(*BEFORE, Step.PUBLISH)
    figures = overtaken.run(Step.PUBLISH).completed().figures
    assert figures == PublishFigures(partitions_superseded=1)
    assert published_rows(overtaken) == [24]
