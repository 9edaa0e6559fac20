"""The gate step gives each partition of a batch a verdict, and keeps the evidence."""

import pytest

from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject
from crypto_lakehouse.runs.results import ConformOutcome, GateOutcome, read_outcome
from crypto_lakehouse.steps.gate import evidence_folder
from crypto_lakehouse.vocabulary import Condition, Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, planned
from tests.small_lake import Change, SmallLake, dropped, put_in_all


def test_a_sound_candidate_is_available_and_has_its_evidence(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    outcome: GateOutcome = batch.run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    assert [verdict.condition for verdict in outcome.verdicts] == [Condition.AVAILABLE]
    assert outcome.coverage == evidence_folder(batch.key(Step.GATE))
    assert outcome.coverage.startswith(f"quality/{UM}/")
    assert small.storage.exists(outcome.docs)


@pytest.mark.parametrize(
    ("change", "condition"),
    [(dropped(5, 8), Condition.DEGRADED), (put_in_all(2, "0.01"), Condition.QUARANTINED)],
)
def test_figures_and_verdicts_agree(small: SmallLake, change: Change, condition: Condition) -> None:
    small.publish(UM, FIRST, change)
    outcome: GateOutcome = planned(small).run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    (verdict,) = outcome.verdicts
    assert verdict.condition is condition
    assert verdict.reasons
    assert outcome.figures.counts()[f"partitions_{condition}"] == sum(outcome.figures.counts().values()) == 1


def test_a_partition_of_refused_objects_is_quarantined_without_a_file(small: SmallLake) -> None:
    small.publish(UM, FIRST, put_in_all(2, "what"))
    outcome: GateOutcome = planned(small).run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    (verdict,) = outcome.verdicts
    assert (verdict.condition, verdict.candidate.file) == (Condition.QUARANTINED, "")
    assert (outcome.docs, outcome.coverage) == ("", "")


def test_there_is_no_gate_before_conform(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    with pytest.raises(ArchiveFileMissing, match="conform"):
        batch.run(Step.GATE)


def test_a_candidate_whose_bytes_changed_is_not_judged(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    batch.run(Step.PULL, Step.CONFORM)
    (candidate,) = read_outcome(small.storage, batch.key(Step.CONFORM), ConformOutcome).candidates
    small.storage.write(candidate.file, small.storage.read(candidate.file) + b"x")
    with pytest.raises(CorruptObject):
        batch.run(Step.GATE)
