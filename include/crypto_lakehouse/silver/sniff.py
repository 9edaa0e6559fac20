"""Finds the layout of a source file from its own first line, never from its date."""

import re
from dataclasses import dataclass, replace

from crypto_lakehouse.errors import ContentRefused, SchemaDrift
from crypto_lakehouse.spec import Dataset, HeaderRule, SourceLayout, TimeEncoding

MAX_LINE_BYTES = 65_536
"""The widest layout has 26 fields. A longer line is an attack or a broken file."""

_FIRST_LINES = 20
"""Lines that are looked at to find the layout."""

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_FLAGS = re.compile(rb"true|false", re.IGNORECASE)
_HEADER_WORD = re.compile(rb"[a-z]{2}", re.IGNORECASE)
_INTEGER = re.compile(rb"-?\d+")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d.*)?")


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A file's layout, whether its first line is a header, and where its rows begin."""

    layout: SourceLayout
    has_header: bool
    body_offset: int


def sniff(head: bytes, dataset: Dataset) -> Sniffed:
    """Returns the layout of a file that starts with `head`, which contains its whole first line.

    If the first line is neither a row nor a header, one of the next lines decides: a bad first row is a bad row. But a
    line that may be an unknown header is an unknown format, even if its width is known.

    Raises:
        SchemaDrift: No layout of the dataset has this header or width, or a header is missing or unexpected.
        ContentRefused: The file is empty.
    """
    if not head:
        raise ContentRefused("the file is empty: not even a header", "An empty day is published as no file at all")
    if head.startswith(_BYTE_ORDER_MARKS):
        raise _drift("the file starts with a byte order mark")
    first, *following = head.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]
    try:
        sniffed = _sniffed(first, dataset)
        return replace(sniffed, body_offset=min(sniffed.body_offset, len(head)))
    except SchemaDrift:
        if len(first) > MAX_LINE_BYTES or _HEADER_WORD.search(_FLAGS.sub(b"", first)):
            raise
        for line in following:
            if _is_row(line, dataset):
                return _sniffed(line, dataset)
        raise


def _sniffed(line: bytes, dataset: Dataset) -> Sniffed:
    if len(line) > MAX_LINE_BYTES:
        raise _drift(f"line 1 has {len(line)} bytes, the limit is {MAX_LINE_BYTES}")
    fields = line.split(b",")
    if _is_data(fields[0]):
        return Sniffed(_headerless(dataset, len(fields)), has_header=False, body_offset=0)
    return Sniffed(_headed(dataset, line), has_header=True, body_offset=len(line) + 1)


def _is_row(line: bytes, dataset: Dataset) -> bool:
    fields = line.split(b",")
    widths = {len(layout.columns) for layout in dataset.layouts if layout.header is not HeaderRule.ALWAYS}
    return _is_data(fields[0]) and len(fields) in widths and dataset.time_encoding is TimeEncoding.EPOCH


def _is_data(field: bytes) -> bool:
    return bool(_INTEGER.fullmatch(field) or _TIME.fullmatch(field))


def _headerless(dataset: Dataset, width: int) -> SourceLayout:
    # Only datasets with epoch times are ever published without a header.
    if dataset.time_encoding is not TimeEncoding.EPOCH:
        raise _drift("line 1 is data, but this dataset always has a header")
    widths = [layout for layout in dataset.layouts if len(layout.columns) == width]
    if not widths:
        raise _drift(
            f"line 1 has {width} fields, known are {sorted({len(layout.columns) for layout in dataset.layouts})}"
        )
    for layout in widths:
        if layout.header is not HeaderRule.ALWAYS:
            return layout
    raise _drift("line 1 is data, but this dataset always has a header")


def _headed(dataset: Dataset, line: bytes) -> SourceLayout:
    if line.endswith(b"\r"):
        raise _drift("line 1 ends in a carriage return")
    for layout in dataset.layouts:
        if line == ",".join(layout.columns).encode():
            if layout.header is HeaderRule.NEVER:
                raise _drift("line 1 is a header, but this dataset never has one")
            return layout
    raise _drift(f"line 1 is no known header: {line[:120]!r}")


def _drift(reason: str) -> SchemaDrift:
    return SchemaDrift(
        reason, "If the exchange changed its format, add a layout to the dataset's row; see docs/datasets.md"
    )
