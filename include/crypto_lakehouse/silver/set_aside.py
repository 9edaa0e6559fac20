"""Records the rows that were set aside: which line of which object, why, its text, and the time that places it.

One bad row costs one row. But an object with more bad rows than the bound in its dataset's row of the table is refused
whole: its structure is broken, and the rest of it cannot be trusted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.expectations import RefusalBound
from crypto_lakehouse.instants import instant, microseconds
from crypto_lakehouse.lake.records import RefusedRow
from crypto_lakehouse.silver.inputs import InputObject, Segment
from crypto_lakehouse.silver.parse import ADVICE
from crypto_lakehouse.silver.separate import ParsedLines
from crypto_lakehouse.silver.shape import ShapedRows


@dataclass(frozen=True, slots=True)
class ReadLines:
    """The lines of a block, and what became of them.

    Args:
        block: The lines. If any line is no row, all lines are of one object.
        first_line: Number of the first line of each segment in its object.
        parsed: Its rows as source values.
        shaped: Its rows as Silver rows.
        segments: Which inputs the parsed rows come from, in order.
    """

    block: bytes
    first_line: int
    parsed: ParsedLines
    shaped: ShapedRows
    segments: tuple[Segment, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every line is a row that can be true."""
        return not self.parsed.bad and self.shaped.is_sound is None

    def sound_segments(self) -> tuple[Segment, ...]:
        """Returns the segments with the numbers of rows that can be true."""
        if self.shaped.is_sound is None:
            return self.segments
        ends = np.cumsum([segment.rows for segment in self.segments])
        sound = np.concatenate(([0], np.cumsum(self.shaped.is_sound)))
        return tuple(
            Segment(segment.input, int(sound[end] - sound[end - segment.rows]))
            for segment, end in zip(self.segments, ends, strict=True)
        )

    def refused(self, earlier: int | None = None) -> list[tuple[InputObject, RefusedRow]]:
        """Returns the rows that were set aside, in order.

        Args:
            earlier: Time of the last sound row before this block, in microseconds.
        """
        if self.is_clean:
            return []
        lines = _Lines(self, earlier)
        places = self.parsed.places
        records = [
            (fault.place, int(places[fault.place]) if places is not None else fault.place, fault.time, fault.reason)
            for fault in self.shaped.faults
        ]
        for bad in self.parsed.bad:
            before = 0 if places is None else int(np.searchsorted(places, bad.place))
            records.append((before, bad.place, None, bad.reason))
        return [lines.record(*record) for record in sorted(records, key=lambda record: record[1])]


class _Lines:
    """Makes the records of a block."""

    def __init__(self, read: ReadLines, earlier: int | None) -> None:
        self._read, self._earlier = read, earlier
        ends = np.flatnonzero(np.frombuffer(read.block, np.uint8) == ord("\n"))
        self._starts = np.concatenate(([0], ends + 1))
        self._rows = np.cumsum([segment.rows for segment in read.segments])
        sound = read.shaped.is_sound
        self._sound = np.flatnonzero(sound) if sound is not None else np.arange(len(read.shaped.times))

    def record(self, row: int, line: int, time: int | None, reason: str) -> tuple[InputObject, RefusedRow]:
        """Returns a record: `row` is its place among the parsed rows, `line` among the lines."""
        number = min(int(np.searchsorted(self._rows, row, side="right")), len(self._rows) - 1)
        segment = self._read.segments[number]
        first = int(self._rows[number]) - segment.rows
        bronze_object = segment.input.object
        text = self._read.block[self._starts[line] : self._starts[line + 1] - 1].decode(errors="backslashreplace")
        is_whole = len(text) <= RefusedRow.MAX_TEXT
        return segment.input, RefusedRow(
            bronze_object.key,
            bronze_object.sha256,
            self._read.first_line + line - (first if len(self._rows) > 1 else 0),
            instant(self._placed(segment, (first, row), time)).isoformat(),
            reason,
            text if is_whole else f"{text[: RefusedRow.MAX_TEXT - 1]}…",
        )

    def _placed(self, segment: Segment, rows: tuple[int, int], time: int | None) -> int:
        """Returns the time of a row, or the time of a sound row next to it if its own is not within its object."""
        bronze_object = segment.input.object
        start, end = microseconds(bronze_object.start), microseconds(bronze_object.end)
        if time is not None and start <= time < end:
            return time
        first, row = rows
        times = self._read.shaped.times
        at = int(np.searchsorted(self._sound, row))
        before = self._sound[at - 1] if at and self._sound[at - 1] >= first else None
        after = self._sound[at] if at < len(self._sound) and self._sound[at] < first + segment.rows else None
        near = start
        if before is not None:
            near = int(times[before])
        elif self._earlier is not None:
            near = self._earlier
        elif after is not None:
            near = int(times[after])
        return min(max(near, start), end - 1)


@dataclass(slots=True)
class BoundCheck:
    """Counts an object's lines, and its rows that were set aside, against the bound of its dataset."""

    bound: RefusalBound
    lines: int = 0
    refused: int = 0
    _first: RefusedRow | None = field(default=None)

    def add(self, lines: int, refused: int, records: Sequence[RefusedRow]) -> None:
        """Adds lines of the object.

        Raises:
            ContentRefused: More rows were set aside than any object may have.
        """
        self.lines += lines
        self.refused += refused
        self._first = self._first or next(iter(records), None)
        if self.refused > self.bound.at_most:
            raise self._broken(self.bound.at_most)

    def finish(self) -> None:
        """Judges the object after its last line.

        Raises:
            ContentRefused: More rows were set aside than an object of so many lines may have.
        """
        allowed = self.bound.allowed(self.lines)
        if self.refused > allowed:
            raise self._broken(allowed)

    def _broken(self, allowed: int) -> ContentRefused:
        first = f"; the first: line {self._first.line}: {self._first.reason}" if self._first else ""
        return ContentRefused(
            f"{self.refused} of {self.lines} rows cannot be true, {allowed} are allowed{first}", ADVICE
        )
