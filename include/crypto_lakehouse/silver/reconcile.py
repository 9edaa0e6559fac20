"""What two sources that hold the same keys say of each other: rows equal, rows different, in what and by how much."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from crypto_lakehouse.lake.records import ColumnDifference, Reconciliation
from crypto_lakehouse.vocabulary import Source

PLACE = "_place"
"""Added to rows that are merged: the precedence of their file."""

_SOURCES = tuple(Source)
_GROUP = ["day", "kept", "other"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows that were kept and rows of the same keys that were dropped for them, side by side.

    Args:
        kept: Rows kept, with `PLACE`.
        dropped: As many rows, of the same keys and columns.
        equal: Whether each pair says the same.
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
        found = [one for one in (known, largest) if one is not None]
        self.columns[column] = (known_rows + rows, max(found) if found else None)


@dataclass(slots=True)
class Tally:
    """Sums over pairs by day, kept source and other source; sums of stretches of rows can be added."""

    groups: dict[tuple[str, int, int], _Group] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Adds the sums of another stretch of rows."""
        for key, theirs in other.groups.items():
            own = self.groups.setdefault(key, _Group())
            own.equal += theirs.equal
            own.different += theirs.different
            for column, (rows, largest) in theirs.columns.items():
                own.note(column, rows, largest)

    def reconciliations(self) -> tuple[Reconciliation, ...]:
        """Returns the sums as records, by day and sources."""
        return tuple(
            Reconciliation(
                day,
                _SOURCES[kept],
                _SOURCES[other],
                group.equal,
                group.different,
                tuple(ColumnDifference(name, rows, _spelled(most)) for name, (rows, most) in group.columns.items()),
            )
            for (day, kept, other), group in sorted(self.groups.items())
        )


def tally(pairs: Pairs, event_time: str, ranks: pl.Series) -> Tally:
    """Returns the sums over pairs of rows of different files; a file that repeats itself says nothing of another.

    Args:
        pairs: The rows.
        event_time: The column that gives a row's day.
        ranks: The rank of each file's source, by place.
    """
    places = pairs.kept[PLACE], pairs.dropped[PLACE]
    facts = pl.DataFrame(
        {
            "day": pairs.kept[event_time].dt.date().cast(pl.String),
            "kept": ranks[places[0]],
            "other": ranks[places[1]],
            "equal": pairs.equal,
        }
    )
    is_pair = places[0] != places[1]
    found = Tally()
    for day, kept, other, equal, rows in (
        facts.filter(is_pair).group_by(_GROUP).agg(pl.col("equal").sum(), pl.len()).iter_rows()
    ):
        found.groups[day, kept, other] = _Group(equal, rows - equal)
    is_different = is_pair & ~pairs.equal
    if is_different.any():
        _note_columns(found, facts.filter(is_different), _differences(pairs, is_different))
    return found


def _differences(pairs: Pairs, chosen: pl.Series) -> Iterable[tuple[str, pl.Series, pl.Series]]:
    """Yields each column, which of the chosen pairs differ in it, and by how much where that is a number."""
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


def _note_columns(found: Tally, facts: pl.DataFrame, columns: Iterable[tuple[str, pl.Series, pl.Series]]) -> None:
    for name, differs, distance in columns:
        grouped = (facts.select(_GROUP).with_columns(distance.alias("distance")).filter(differs).group_by(_GROUP)).agg(
            pl.len(), pl.col("distance").max()
        )
        for day, kept, other, rows, largest in grouped.iter_rows():
            found.groups[day, kept, other].note(name, rows, _decimal(largest))


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _spelled(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"
