"""Compares two sources that have rows with the same keys: how many are equal, and which columns differ by how much."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from crypto_lakehouse.lake.records import ColumnDifference, Reconciliation
from crypto_lakehouse.vocabulary import Source

PRECEDENCE = "_precedence"
"""A column of rows to be merged: the precedence of their input."""

_SOURCES = tuple(Source)
_GROUP = ["day", "kept", "other"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Kept rows and dropped rows of the same keys, side by side.

    Args:
        kept: Rows kept, with `PRECEDENCE`.
        dropped: As many rows, of the same keys and columns.
        equal: Whether the two rows of each pair are equal.
        values: The columns to compare.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    equal: pl.Series
    values: list[str]


@dataclass(slots=True)
class _Group:
    equal: int = 0
    different: int = 0
    columns: dict[str, tuple[int, Decimal | None]] = field(default_factory=dict)

    def note(self, column: str, rows: int, largest: Decimal | None) -> None:
        known_rows, known = self.columns.get(column, (0, None))
        distances = [distance for distance in (known, largest) if distance is not None]
        self.columns[column] = (known_rows + rows, max(distances) if distances else None)


@dataclass(slots=True)
class Tally:
    """Sums over pairs by day, kept source and other source. Sums over different rows can be added."""

    groups: dict[tuple[str, int, int], _Group] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Adds the sums over other rows."""
        for key, added in other.groups.items():
            group = self.groups.setdefault(key, _Group())
            group.equal += added.equal
            group.different += added.different
            for column, (rows, largest) in added.columns.items():
                group.note(column, rows, largest)

    def reconciliations(self) -> tuple[Reconciliation, ...]:
        """Returns the sums as records, by day and sources."""
        return tuple(
            Reconciliation(
                day,
                _SOURCES[kept],
                _SOURCES[other],
                group.equal,
                group.different,
                tuple(
                    ColumnDifference(name, rows, _decimal_text(most)) for name, (rows, most) in group.columns.items()
                ),
            )
            for (day, kept, other), group in sorted(self.groups.items())
        )


def tally(pairs: Pairs, event_time: str, ranks: pl.Series) -> Tally:
    """Returns the sums over pairs of rows of different inputs; rows that one input repeats are not compared.

    Args:
        pairs: The rows.
        event_time: The column that gives a row's day.
        ranks: The rank of each input's source, by precedence.
    """
    precedences = pairs.kept[PRECEDENCE], pairs.dropped[PRECEDENCE]
    facts = pl.DataFrame(
        {
            "day": pairs.kept[event_time].dt.date().cast(pl.String),
            "kept": ranks[precedences[0]],
            "other": ranks[precedences[1]],
            "equal": pairs.equal,
        }
    )
    is_pair = precedences[0] != precedences[1]
    sums = Tally()
    for day, kept, other, equal, rows in (
        facts.filter(is_pair).group_by(_GROUP).agg(pl.col("equal").sum(), pl.len()).iter_rows()
    ):
        sums.groups[day, kept, other] = _Group(equal, rows - equal)
    is_different = is_pair & ~pairs.equal
    if is_different.any():
        _note_columns(sums, facts.filter(is_different), _differences(pairs, is_different))
    return sums


def _differences(pairs: Pairs, chosen: pl.Series) -> Iterable[tuple[str, pl.Series, pl.Series]]:
    """Yields each column that differs, which of the chosen pairs differ in it, and by how much if it is a number."""
    kept, dropped = pairs.kept.filter(chosen), pairs.dropped.filter(chosen)
    for name in pairs.values:
        differs = kept[name].ne_missing(dropped[name])
        if differs.any():
            yield name, differs, _distance(kept[name], dropped[name])


def _distance(kept: pl.Series, dropped: pl.Series) -> pl.Series:
    if kept.dtype.is_temporal():
        kept, dropped = kept.to_physical(), dropped.to_physical()
    if not kept.dtype.is_numeric():
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(kept))
    return (kept - dropped).abs()


def _note_columns(sums: Tally, facts: pl.DataFrame, columns: Iterable[tuple[str, pl.Series, pl.Series]]) -> None:
    for name, differs, distance in columns:
        grouped = (facts.select(_GROUP).with_columns(distance.alias("distance")).filter(differs).group_by(_GROUP)).agg(
            pl.len(), pl.col("distance").max()
        )
        for day, kept, other, rows, largest in grouped.iter_rows():
            sums.groups[day, kept, other].note(name, rows, _decimal(largest))


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _decimal_text(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"
