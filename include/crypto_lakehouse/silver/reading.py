"""The bytes of inputs as blocks of whole lines: verified against Bronze's sha256 and inflated in threads.

A large file comes as a stream of blocks, with a bounded queue between the inflating thread and the parser. A small
one comes whole, so that many of them can be parsed at once.
"""

import hashlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.errors import ChecksumMismatch, HostileArchive, LakehouseError
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.bytegate import check_carry
from crypto_lakehouse.silver.decode.answers import answer_lines
from crypto_lakehouse.silver.decode.zips import ZipBounds, member_chunks
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.silver.sniff import Sniffed, sniff
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Source

BLOCK_BYTES = 4 << 20
"""Bytes of a large file parsed at once. Fixed, so that memory does not depend on the file or the machine."""

WHOLE_BYTES = 16 << 20
"""A small zip that inflates to more than this is streamed after all."""

SMALL_ZIP_BYTES = 1 << 20
"""A zip up to this size is read whole, together with others."""

_QUEUED_BLOCKS = 2
_READ_THREADS = 2
_AHEAD = 32


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of one file, without its header; `first_line` is the number of the first of them."""

    data: bytes
    first_line: int
    sniffed: Sniffed


def zip_bounds(settings: ConformSettings) -> ZipBounds:
    """Returns how far a member may inflate."""
    return ZipBounds(settings.max_object_bytes, settings.max_ratio)


def load_whole(one: InputObject, dataset: Dataset, bounds: ZipBounds) -> Block | None:
    """Returns a small file as one block, or None if it inflates to more than a block.

    Raises:
        LakehouseError: Its zip, its sha256, its header or the end of its lines is not sound.
    """
    content = _bytes(one.path)
    _verify(one, hashlib.sha256(content).hexdigest())
    if one.object.source is Source.REST:
        lines, layout = answer_lines(one, content, dataset, bounds.max_bytes)
        return Block(lines, 1, Sniffed(layout, has_header=False, body_offset=0))
    chunks, size = [], 0
    for chunk in member_chunks(one.path, one.stem, bounds):
        chunks.append(chunk)
        size += len(chunk)
        if size > WHOLE_BYTES:
            return None
    data = b"".join(chunks)
    sniffed = sniff(data, dataset)
    body = data[sniffed.body_offset :] if sniffed.body_offset else data
    if body and not body.endswith(b"\n"):
        body += b"\n"
    return Block(body, 1 + sniffed.has_header, sniffed)


def stream_blocks(one: InputObject, dataset: Dataset, bounds: ZipBounds) -> Generator[Block, None, None]:
    """Yields a large file's blocks while a thread inflates ahead and another hashes the zip.

    The last block is held back until the sha256 was found to be the one Bronze recorded.

    Raises:
        LakehouseError: Its zip, its sha256, its header or a line is not sound. Rows already given are then void.
    """
    blocks: queue.Queue[Block | LakehouseError | None] = queue.Queue(_QUEUED_BLOCKS)
    stop = threading.Event()
    with ThreadPoolExecutor(2, "inflate") as pool:
        digest = pool.submit(_file_digest, one.path)
        pool.submit(_fill, _Source(one, dataset, bounds, digest), blocks, stop)
        try:
            while (item := blocks.get()) is not None:
                if isinstance(item, LakehouseError):
                    raise item
                yield item
        finally:
            stop.set()


@dataclass(frozen=True, slots=True)
class _Source:
    one: InputObject
    dataset: Dataset
    bounds: ZipBounds
    digest: "Future[str]"


def _fill(source: _Source, blocks: "queue.Queue[Block | LakehouseError | None]", stop: threading.Event) -> None:
    try:
        for block in _held_back(source):
            if not _put(blocks, block, stop):
                return
        _put(blocks, None, stop)
    except LakehouseError as error:
        _put(blocks, error, stop)
    except OSError as error:
        _put(blocks, HostileArchive(f"cannot be read: {error.strerror}", partition=source.one.object.key), stop)


def _put(
    blocks: "queue.Queue[Block | LakehouseError | None]", item: Block | LakehouseError | None, stop: threading.Event
) -> bool:
    """Puts an item unless the parser has gone away, and returns whether it did."""
    while not stop.is_set():
        try:
            blocks.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _held_back(source: _Source) -> Iterator[Block]:
    held: Block | None = None
    for block in _blocks(source):
        if held is not None:
            yield held
        held = block
    _verify(source.one, source.digest.result())
    if held is not None:
        yield held


def _blocks(source: _Source) -> Iterator[Block]:
    lines = _whole_lines(member_chunks(source.one.path, source.one.stem, source.bounds))
    first = next(lines, b"")
    sniffed = sniff(first, source.dataset)
    number = 1 + sniffed.has_header
    yield Block(first[sniffed.body_offset :], number, sniffed)
    for data in lines:
        # Only a refusal needs the number, and counting costs little beside inflating.
        number += first.count(b"\n") - (sniffed.has_header and number == 2)
        first = data
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
            check_carry(sum(map(len, parts)) - _last_break(parts))
    rest = b"".join(parts)
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _last_break(parts: list[bytes]) -> int:
    """Returns how many bytes of the parts lie before the line that is still open."""
    after = 0
    for part in reversed(parts):
        at = part.rfind(b"\n")
        if at >= 0:
            return sum(map(len, parts)) - after - (len(part) - at - 1)
        after += len(part)
    return 0


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostileArchive(f"cannot be read: {error.strerror}", partition=path.name) from error


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(one: InputObject, found: str) -> None:
    if found != one.object.sha256:
        raise ChecksumMismatch(
            f"its bytes have sha256 {found[:16]}..., Bronze recorded {one.object.sha256[:16]}...",
            "The stored object was damaged: remove it and pull it again",
            partition=one.object.key,
        )


class ReadAhead:
    """Reads small inputs whole, in threads and in order, a bounded number of them ahead of the reader.

    Iterating gives each input with its block, with the error it is refused for, or with None where it is large and
    has to be streamed.
    """

    def __init__(self, inputs: Sequence[InputObject], dataset: Dataset, bounds: ZipBounds) -> None:
        self._inputs, self._dataset, self._bounds = inputs, dataset, bounds
        self._pool = ThreadPoolExecutor(_READ_THREADS, "read")

    def __enter__(self) -> "ReadAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[InputObject, Block | LakehouseError | None]]:
        """Yields each input with what was read of it."""
        waiting: deque[tuple[InputObject, Future[Block | LakehouseError | None]]] = deque()
        for one in self._inputs:
            waiting.append((one, self._pool.submit(self._read, one)))
            if len(waiting) >= _AHEAD:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    @staticmethod
    def _next(
        waiting: "deque[tuple[InputObject, Future[Block | LakehouseError | None]]]",
    ) -> tuple[InputObject, Block | LakehouseError | None]:
        one, future = waiting.popleft()
        return one, future.result()

    def _read(self, one: InputObject) -> Block | LakehouseError | None:
        if one.object.size > SMALL_ZIP_BYTES and one.object.source is not Source.REST:
            return None
        try:
            return load_whole(one, self._dataset, self._bounds)
        except LakehouseError as error:
            return error
