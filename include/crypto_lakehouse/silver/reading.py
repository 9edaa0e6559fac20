"""The bytes of inputs as blocks of whole lines: verified against Bronze's sha256 and decoded in threads.

A large object comes as a stream of blocks, with a bounded queue between the inflating thread and the parser. A small
one comes whole, so that many of them can be parsed at once.
"""

import hashlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from crypto_lakehouse.errors import CorruptObject, HostileArchive, LakehouseError
from crypto_lakehouse.lake.versions import file_sha256
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.decode.blocks import Block, InflationBounds
from crypto_lakehouse.silver.decode.decoders import decoder_of
from crypto_lakehouse.silver.inputs import InputObject
from crypto_lakehouse.spec import Dataset

SMALL_OBJECT_BYTES = 1 << 20
"""An object up to this size is read whole, together with others."""

_QUEUED_BLOCKS = 2
_READ_THREADS = 2
_AHEAD = 32


def inflation_bounds(settings: ConformSettings) -> InflationBounds:
    """Returns how far an object may inflate."""
    return InflationBounds(settings.max_object_bytes, settings.max_ratio)


def load_whole(input_object: InputObject, dataset: Dataset, bounds: InflationBounds) -> Block | None:
    """Returns an object as one block, or None if it has to be streamed.

    Raises:
        CorruptObject: The stored bytes are missing, or are not the ones that Bronze recorded.
        LakehouseError: Its form has no decoder, or its header or the end of its lines is not sound.
    """
    if not input_object.path.is_file():
        raise CorruptObject(
            "the lake no longer has its bytes", "The next plan brings it again", partition=input_object.object.key
        )
    decoder = decoder_of(input_object.object)
    if decoder.stream is not None and input_object.object.size > SMALL_OBJECT_BYTES:
        return None
    content = _bytes(input_object)
    _verify(input_object, hashlib.sha256(content).hexdigest())
    return decoder.whole(input_object, content, dataset, bounds)


def stream_blocks(input_object: InputObject, dataset: Dataset, bounds: InflationBounds) -> Generator[Block, None, None]:
    """Yields a large object's blocks while one thread inflates ahead and another hashes the object.

    The last block is held back until the sha256 is known to be the one that Bronze recorded.

    Raises:
        LakehouseError: Its bytes, its sha256, its header or a line is not sound. Rows already yielded are then void.
    """
    blocks: queue.Queue[Block | BaseException | None] = queue.Queue(_QUEUED_BLOCKS)
    stop = threading.Event()
    with ThreadPoolExecutor(2, "inflate") as pool:
        digest = pool.submit(file_sha256, input_object.path)
        pool.submit(_fill, _Stream(input_object, dataset, bounds, digest), blocks, stop)
        try:
            while (item := blocks.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()


@dataclass(frozen=True, slots=True)
class _Stream:
    """A large object being read, and its sha256 to be."""

    input_object: InputObject
    dataset: Dataset
    bounds: InflationBounds
    digest: "Future[str]"

    def blocks(self) -> Iterator[Block]:
        decoder = decoder_of(self.input_object.object)
        if decoder.stream is None:
            raise ValueError(f"objects from source {self.input_object.object.source} are always read whole")
        return decoder.stream(self.input_object, self.dataset, self.bounds)


def _fill(stream: _Stream, blocks: "queue.Queue[Block | BaseException | None]", stop: threading.Event) -> None:
    try:
        for block in _verified_blocks(stream):
            if not _put(blocks, block, stop):
                return
        _put(blocks, None, stop)
    except FileNotFoundError:
        _put(blocks, _gone(stream.input_object), stop)
    # The thread's edge: the parser waits for its blocks, so every error must reach it.
    except BaseException as error:
        _put(blocks, error, stop)


def _put(
    blocks: "queue.Queue[Block | BaseException | None]", item: Block | BaseException | None, stop: threading.Event
) -> bool:
    """Puts an item unless the parser has stopped, and returns whether it did."""
    while not stop.is_set():
        try:
            blocks.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _verified_blocks(stream: _Stream) -> Iterator[Block]:
    last: Block | None = None
    for block in stream.blocks():
        if last is not None:
            yield last
        last = block
    _verify(stream.input_object, stream.digest.result())
    if last is not None:
        yield last


def _bytes(input_object: InputObject) -> bytes:
    """Returns an object's bytes. An error of the disk stays as it is: the object is not at fault, and not refused."""
    try:
        return input_object.path.read_bytes()
    except FileNotFoundError as error:
        raise _gone(input_object) from error


def _gone(input_object: InputObject) -> HostileArchive:
    return HostileArchive("cannot be read: it is not in the lake any more", partition=input_object.object.key)


def _verify(input_object: InputObject, sha256: str) -> None:
    recorded = input_object.object.sha256
    if sha256 != recorded:
        raise CorruptObject(
            f"its bytes have sha256 {sha256[:16]}..., Bronze recorded {recorded[:16]}...",
            "The stored object was damaged; the next plan brings it again",
            partition=input_object.object.key,
        )


class ReadAhead:
    """Reads small inputs whole, in threads and in order, a bounded number of them ahead of the parser.

    Iterating yields each input with its block, with the error that it is refused for, or with None if it is large
    and has to be streamed.
    """

    def __init__(self, inputs: Sequence[InputObject], dataset: Dataset, bounds: InflationBounds) -> None:
        self._inputs, self._dataset, self._bounds = inputs, dataset, bounds
        self._pool = ThreadPoolExecutor(_READ_THREADS, "read")

    def __enter__(self) -> "ReadAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[InputObject, Block | LakehouseError | None]]:
        """Yields each input with what was read of it."""
        waiting: deque[tuple[InputObject, Future[Block | LakehouseError | None]]] = deque()
        for input_object in self._inputs:
            waiting.append((input_object, self._pool.submit(self._read, input_object)))
            if len(waiting) >= _AHEAD:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    @staticmethod
    def _next(
        waiting: "deque[tuple[InputObject, Future[Block | LakehouseError | None]]]",
    ) -> tuple[InputObject, Block | LakehouseError | None]:
        input_object, future = waiting.popleft()
        return input_object, future.result()

    def _read(self, input_object: InputObject) -> Block | LakehouseError | None:
        try:
            return load_whole(input_object, self._dataset, self._bounds)
        except LakehouseError as error:
            return error
