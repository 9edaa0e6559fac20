"""Several files' rows of one partition as one: sorted, one row per key, and every dropped row accounted for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from crypto_lakehouse.lake.records import Reconciliation
from crypto_lakehouse.silver.inputs import RANK, InputObject
from crypto_lakehouse.silver.order import own_key, sort_columns
from crypto_lakehouse.silver.reconcile import PLACE, Pairs, Tally, tally
from crypto_lakehouse.spec import Dataset

ROW = "_row"
"""Added to rows that are merged, beside `PLACE`: their number within what was read."""

MAX_EXAMPLES = 20
_WINNER, _EQUAL, _SAME_SOURCE = "_winner", "_equal", "_same_source"


@dataclass(slots=True)
class MergeCounts:
    """Rows that a merge dropped, by why; see `Manifest`."""

    duplicates: int = 0
    overlaps: int = 0
    conflicts: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    tallies: Tally = field(default_factory=Tally)

    def reconciliations(self) -> tuple[Reconciliation, ...]:
        """Returns what files that held the same keys said, by day and pair of sources."""
        return self.tallies.reconciliations()

    def add(self, other: "MergeCounts") -> None:
        """Adds the counts of another stretch of rows."""
        self.duplicates += other.duplicates
        self.overlaps += other.overlaps
        self.conflicts += other.conflicts
        self.examples += other.examples[: MAX_EXAMPLES - len(self.examples)]
        self.tallies.add(other.tallies)


def merge_rows(
    frame: pl.DataFrame, dataset: Dataset, inputs: Sequence[InputObject]
) -> tuple[pl.DataFrame, MergeCounts]:
    """Returns the rows with one per key, sorted, and what was dropped.

    Of rows with one key, that of the file with the lowest place is kept, within a file the first. An equal row of the
    same source is a duplicate, of another source an overlap, and any other row a conflict.

    Args:
        frame: Silver rows with `PLACE` and `ROW`.
        dataset: Their dataset.
        inputs: The files, by place.
    """
    key = own_key(dataset)
    rows = frame.sort([*key, PLACE, ROW])
    is_first = rows.select(_differs(key).fill_null(value=True)).to_series()
    if is_first.all():
        return rows.drop(PLACE, ROW).sort(sort_columns(dataset)), MergeCounts()
    kept = rows.filter(is_first)
    dropped = rows.with_columns((is_first.cum_sum() - 1).alias(_WINNER)).filter(~is_first)
    counts = _counted(kept[dropped[_WINNER]], dropped.drop(_WINNER), dataset, inputs)
    return kept.drop(PLACE, ROW).sort(sort_columns(dataset)), counts


def _differs(key: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in key)


def _counted(
    winners: pl.DataFrame, dropped: pl.DataFrame, dataset: Dataset, inputs: Sequence[InputObject]
) -> MergeCounts:
    values = [name for name in dropped.columns if name not in {PLACE, ROW}]
    equal = pl.Series(_EQUAL, [True]).new_from_index(0, dropped.height)
    for name in values:
        equal &= winners[name].eq_missing(dropped[name])
    ranks = pl.Series([RANK[one.object.source] for one in inputs], dtype=pl.Int64)
    same = ranks[dropped[PLACE]] == ranks[winners[PLACE]]
    conflicts = ~equal
    found = MergeCounts(int((equal & same).sum()), int((equal & ~same).sum()), int(conflicts.sum()))
    found.tallies = tally(Pairs(winners, dropped, equal, values), dataset.event_time, ranks)
    pairs = zip(
        winners.filter(conflicts).head(MAX_EXAMPLES).iter_rows(named=True),
        dropped.filter(conflicts).head(MAX_EXAMPLES).iter_rows(named=True),
        strict=True,
    )
    found.examples = [_example(winner, loser, own_key(dataset), inputs) for winner, loser in pairs]
    return found


def _example(
    winner: dict[str, object], loser: dict[str, object], key: tuple[str, ...], inputs: Sequence[InputObject]
) -> dict[str, str]:
    differing = [name for name in winner if name not in {PLACE, ROW} and winner[name] != loser[name]]
    return {
        "key": _words(winner, key),
        "kept": _words(winner, differing),
        "kept_from": inputs[int(str(winner[PLACE]))].object.key,
        "dropped": _words(loser, differing),
        "dropped_from": inputs[int(str(loser[PLACE]))].object.key,
    }


def _words(row: dict[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={row[name]}" for name in names)
