"""Checks a block's bytes before it is parsed: width, blank lines, control characters, quotes, encoding.

A CSV reader accepts such faults and fills nulls or shifts columns, so they are counted first. The counting runs over
slices that stay in the processor's cache.
"""

import re
from dataclasses import dataclass

import numpy as np

from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES
from crypto_lakehouse.spec import Dataset, SourceLayout, TimeEncoding

_SLICE_BYTES = 1 << 18
_PLUS = re.compile(rb"(?<![eE])\+")
_QUOTED_EMPTY = re.compile(rb'(?<![^,\n])""(?=[,\n])')
_NEWLINE, _COMMA, _SPACE, _E, _FOLD, _POINT, _ZERO = 10, 44, 32, 0x65, 0x20, 46, 48


@dataclass(frozen=True, slots=True)
class ByteFacts:
    """Counts over a block: its lines, whether it has a quote, and its letters `e` and `E`."""

    lines: int
    has_quotes: bool
    exponents: int


def check_bytes(block: bytes, dataset: Dataset, layout: SourceLayout) -> ByteFacts:
    """Returns the facts of a block of whole lines.

    Raises:
        SchemaDrift: Lines are not all as wide as the layout, or have bytes that no archive file has.
    """
    lines, commas, blanks, exponents = _counts(block)
    if commas != lines * (len(layout.columns) - 1):
        _drift(f"{commas} commas in {lines} lines, expected are {len(layout.columns) - 1} in each")
    # Where times are text, one space is between date and time. No other byte up to 32 belongs in a row.
    has_spaces = dataset.time_encoding is TimeEncoding.TEXT
    if blanks != lines * (2 if has_spaces else 1) or (has_spaces and block.count(b" ") != lines):
        _drift("blanks or control characters between the values")
    if not block.isascii():
        _check_utf8(block)
    # An exponent may have a plus, as in 1E+3; no number starts with one.
    if b"+" in block and _PLUS.search(block):
        _drift("a plus sign outside an exponent")
    if b'"' in block:
        _check_quotes(block, dataset)
    return ByteFacts(lines, b'"' in block, exponents)


def _counts(block: bytes) -> tuple[int, int, int, int]:
    data = np.frombuffer(block, np.uint8)
    mask = np.empty(_SLICE_BYTES, np.bool_)
    fold = np.empty(_SLICE_BYTES, np.uint8)
    lines = commas = blanks = exponents = 0
    for start in range(0, len(data), _SLICE_BYTES):
        part = data[start : start + _SLICE_BYTES]
        hits, folded = mask[: len(part)], fold[: len(part)]
        lines += int(np.count_nonzero(np.equal(part, _NEWLINE, out=hits)))
        commas += int(np.count_nonzero(np.equal(part, _COMMA, out=hits)))
        blanks += int(np.count_nonzero(np.less_equal(part, _SPACE, out=hits)))
        np.bitwise_or(part, _FOLD, out=folded)
        exponents += int(np.count_nonzero(np.equal(folded, _E, out=hits)))
    return lines, commas, blanks, exponents


def has_long_fraction(block: bytes, places: int) -> bool:
    """Returns whether some number may have more than `places` decimals: more bytes than that from a point to a comma.

    A reader would round such a number without an error. Sequences of doubling length are intersected, slice by slice.
    """
    data = np.frombuffer(block, np.uint8)
    step = _SLICE_BYTES - places - 2
    return any(_has_sequence(data[start : start + _SLICE_BYTES], places + 1) for start in range(0, len(data), step))


def _has_sequence(part: "np.ndarray[tuple[int], np.dtype[np.uint8]]", length: int) -> bool:
    # Bytes from `0` on are digits and letters; every byte that ends a number is lower.
    sequence, length_so_far = part >= _ZERO, 1
    while length_so_far < length:
        more = min(length_so_far, length - length_so_far)
        sequence, length_so_far = sequence[:-more] & sequence[more:], length_so_far + more
    points = part[: max(len(sequence) - 1, 0)] == _POINT
    return bool(np.any(points & sequence[1:]))


def check_carry(length: int) -> None:
    """Refuses an open line that is too long already.

    Raises:
        SchemaDrift: It has more than `MAX_LINE_BYTES`.
    """
    if length > MAX_LINE_BYTES:
        _drift(f"a line of more than {MAX_LINE_BYTES} bytes")


def _check_quotes(block: bytes, dataset: Dataset) -> None:
    """Refuses quotes, except an empty quoted field in a dataset with nullable columns."""
    allowed = any(column.nullable for column in dataset.columns)
    if not allowed or block.count(b'"') != 2 * len(_QUOTED_EMPTY.findall(block)):
        _drift("quotes around or within values")


def _check_utf8(block: bytes) -> None:
    try:
        block.decode()
    except UnicodeDecodeError as error:
        raise SchemaDrift("not UTF-8", "Compare the object with the bucket") from error


def _drift(reason: str) -> None:
    raise SchemaDrift(reason, "If the exchange changed its format, add a layout to the dataset's row")
