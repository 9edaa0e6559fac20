"""The pull step counts what came, what has no checksum, and what was quarantined."""

from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.runs.outcomes import PullOutcome
from crypto_lakehouse.vocabulary import Step
from tests.crypto_lakehouse.steps.batches import FIRST, SECOND, UM, planned
from tests.small_lake import SmallLake


def test_objects_come_into_bronze_and_are_counted(small: SmallLake) -> None:
    keys = [small.publish(UM, day) for day in (FIRST, SECOND)]
    outcome: PullOutcome = planned(small, FIRST, SECOND).run(Step.PULL).completed()
    figures = outcome.figures
    assert (figures.objects, figures.unverified, figures.objects_quarantined) == (2, 0, 0)
    assert figures.bytes == sum(len(small.bucket.objects[key.key]) for key in keys)
    assert BronzeLog(small.storage).latest(UM).height == 2


def test_an_object_without_a_checksum_is_taken_and_counted(small: SmallLake) -> None:
    key = small.publish(UM, FIRST)
    del small.bucket.objects[key.checksum_key]
    figures = planned(small).run(Step.PULL).completed().figures
    assert (figures.objects, figures.unverified) == (1, 1)


def test_an_object_with_another_checksum_is_quarantined_and_does_not_stop_the_others(small: SmallLake) -> None:
    bad, _ = small.publish(UM, FIRST), small.publish(UM, SECOND)
    small.bucket.objects[bad.checksum_key] = b"0" * 64 + f"  {bad.stem}.zip".encode()
    figures = planned(small, FIRST, SECOND).run(Step.PULL).completed().figures
    assert (figures.objects, figures.objects_quarantined) == (1, 1)
    assert list(BronzeLog(small.storage).quarantined(UM)) == [bad.key]
