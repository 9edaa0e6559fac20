"""Merges the rows of several inputs of one partition: sorted, one row per key, and every dropped row counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from crypto_lakehouse.lake.records import Reconciliation
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.silver.reconcile import PRECEDENCE, Pairs, Tally, tally
from crypto_lakehouse.spec import Dataset

ROW_NUMBER = "_row"
"""A column of rows to be merged, like `PRECEDENCE`: their number in the order they were read."""

MAX_EXAMPLES = 20
_WINNER, _EQUAL = "_winner", "_equal"


@dataclass(slots=True)
class MergeCounts:
    """Rows that a merge dropped, by reason; see `Manifest`."""

    duplicates: int = 0
    overlaps: int = 0
    conflicts: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    tallies: Tally = field(default_factory=Tally)

    def reconciliations(self) -> tuple[Reconciliation, ...]:
        """Returns how inputs with the same keys compare, by day and pair of sources."""
        return self.tallies.reconciliations()

    def add(self, other: "MergeCounts") -> None:
        """Adds the counts of other rows."""
        self.duplicates += other.duplicates
        self.overlaps += other.overlaps
        self.conflicts += other.conflicts
        self.examples += other.examples[: MAX_EXAMPLES - len(self.examples)]
        self.tallies.add(other.tallies)


def merge_rows(
    frame: pl.DataFrame, dataset: Dataset, inputs: Sequence[InputObject]
) -> tuple[pl.DataFrame, MergeCounts]:
    """Returns the rows with one per key, sorted, and what was dropped.

    Of the rows with one key, the row of the input with the lowest precedence is kept; within an input, the first row.
    A dropped row that is equal is a duplicate if it is from the same source, and an overlap if not. A dropped row that
    differs is a conflict.

    Args:
        frame: Silver rows with `PRECEDENCE` and `ROW_NUMBER`.
        dataset: Their dataset.
        inputs: The inputs, by precedence.
    """
    key = own_key(dataset)
    rows = frame.sort([*key, PRECEDENCE, ROW_NUMBER])
    is_first = rows.select(_differs(key).fill_null(value=True)).to_series()
    if is_first.all():
        return rows.drop(PRECEDENCE, ROW_NUMBER).sort(sort_columns(dataset)), MergeCounts()
    kept = rows.filter(is_first)
    dropped = rows.with_columns((is_first.cum_sum() - 1).alias(_WINNER)).filter(~is_first)
    counts = _counted(kept[dropped[_WINNER]], dropped.drop(_WINNER), dataset, inputs)
    return kept.drop(PRECEDENCE, ROW_NUMBER).sort(sort_columns(dataset)), counts


def _differs(key: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in key)


def _counted(
    winners: pl.DataFrame, dropped: pl.DataFrame, dataset: Dataset, inputs: Sequence[InputObject]
) -> MergeCounts:
    values = [name for name in dropped.columns if name not in {PRECEDENCE, ROW_NUMBER}]
    equal = pl.Series(_EQUAL, [True]).new_from_index(0, dropped.height)
    for name in values:
        equal &= winners[name].eq_missing(dropped[name])
    ranks = pl.Series([each.object.source.rank for each in inputs], dtype=pl.Int64)
    same_source = ranks[dropped[PRECEDENCE]] == ranks[winners[PRECEDENCE]]
    conflicts = ~equal
    counts = MergeCounts(int((equal & same_source).sum()), int((equal & ~same_source).sum()), int(conflicts.sum()))
    counts.tallies = tally(Pairs(winners, dropped, equal, values), dataset.event_time, ranks)
    pairs = zip(
        winners.filter(conflicts).head(MAX_EXAMPLES).iter_rows(named=True),
        dropped.filter(conflicts).head(MAX_EXAMPLES).iter_rows(named=True),
        strict=True,
    )
    counts.examples = [_example(winner, loser, own_key(dataset), inputs) for winner, loser in pairs]
    return counts


def _example(
    winner: dict[str, object], loser: dict[str, object], key: tuple[str, ...], inputs: Sequence[InputObject]
) -> dict[str, str]:
    differing = [name for name in winner if name not in {PRECEDENCE, ROW_NUMBER} and winner[name] != loser[name]]
    return {
        "key": _assignments(winner, key),
        "kept": _assignments(winner, differing),
        "kept_from": inputs[int(str(winner[PRECEDENCE]))].object.key,
        "dropped": _assignments(loser, differing),
        "dropped_from": inputs[int(str(loser[PRECEDENCE]))].object.key,
    }


def _assignments(row: dict[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={row[name]}" for name in names)
