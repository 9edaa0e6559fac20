"""Each rule of a single row finds the row that breaks it, and no other."""

import polars as pl
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.silver.row_rules import ROW_RULES, row_rules
from crypto_lakehouse.spec import Check, Expectation

OHLC = ("open", "high", "low", "close")
BROKEN = {
    Check.OHLC_ORDERED: (OHLC, [(2, 3, 1, 2), (2, 2, 2, 2)], [(2, 1, 1, 1), (1, 1, 1, 2), (1, 3, 2, 3), (3, 3, 2, 1)]),
    Check.PRICES_POSITIVE: (("a", "b"), [(1, 1)], [(0, 1), (1, -1)]),
    Check.QUANTITIES_NOT_NEGATIVE: (("a", "b"), [(0, 1), (None, 0)], [(-1, 1), (1, -1)]),
    Check.TAKER_WITHIN_TOTAL: (("a", "b"), [(1, 1), (0, 1), (None, 1)], [(2, 1)]),
    Check.SPREAD_NOT_NEGATIVE: (("a", "b"), [(1, 1), (1, 2)], [(2, 1)]),
}


@pytest.mark.parametrize("check", ROW_RULES)
def test_a_rule_finds_what_breaks_it_and_nothing_else(check: Check) -> None:
    columns, sound, broken = BROKEN[check]
    frame = pl.DataFrame([*sound, *broken], schema=list(columns), orient="row")
    wrong = frame.select(ROW_RULES[check].is_wrong(Expectation(check, columns)).fill_null(value=False)).to_series()
    assert wrong.to_list() == [False] * len(sound) + [True] * len(broken)


def test_rules_that_only_degrade_set_no_row_aside() -> None:
    for table in DATASETS:
        assert all(not expectation.degrades for expectation, _ in row_rules(table))
    assert sum(bool(row_rules(table)) for table in DATASETS) > 25
