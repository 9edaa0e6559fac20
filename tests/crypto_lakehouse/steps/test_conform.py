"""The conform step builds what differs from what is published, and says of the rest why it is not there."""

from crypto_lakehouse.runs.outcomes import ConformOutcome
from crypto_lakehouse.runs.results import Status
from crypto_lakehouse.vocabulary import Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, planned
from tests.small_lake import SmallLake, put_in_all


def test_a_stale_partition_becomes_a_candidate_that_no_reader_sees(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    outcome: ConformOutcome = planned(small).run(Step.PULL, Step.CONFORM).completed()
    (candidate,) = outcome.candidates
    assert (outcome.figures.candidates, outcome.figures.rows, candidate.rows) == (1, 24, 24)
    assert small.storage.exists(candidate.file)
    assert (outcome.refused, outcome.without_rows, outcome.republished) == ((), (), ())


def test_a_partition_that_was_published_meanwhile_is_left_alone(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(Step.PULL, Step.CONFORM, Step.GATE, Step.PUBLISH)
    result = batch.run(Step.CONFORM)
    assert (result.status, result.completed().figures.unchanged) == (Status.NOTHING_TO_DO, 1)


def test_an_object_that_cannot_be_read_is_named_with_its_reason(small: SmallLake) -> None:
    key = small.publish(UM, FIRST, put_in_all(2, "what"))
    outcome: ConformOutcome = planned(small).run(Step.PULL, Step.CONFORM).completed()
    (refused,) = outcome.refused
    (partition,) = outcome.without_rows
    assert (refused.key, outcome.figures.objects_refused, outcome.candidates) == (key.key, 1, ())
    assert key.key in partition.reasons[0]
    assert refused.reason in partition.reasons[0]
