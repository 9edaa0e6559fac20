"""Each rule of a single row finds the row that breaks it, and no other."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.silver.row_rules import ROW_RULES, row_rules

NAME = ("option_symbol", "underlying", "option_type", "expiry_date", "strike_price")
DAY = date(2023, 10, 27)


@dataclass(frozen=True)
class Examples:
    """Rows that keep a rule, and rows that break it."""

    expectation: Expectation
    sound: list[tuple[Any, ...]]
    broken: list[tuple[Any, ...]]


def rule(check: Check, *columns: str, limit: float = 0.0, words: tuple[str, ...] = ()) -> Expectation:
    return Expectation(check, columns, limit=limit, words=words)


EXAMPLES = [
    Examples(
        rule(Check.OHLC_ORDERED, "open", "high", "low", "close"),
        [(2, 3, 1, 2), (2, 2, 2, 2)],
        [(2, 1, 1, 1), (1, 1, 1, 2), (1, 3, 2, 3), (3, 3, 2, 1)],
    ),
    Examples(rule(Check.PRICES_POSITIVE, "a", "b"), [(1, 1)], [(0, 1), (1, -1)]),
    Examples(rule(Check.QUANTITIES_NOT_NEGATIVE, "a", "b"), [(0, 1), (None, 0)], [(-1, 1), (1, -1)]),
    Examples(rule(Check.QUANTITIES_POSITIVE, "a"), [(1,)], [(0,)]),
    Examples(rule(Check.TAKER_WITHIN_TOTAL, "a", "b"), [(1, 1), (0, 1), (None, 1)], [(2, 1)]),
    Examples(rule(Check.SPREAD_NOT_NEGATIVE, "a", "b"), [(1, 1), (1, 2), (5, 0)], [(2, 1)]),
    Examples(rule(Check.IDS_NOT_NEGATIVE, "a"), [(0,), (7,)], [(-1,)]),
    Examples(rule(Check.FIRST_ID_NOT_ABOVE_LAST, "a", "b"), [(1, 1), (1, 9)], [(2, 1)]),
    Examples(
        rule(Check.VALUE_MATCHES_QUANTITY, "value", "price", "quantity", limit=0.01),
        [(10.79500000, 431.8, 0.025), (10.80, 431.8, 0.025), (1e9, 1e6, 1000.0)],
        [(431.8, 431.8, 0.025), (0.0, 431.8, 0.025), (1e9 + 2000, 1e6, 1000.0)],
    ),
    Examples(
        rule(Check.VALUE_MATCHES_CONTRACTS, "base", "price", "contracts", limit=1e-8),
        [(0.00510204, 19_600.0, 1), (0.01, 1000.0, 1), (0.1, 1000.0, 1)],
        [(0.00051, 19_600.0, 1), (1.0, 1000.0, 1)],
    ),
    Examples(
        rule(Check.VALUE_WITHIN_PRICES, "value", "volume", "low", "high", limit=0.01),
        [(100.0, 10.0, 9.0, 11.0), (90.0, 10.0, 9.0, 11.0), (110.005, 10.0, 9.0, 11.0), (0.0, 0.0, 9.0, 11.0)],
        [(89.0, 10.0, 9.0, 11.0), (111.0, 10.0, 9.0, 11.0), (10.0, 100.0, 9.0, 11.0), (5.0, 0.0, 9.0, 11.0)],
    ),
    Examples(
        rule(Check.BASE_WITHIN_PRICES, "base", "contracts", "low", "high", "count", limit=1e-8),
        [
            (99.33183109, 19431, 19555.5, 19566.7, 425),
            (9.933183109, 19431, 19555.5, 19566.7, 425),
            (0.0, 0, 1.0, 1.0, 0),
        ],
        [(19431.0, 19431, 19555.5, 19566.7, 425), (99.9, 19431, 19555.5, 19566.7, 425)],
    ),
    Examples(rule(Check.COUNT_MATCHES_VOLUME, "a", "b"), [(0, 0), (3, 1)], [(0, 1), (1, 0)]),
    Examples(
        rule(Check.AVERAGE_WITHIN_PRICES, "average", "low", "high", "volume"),
        [(2, 1, 3, 5), (0, 1, 3, 0), (1, 1, 1, 5)],
        [(0, 1, 3, 5), (4, 1, 3, 5)],
    ),
    Examples(rule(Check.WORDS_KNOWN, "side", words=("BUY", "SELL")), [("BUY",), ("SELL",)], [("HOLD",), ("buy",)]),
    Examples(rule(Check.WORDS_USUAL, "state", words=("FILLED",)), [("FILLED",)], [("BROKEN",)]),
    Examples(rule(Check.PART_WITHIN_WHOLE, "a", "b", "c"), [(1, 1, 1), (0, 1, 2)], [(2, 1, 3), (1, 3, 2)]),
    Examples(
        rule(Check.AVERAGE_NEAR_PRICE, "average", "price", limit=2.0),
        [(1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (0.0, 1.0)],
        [(2.1, 1.0), (0.4, 1.0), (1000.0, 1.0)],
    ),
    Examples(rule(Check.RATIOS_NOT_NEGATIVE, "a", "b"), [(0, None), (1, 2)], [(-1, 0)]),
    Examples(rule(Check.FUNDING_RATE_USUAL, "rate", limit=0.05), [(0.05,), (-0.03,)], [(0.06,), (-0.5,)]),
    Examples(
        rule(Check.CONTRACT_NAME_MATCHES, *NAME),
        [("BTC-231027-33000-C", "BTCUSDT", "C", DAY, 33000.0), ("DOGE-231027-0.5-P", "DOGEUSDT", "P", DAY, 0.5)],
        [
            ("BTC-231027-33000-P", "BTCUSDT", "C", DAY, 33000.0),
            ("BTC-231028-33000-C", "BTCUSDT", "C", DAY, 33000.0),
            ("BTC-231027-34000-C", "BTCUSDT", "C", DAY, 33000.0),
            ("ETH-231027-33000-C", "BTCUSDT", "C", DAY, 33000.0),
            ("BTC-231027-33000", "BTCUSDT", "C", DAY, 33000.0),
            ("BTC-231027-x-C", "BTCUSDT", "C", DAY, 33000.0),
            ("BTC", "BTCUSDT", "C", DAY, 33000.0),
        ],
    ),
    Examples(rule(Check.COLUMNS_EQUAL, "a", "b"), [(1, 1)], [(1, 2)]),
    Examples(
        rule(Check.GREEKS_IN_RANGE, "kind", "delta", "gamma", "vega"),
        [("C", 1.0, 0.0, 0.0), ("P", -1.0, 0.1, 5.0), ("C", None, None, None)],
        [
            ("C", 1.1, 0.0, 0.0),
            ("C", -0.5, 0.0, 0.0),
            ("P", 0.5, 0.0, 0.0),
            ("C", 0.5, -0.1, 0.0),
            ("C", 0.5, 0.1, -1.0),
        ],
    ),
    Examples(rule(Check.VOLATILITIES_NOT_NEGATIVE, "a"), [(0.5,), (None,), (0.0,)], [(-0.1,)]),
]


@pytest.mark.parametrize("examples", EXAMPLES, ids=lambda examples: examples.expectation.check)
def test_a_rule_finds_what_breaks_it_and_nothing_else(examples: Examples) -> None:
    expectation = examples.expectation
    rows = [*examples.sound, *examples.broken]
    frame = pl.DataFrame(rows, schema=list(expectation.columns), orient="row")
    is_wrong = ROW_RULES[expectation.check].is_wrong(expectation).fill_null(value=False)
    wrong = frame.select(is_wrong).to_series()
    assert wrong.to_list() == [False] * len(examples.sound) + [True] * len(examples.broken)


def test_every_rule_has_examples() -> None:
    assert {examples.expectation.check for examples in EXAMPLES} == set(ROW_RULES)


def test_no_dataset_has_one_check_with_two_consequences() -> None:
    # Both would count into one fact, and the stricter one would judge the rows of the other.
    for table in DATASETS:
        consequences: dict[Check, set[tuple[bool, bool]]] = {}
        for each in table.expectations:
            consequences.setdefault(each.check, set()).add((each.degrades, each.is_remark))
        assert all(len(found) == 1 for found in consequences.values()), table.name


def test_rules_that_only_degrade_set_no_row_aside() -> None:
    for table in DATASETS:
        assert all(not expectation.degrades for expectation, _ in row_rules(table))
    assert sum(bool(row_rules(table)) for table in DATASETS) > 25
