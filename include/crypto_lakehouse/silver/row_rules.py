"""What a single row must fulfil to be true, for each check that looks at one row: its expression and its words.

Conform sets rows aside that break a rule of their dataset. The gate counts with the same expressions, as the proof that
Silver has none of them. The module loads no engine when it is imported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from crypto_lakehouse.expectations import Check, Expectation
from crypto_lakehouse.spec import Dataset

if TYPE_CHECKING:
    import polars as pl

CONTRACT_SIZES = (100, 10)
"""Dollars of a COIN-M contract: 100 for BTC, 10 for the others."""

_RELATIVE = 1e-6


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that a single row keeps or breaks.

    Args:
        words: What is wrong with a row that breaks it; the values of the columns follow.
        is_wrong: Returns the expression that is true for a wrong row; null counts as not wrong.
    """

    words: str
    is_wrong: Callable[[Expectation], "pl.Expr"]


def columns_of(names: Sequence[str]) -> "list[pl.Expr]":
    """Returns the expressions of columns."""
    import polars as pl

    return [pl.col(name) for name in names]


def _any(names: Sequence[str], is_wrong: "Callable[[pl.Expr], pl.Expr]") -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal([is_wrong(column) for column in columns_of(names)])


def _ohlc_out_of_order(expectation: Expectation) -> "pl.Expr":
    opened, high, low, close = columns_of(expectation.columns)
    return (high < opened) | (high < close) | (low > opened) | (low > close)


def _not_positive(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: column <= 0)


def _negative(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: column < 0)


def _first_above_second(expectation: Expectation) -> "pl.Expr":
    first, second = columns_of(expectation.columns)
    return first > second


def _crossed(expectation: Expectation) -> "pl.Expr":
    bid, ask = columns_of(expectation.columns)
    # An ask of zero means that there is none.
    return (bid > ask) & (ask > 0)


def _different(expectation: Expectation) -> "pl.Expr":
    first, second = columns_of(expectation.columns)
    return first != second


def _descending(expectation: Expectation) -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal([part > whole for part, whole in pairwise(columns_of(expectation.columns))])


def _off_words(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: ~column.is_in(list(expectation.words)))


def _floats(names: Sequence[str]) -> "list[pl.Expr]":
    import polars as pl

    # An estimate is enough: the tolerances are far above the error of a float.
    return [column.cast(pl.Float64) for column in columns_of(names)]


def _value_off(expectation: Expectation) -> "pl.Expr":
    value, price, quantity = _floats(expectation.columns)
    return (value - price * quantity).abs() > expectation.limit + _RELATIVE * value.abs()


def _contracts_off(expectation: Expectation) -> "pl.Expr":
    import polars as pl

    base, price, contracts = _floats(expectation.columns)
    dollars, tolerance = base * price, price * expectation.limit
    wrong = [(dollars - contracts * size).abs() > tolerance + _RELATIVE * dollars.abs() for size in CONTRACT_SIZES]
    return pl.all_horizontal(wrong)


def _value_outside(expectation: Expectation) -> "pl.Expr":
    value, volume, low, high = _floats(expectation.columns)
    tolerance = expectation.limit + _RELATIVE * value.abs()
    return (value < low * volume - tolerance) | (value > high * volume + tolerance)


def _base_outside(expectation: Expectation) -> "pl.Expr":
    import polars as pl

    base, contracts, low, high, count = _floats(expectation.columns)
    # Each trade's base quantity is rounded.
    tolerance = expectation.limit * (count + 1) + _RELATIVE * base.abs()
    wrong = [
        (base < contracts * size / high - tolerance) | (base > contracts * size / low + tolerance)
        for size in CONTRACT_SIZES
    ]
    return pl.all_horizontal(wrong)


def _count_off(expectation: Expectation) -> "pl.Expr":
    count, volume = columns_of(expectation.columns)
    return (count == 0) != (volume == 0)


def _average_outside(expectation: Expectation) -> "pl.Expr":
    average, low, high, volume = columns_of(expectation.columns)
    return (volume > 0) & ((average < low) | (average > high))


def _average_far(expectation: Expectation) -> "pl.Expr":
    average, price = _floats(expectation.columns)
    return (average > 0) & ((average > price * expectation.limit) | (average * expectation.limit < price))


def _beyond(expectation: Expectation) -> "pl.Expr":
    return _any(expectation.columns, lambda column: column.abs() > expectation.limit)


def _name_off(expectation: Expectation) -> "pl.Expr":
    import polars as pl

    name, underlying, kind, expiry, strike = columns_of(expectation.columns)
    parts = name.str.split("-")
    number = parts.list.get(2, null_on_oob=True).cast(pl.Float64, strict=False)
    return (
        (parts.list.len() != 4)
        | ~underlying.str.starts_with(parts.list.get(0))
        | (parts.list.get(1, null_on_oob=True) != expiry.dt.strftime("%y%m%d")).fill_null(value=True)
        | (number != strike.cast(pl.Float64)).fill_null(value=True)
        | (parts.list.get(3, null_on_oob=True) != kind).fill_null(value=True)
    )


def _greeks_off(expectation: Expectation) -> "pl.Expr":
    kind, delta, gamma, vega = columns_of(expectation.columns)
    return (delta.abs() > 1) | (gamma < 0) | (vega < 0) | ((kind == "C") & (delta < 0)) | ((kind == "P") & (delta > 0))


ROW_RULES: Mapping[Check, RowRule] = MappingProxyType(
    {
        Check.OHLC_ORDERED: RowRule("high is not the highest or low not the lowest", _ohlc_out_of_order),
        Check.PRICES_POSITIVE: RowRule("a price is not positive", _not_positive),
        Check.QUANTITIES_NOT_NEGATIVE: RowRule("a quantity is negative", _negative),
        Check.QUANTITIES_POSITIVE: RowRule("a quantity is zero", _not_positive),
        Check.TAKER_WITHIN_TOTAL: RowRule("more taker volume than volume", _first_above_second),
        Check.SPREAD_NOT_NEGATIVE: RowRule("the best bid is above the best ask", _crossed),
        Check.IDS_NOT_NEGATIVE: RowRule("an identifier is negative", _negative),
        Check.FIRST_ID_NOT_ABOVE_LAST: RowRule("the first trade is after the last", _first_above_second),
        Check.VALUE_MATCHES_QUANTITY: RowRule("the value is not price times quantity", _value_off),
        Check.VALUE_MATCHES_CONTRACTS: RowRule("the value does not fit contracts and price", _contracts_off),
        Check.VALUE_WITHIN_PRICES: RowRule("the value does not fit volume, low and high", _value_outside),
        Check.BASE_WITHIN_PRICES: RowRule("the base volume does not fit contracts, low and high", _base_outside),
        Check.COUNT_MATCHES_VOLUME: RowRule("trades without volume, or volume without trades", _count_off),
        Check.AVERAGE_WITHIN_PRICES: RowRule("the average price is below low or above high", _average_outside),
        Check.WORDS_KNOWN: RowRule("a word that is not known", _off_words),
        Check.WORDS_USUAL: RowRule("a word that is not usual", _off_words),
        Check.PART_WITHIN_WHOLE: RowRule("a part is more than the whole", _descending),
        Check.AVERAGE_NEAR_PRICE: RowRule("the average price is far from the price", _average_far),
        Check.RATIOS_NOT_NEGATIVE: RowRule("a ratio is negative", _negative),
        Check.FUNDING_RATE_USUAL: RowRule("a rate is unusual", _beyond),
        Check.CONTRACT_NAME_MATCHES: RowRule("the contract's name differs from its columns", _name_off),
        Check.COLUMNS_EQUAL: RowRule("two columns differ that were equal in every row seen", _different),
        Check.GREEKS_IN_RANGE: RowRule("a greek is out of its range", _greeks_off),
        Check.VOLATILITIES_NOT_NEGATIVE: RowRule("a volatility is negative", _negative),
    }
)
"""The rules of checks that look at one row."""


def row_rules(dataset: Dataset) -> "list[tuple[Expectation, RowRule]]":
    """Returns the rules that a row of a dataset must keep to be true: a row that breaks one is set aside."""
    decisive = (each for each in dataset.expectations if not each.degrades and not each.is_remark)
    return [(each, ROW_RULES[each.check]) for each in decisive if each.check in ROW_RULES]
