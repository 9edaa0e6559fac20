"""The rules of every dataset."""

from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.quality.profile import profile
from crypto_lakehouse.quality.suites import Rule, rules, suite
from crypto_lakehouse.spec import Dataset
from tests.crypto_lakehouse.quality.conformed import made


@pytest.mark.parametrize(
    "dataset", [dataset for dataset in DATASETS if dataset.frequencies], ids=lambda dataset: dataset.name
)
def test_every_rule_of_every_dataset_judges_a_fact_that_is_computed(dataset: Dataset, tmp_path: Path) -> None:
    conformed = made(dataset, tmp_path)
    assert conformed.file is not None
    facts = profile(conformed.file, conformed.partition, conformed.manifest).with_counts({"known_faults_gone": 0}).facts
    assert facts["rows"] == conformed.rows > 0
    for rule in rules(dataset):
        assert rule.fact in facts
        assert rule.reason(facts).removeprefix("note: ").startswith(f"{rule.fact}: ")
        assert "{" not in rule.reason(facts)
        value = int(facts[rule.fact])
        assert rule.minimum is None or value >= rule.minimum
        assert rule.maximum is None or value <= rule.maximum
    judged = [expectation.column for expectation in suite(dataset).expectations]
    assert judged[0] == "rows"
    assert judged == [rule.fact for rule in rules(dataset)]


@pytest.mark.slow
@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize(
    "dataset", [dataset for dataset in DATASETS if dataset.frequencies], ids=lambda dataset: dataset.name
)
def test_plausible_rows_of_a_year_give_no_false_alarm(dataset: Dataset, month: int, tmp_path: Path) -> None:
    """A day of each month of 2026, in which spot has microseconds, metrics mean starts, and books have 12 bands."""
    conformed = made(dataset, tmp_path, date(2026, month, 3 + 2 * month))
    assert conformed.file is not None
    assert conformed.manifest.refused_rows == ()
    facts = profile(conformed.file, conformed.partition, conformed.manifest).with_counts({"known_faults_gone": 0}).facts
    for rule in rules(dataset):
        assert rule.maximum is None or int(facts[rule.fact]) <= rule.maximum, rule.reason(facts)


@pytest.mark.parametrize("limit", [10.0, 2.5])
def test_a_reason_prints_the_limit_of_its_expectation(limit: float) -> None:
    rule = Rule.of(Expectation(Check.NO_PRICE_SPIKE, ("close",), degrades=True, limit=limit))
    assert (
        rule.reason({"price_spikes": 2}) == f"price_spikes: 2 prices moved by more than a factor of {limit:g} at once"
    )
