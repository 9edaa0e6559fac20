"""Figures are summed in one place, and no two steps count different things under one name."""

from collections import Counter
from dataclasses import fields

import pytest

from crypto_lakehouse.runs.figures import (
    ConformFigures,
    Figures,
    GateFigures,
    PlanFigures,
    PublishFigures,
    PullFigures,
    RunFigures,
    total,
)
from crypto_lakehouse.verbs import DATASET_RUN, MART_RUN
from crypto_lakehouse.vocabulary import Condition, Step

KINDS = {place.name: type(getattr(RunFigures(), place.name)) for place in fields(RunFigures)}


def test_figures_of_batches_are_summed_by_step() -> None:
    batches = [PullFigures(objects=2, bytes=5), ConformFigures(rows=7), PullFigures(objects=3), PlanFigures()]
    figures = RunFigures.of(batches)
    assert figures.pull == PullFigures(objects=5, bytes=5)
    assert figures.conform == ConformFigures(rows=7)
    assert figures.publish == PublishFigures()
    assert figures.by_step()["pull"]["objects"] == 5


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_sum_of_nothing_is_zeros(kind: type[Figures]) -> None:
    assert total(kind, []) == kind()
    assert set(kind().counts().values()) == {0}


def test_a_run_counts_every_step_but_the_report_which_repeats_them() -> None:
    steps = {step for stage in (*DATASET_RUN, *MART_RUN) for step in stage.steps} - {Step.REPORT}
    assert list(KINDS) == [step.value for step in Step if step in steps]


def test_names_of_figures_are_distinct_but_for_those_that_publish_repeats_of_the_gate() -> None:
    names = Counter(name for step, kind in KINDS.items() if step != "gate" for name in kind().counts())
    assert {name for name, count in names.items() if count > 1} == set()
    # What a build made is published or quarantined under the names of publish.
    assert set(RunFigures().counts()) == {*names, "partitions_degraded"} - set(KINDS["build"]().counts())
    assert set(GateFigures().counts()) & set(names) == {"partitions_quarantined"}


def test_the_gate_counts_every_condition() -> None:
    assert list(GateFigures().counts()) == [f"partitions_{condition}" for condition in Condition]


def test_what_was_kept_from_readers_is_counted_once() -> None:
    figures = RunFigures(
        pull=PullFigures(objects_quarantined=1),
        conform=ConformFigures(objects_refused=2),
        gate=GateFigures(partitions_quarantined=4),
        publish=PublishFigures(partitions_quarantined=4),
    )
    assert figures.quarantined == 7
