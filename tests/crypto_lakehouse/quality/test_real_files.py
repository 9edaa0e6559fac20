"""No false alarm: every file that the exchange itself published passes every relation of its dataset."""

from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import partitions_between
from crypto_lakehouse.quality.profile import profile
from crypto_lakehouse.quality.suites import Rule, rules
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import conform
from crypto_lakehouse.silver.row_rules import ROW_RULES
from tests.archive_builder import input_at
from tests.crypto_lakehouse.silver.test_differential import REAL

COMPLETENESS = {
    Check.GRID_COMPLETE: "a month of which one day is there",
    Check.HOURS_COVERED: "the file of 2023-09-29 ends at 20:00",
    Check.NO_PAUSE: "likewise",
}
"""What the sample of files cannot pass, because it has single days of partitions."""


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_breaks_no_relation(name: str, real_archive: Path, tmp_path: Path) -> None:
    key = parse_key(f"data/{name}")
    assert key is not None
    partitions = partitions_between(key.dataset, key.symbol, key.first_day, key.last_day, key.interval)
    given = input_at(key, real_archive / "data" / name)
    outcome = conform(key.dataset, partitions, [given], tmp_path, ConformSettings())
    assert outcome.refused == []
    left_out = {Rule.of(each).fact for each in key.dataset.expectations if each.check in COMPLETENESS}
    judged = 0
    for made in outcome.partitions:
        assert made.manifest.refused_rows == ()
        assert made.file is not None
        facts = profile(made.file, made.partition, made.manifest).with_counts({"known_faults_gone": 0}).facts
        for rule in rules(key.dataset):
            if rule.fact not in left_out:
                assert rule.maximum is None or int(facts[rule.fact]) <= rule.maximum, rule.reason(facts)
                judged += 1
    assert judged > 10
    assert any(expectation.check in ROW_RULES for expectation in key.dataset.expectations)
