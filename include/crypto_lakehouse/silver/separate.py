"""Separates the lines of a block that cannot be rows from the other lines. It runs only after a block was refused.

The parser judges: a block that it refuses is halved until the lines that it refuses are alone. So nothing is judged
twice by two pieces of code, and the time depends on the number of bad lines, not on the size of the object.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from crypto_lakehouse.errors import ContentRefused, LakehouseError, SchemaDrift
from crypto_lakehouse.silver.parse import ADVICE, SourceShape, parse_block
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row: its place among the lines of its block, from 0, and why."""

    place: int
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedLines:
    """The rows of a block.

    Args:
        frame: The source columns of the lines that are rows.
        places: The place of each row among the lines of the block; None where every line is a row.
        bad: The other lines.
    """

    frame: pl.DataFrame
    places: "np.ndarray[tuple[int], np.dtype[np.int64]] | None" = None
    bad: tuple[BadLine, ...] = ()


def parse_lines(block: bytes, shape: SourceShape) -> ParsedLines:
    """Returns the rows of a block, and its lines that are none.

    Args:
        block: Whole lines.
        shape: How they are read.

    Raises:
        ContentRefused: More lines are bad than any object may have.
        SchemaDrift: A line is longer than any row can be.
    """
    try:
        return ParsedLines(parse_block(block, shape))
    except LakehouseError:
        return _Separation(block, shape).separated()


class _Separation:
    def __init__(self, block: bytes, shape: SourceShape) -> None:
        self._block, self._shape = block, shape
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
        self._offsets = np.concatenate(([0], ends))
        self._bad: list[BadLine] = []
        longest = int(np.diff(self._offsets).max()) - 1
        if longest > MAX_LINE_BYTES:
            raise SchemaDrift(f"a line of {longest} bytes, the limit is {MAX_LINE_BYTES}", ADVICE)

    def separated(self) -> ParsedLines:
        parts = list(self._sound_parts(0, len(self._offsets) - 1))
        schema = self._shape.read_schema(numbers_as_text=False)
        frames = [frame for _, frame in parts]
        places = [np.arange(first, first + frame.height) for first, frame in parts]
        return ParsedLines(
            pl.concat(frames) if frames else pl.DataFrame(schema=schema),
            np.concatenate([np.empty(0, np.int64), *places]),
            tuple(self._bad),
        )

    def _sound_parts(self, first: int, end: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yields the parts between the bad lines, in order: the place of their first line, and their rows."""
        lines = self._block[self._offsets[first] : self._offsets[end]]
        try:
            yield first, parse_block(lines, self._shape)
        except LakehouseError as error:
            if end - first == 1:
                self._set_aside(first, lines, error)
                return
            middle = (first + end) // 2
            yield from self._sound_parts(first, middle)
            yield from self._sound_parts(middle, end)

    def _set_aside(self, place: int, line: bytes, error: LakehouseError) -> None:
        self._bad.append(BadLine(place, self._reason(line.removesuffix(b"\n"), error)))
        limit = self._shape.dataset.refusal_bound.at_most
        if len(self._bad) > limit:
            raise ContentRefused(
                f"more than {limit} lines are no rows; the first: line {self._bad[0].place + 1} of the block: "
                f"{self._bad[0].reason}",
                ADVICE,
            )

    def _reason(self, line: bytes, error: LakehouseError) -> str:
        names = self._shape.layout.columns
        if not line.strip():
            return "the line is blank"
        if line == ",".join(names).encode():
            return "the header is repeated"
        fields = line.count(b",") + 1
        return f"{fields} fields, expected are {len(names)}" if fields != len(names) else error.what
