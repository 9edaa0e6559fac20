"""What a single row must fulfil to be true, for each check that looks at one row: its expression and its words.

Conform sets rows aside that break a rule of their dataset. The gate counts with the same expressions, as the proof that
Silver has none of them. The module loads no engine when it is imported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from crypto_lakehouse.spec import Check, Dataset, Expectation

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that a single row keeps or breaks.

    Args:
        words: What is wrong with a row that breaks it; the values of the columns follow.
        is_wrong: Returns the expression that is true for a wrong row; null counts as not wrong.
    """

    words: str
    is_wrong: Callable[[Expectation], "pl.Expr"]


def _columns(names: Sequence[str]) -> "list[pl.Expr]":
    import polars as pl

    return [pl.col(name) for name in names]


def _any(names: Sequence[str], is_wrong: "Callable[[pl.Expr], pl.Expr]") -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal([is_wrong(column) for column in _columns(names)])


def _ohlc_out_of_order(expectation: Expectation) -> "pl.Expr":
    opened, high, low, close = _columns(expectation.columns)
    return (high < opened) | (high < close) | (low > opened) | (low > close)


def _not_positive(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: column <= 0)


def _negative(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: column < 0)


def _first_above_second(expectation: Expectation) -> "pl.Expr":
    first, second = _columns(expectation.columns)
    return first > second


ROW_RULES: Mapping[Check, RowRule] = MappingProxyType(
    {
        Check.OHLC_ORDERED: RowRule("high is not the highest or low not the lowest", _ohlc_out_of_order),
        Check.PRICES_POSITIVE: RowRule("a price is not positive", _not_positive),
        Check.QUANTITIES_NOT_NEGATIVE: RowRule("a quantity is negative", _negative),
        Check.TAKER_WITHIN_TOTAL: RowRule("more taker volume than volume", _first_above_second),
        Check.SPREAD_NOT_NEGATIVE: RowRule("the best bid is above the best ask", _first_above_second),
    }
)
"""The rules of checks that look at one row."""


def row_rules(dataset: Dataset) -> "list[tuple[Expectation, RowRule]]":
    """Returns the rules that a row of a dataset must keep to be true: a row that breaks one is set aside."""
    expectations = (expectation for expectation in dataset.expectations if not expectation.degrades)
    return [(each, ROW_RULES[each.check]) for each in expectations if each.check in ROW_RULES]
