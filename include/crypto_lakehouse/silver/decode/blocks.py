"""Blocks of whole lines: what every decoder returns, and what the parser takes."""

from collections.abc import Iterator
from dataclasses import dataclass

from crypto_lakehouse.silver.bytegate import check_carry
from crypto_lakehouse.silver.sniff import Sniffed, sniff
from crypto_lakehouse.spec import Dataset

BLOCK_BYTES = 4 << 20
"""Bytes of a large object parsed at once. Fixed, so that memory does not depend on the object or the machine."""

WHOLE_BYTES = 16 << 20
"""An object that inflates to more than this is streamed, even if it is small when compressed."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of one object, without its header.

    Args:
        data: The lines, each with its line feed.
        first_line: Number of the first of them in the object, from 1.
        sniffed: The layout of the object.
    """

    data: bytes
    first_line: int
    sniffed: Sniffed


@dataclass(frozen=True, slots=True)
class InflationBounds:
    """How far an object may inflate: in bytes, and in inflated bytes per compressed byte."""

    max_bytes: int
    max_ratio: float


def whole_block(chunks: Iterator[bytes], dataset: Dataset) -> Block | None:
    """Returns an object's lines as one block, None if they have more than `WHOLE_BYTES`.

    Args:
        chunks: The object's content, cut anywhere.
        dataset: Its dataset.

    Raises:
        LakehouseError: The content cannot be decoded, or has no known layout.
    """
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > WHOLE_BYTES:
            return None
    data = b"".join(parts)
    sniffed = sniff(data, dataset)
    body = data[sniffed.body_offset :] if sniffed.body_offset else data
    if body and not body.endswith(b"\n"):
        body += b"\n"
    return Block(body, 1 + sniffed.has_header, sniffed)


def split_blocks(chunks: Iterator[bytes], dataset: Dataset) -> Iterator[Block]:
    """Yields an object's lines as blocks of about `BLOCK_BYTES`.

    Args:
        chunks: The object's content, cut anywhere.
        dataset: Its dataset.

    Raises:
        LakehouseError: The content cannot be decoded, has no known layout, or has a line that is too long.
    """
    lines = _whole_lines(chunks)
    previous = next(lines, b"")
    sniffed = sniff(previous, dataset)
    number = 1 + sniffed.has_header
    yield Block(previous[sniffed.body_offset :], number, sniffed)
    for data in lines:
        # Only a refusal needs the number, and counting costs little compared with inflating.
        number += previous.count(b"\n") - (sniffed.has_header and number == 2)
        previous = data
        yield Block(data, number, sniffed)


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if size + end >= BLOCK_BYTES and end:
            yield b"".join([*parts, chunk[:end]])
            parts, size = [chunk[end:]], len(chunk) - end
        else:
            parts.append(chunk)
            size += len(chunk)
        if not end:
            check_carry(sum(map(len, parts)) - _bytes_before_open_line(parts))
    rest = b"".join(parts)
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _bytes_before_open_line(parts: list[bytes]) -> int:
    after = 0
    for part in reversed(parts):
        at = part.rfind(b"\n")
        if at >= 0:
            return sum(map(len, parts)) - after - (len(part) - at - 1)
        after += len(part)
    return 0
