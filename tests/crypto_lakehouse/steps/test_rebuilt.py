"""Where the archive replaced an object, conform compares the new rows with the published ones."""

from pathlib import Path

from crypto_lakehouse.runs.outcomes import ConformOutcome
from crypto_lakehouse.vocabulary import Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, planned
from tests.small_lake import SmallLake, dropped

ALL = (Step.PULL, Step.CONFORM, Step.GATE, Step.PUBLISH)


def test_a_first_version_has_nothing_to_be_compared_with(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    outcome: ConformOutcome = planned(small).run(*ALL[:2]).completed()
    assert outcome.republished == ()


def test_rows_that_a_replaced_object_no_longer_has_are_counted_by_day(small: SmallLake) -> None:
    small.publish(UM, FIRST, dropped(5, 8))
    planned(small).run(*ALL)
    small.publish(UM, FIRST)
    outcome: ConformOutcome = planned(small).run(*ALL[:2]).completed()
    (day,) = outcome.republished
    assert (day.day.isoformat(), day.equal, outcome.figures.days_republished) == (FIRST, 21, 1)
    assert day.only_kept == 3


def test_a_published_file_that_is_gone_does_not_prevent_the_rebuild(small: SmallLake) -> None:
    small.publish(UM, FIRST, dropped(5, 8))
    planned(small).run(*ALL)
    (file,) = Path(small.settings.lake).glob("silver/**/version=*/*.parquet")
    file.unlink()
    small.publish(UM, FIRST)
    outcome: ConformOutcome = planned(small).run(*ALL[:2]).completed()
    assert (outcome.figures.candidates, outcome.republished) == (1, ())
