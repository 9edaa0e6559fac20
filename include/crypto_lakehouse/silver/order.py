"""The order of Silver rows, by event time and then key, and whether a frame already has it."""

from dataclasses import dataclass

import polars as pl

from crypto_lakehouse.spec import Dataset, Derivation


def own_key(dataset: Dataset) -> tuple[str, ...]:
    """Returns the key columns that vary within a partition: the symbol of the archive key is the same in all rows."""
    constant = {column.name for column in dataset.columns if column.derivation is Derivation.OBJECT_SYMBOL}
    return tuple(name for name in dataset.key if name not in constant)


def sort_columns(dataset: Dataset) -> tuple[str, ...]:
    """Returns the columns that Silver rows are sorted by."""
    return (dataset.event_time, *(name for name in own_key(dataset) if name != dataset.event_time))


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """Whether rows are strictly ascending with unique keys, and the number of inversions; see `order_facts`."""

    is_ordered: bool
    inversions: int


def order_facts(frame: pl.DataFrame, dataset: Dataset) -> OrderFacts:
    """Returns the order of a frame's rows.

    An inversion is a row earlier than the row before it, or with a lower identifier where one identifier is the key.
    """
    if frame.height < 2:
        return OrderFacts(is_ordered=True, inversions=0)
    key = own_key(dataset)
    tests = [_greater(sort_columns(dataset)).all().alias("ordered")]
    if dataset.event_time not in key:
        tests.append(_greater(key).all().alias("unique"))
    results = frame.select(tests).row(0)
    if all(results):
        return OrderFacts(is_ordered=True, inversions=0)
    return OrderFacts(is_ordered=False, inversions=int(frame.select(_inverted(dataset, key).sum()).item()))


def _greater(names: tuple[str, ...]) -> pl.Expr:
    """Returns whether a row is greater than the row before it, column by column; null in the first row."""
    here, before = (pl.col(names[0]), pl.col(names[0]).shift(1))
    if len(names) == 1:
        return here > before
    return (here > before) | ((here == before) & _greater(names[1:]))


def _inverted(dataset: Dataset, key: tuple[str, ...]) -> pl.Expr:
    time = pl.col(dataset.event_time)
    earlier = time < time.shift(1)
    if len(key) == 1 and key[0] != dataset.event_time:
        return earlier | (pl.col(key[0]) < pl.col(key[0]).shift(1))
    return earlier
