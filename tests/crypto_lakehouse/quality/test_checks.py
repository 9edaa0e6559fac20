"""The table of checks is complete, and loads no engine."""

import subprocess
import sys

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.quality.checks import CHECKS


def test_every_check_has_a_row_and_is_used() -> None:
    assert set(CHECKS) == set(Check)
    assert all(definition.check is check for check, definition in CHECKS.items())
    assert {expectation.check for dataset in DATASETS for expectation in dataset.expectations} == set(Check)


def test_facts_of_checks_are_distinct_and_their_sentences_begin_with_the_count() -> None:
    facts = [definition.fact for definition in CHECKS.values()]
    assert len(set(facts)) == len(facts)
    assert all(definition.sentence.startswith(f"{{{definition.fact}}} ") for definition in CHECKS.values())


def test_a_requirement_names_the_columns_and_the_limit_of_its_expectation() -> None:
    spike = Expectation(Check.NO_PRICE_SPIKE, ("close",), limit=2.5)
    text = "`close` never moves by more than a factor of 2.5 from one row to the next"
    assert CHECKS[Check.NO_PRICE_SPIKE].requirement_of(spike) == text


def test_the_table_loads_no_engine() -> None:
    code = (
        "import sys; import crypto_lakehouse.quality.checks; "
        "print(sorted({'polars', 'numpy', 'pyarrow', 'pandas', 'great_expectations'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
