"""Bodies of others are bounded: bombs, bodies and headers that drip, listings without end, by real sockets."""

import gzip
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.endpoints.binance import EXCHANGE_INFO
from crypto_lakehouse.errors import LakehouseError, ListingSuspect, SourceUnavailable
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.settings import ArchiveSettings, ExchangeSettings, TransferProfile
from crypto_lakehouse.vocabulary import Market

MIB = 2**20
Answer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serves one answer to every request on loopback; yields the address."""
    ended = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65536)
            answer(client, ended)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while not ended.is_set():
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        server.shutdown(socket.SHUT_RDWR)


def bomb(client: socket.socket, _ended: threading.Event) -> None:
    """A small body that inflates to 512 MiB."""
    body = gzip.compress(b" " * (64 * MIB)) * 8
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def plain_flood(client: socket.socket, _ended: threading.Event) -> None:
    """A body without a length and without an end."""
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b" " * MIB)


def dripping_body(client: socket.socket, ended: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not ended.wait(0.02):
        client.sendall(b" ")


def dripping_headers(client: socket.socket, ended: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not ended.wait(0.02):
        client.sendall(b"x")


ANSWERS = {
    bomb: "more than 1,048,576 bytes",
    plain_flood: "more than 1,048,576 bytes",
    dripping_body: r"took longer than 0\.5 s",
    dripping_headers: r"headers took longer than 0\.5 s",
}


def list_it(address: str, _folder: Path, seconds: float = 60) -> None:
    archive = ArchiveSettings(endpoint_url=address, bucket="data.binance.vision", max_page_mib=1)
    # Each read has a byte long before this timeout.
    profile = TransferProfile(retries=0, read_timeout_seconds=60, page_timeout_seconds=seconds)
    list(Bucket(archive, profile).pages("data/"))


def ask_it(address: str, folder: Path, seconds: float = 60) -> None:
    settings = ExchangeSettings(
        spot_url=address,
        limits_file=folder / "limits.sqlite",
        attempts=1,
        timeout_seconds=60,
        max_answer_mib=1,
        answer_seconds=seconds,
    )
    client = ExchangeClient(settings, Market.SPOT, open_limiter(settings, Market.SPOT))
    client.request(EXCHANGE_INFO[Market.SPOT], {})


@pytest.mark.parametrize("call", [list_it, ask_it])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_beyond_its_limits_is_left_in_words(
    call: Callable[[str, Path, float], None], answer: Answer, tmp_path: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(answer) as address, pytest.raises(SourceUnavailable, match=ANSWERS[answer]):
        call(address, tmp_path, 0.5 if answer in {dripping_body, dripping_headers} else 60)
    # A part of a bomb is inflated before it is counted.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_listing_of_ever_new_pages_ends() -> None:
    numbers = iter(range(10**9))
    pages = 0

    def page(client: socket.socket, _ended: threading.Event) -> None:
        nonlocal pages
        pages += 1
        body = (
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>t{next(numbers)}</NextContinuationToken></ListBucketResult>"
        ).encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serving(page) as address:
        archive = ArchiveSettings(endpoint_url=address, bucket="data.binance.vision", max_pages=20)
        with pytest.raises(ListingSuspect, match="more than 20 pages"):
            list(Bucket(archive, TransferProfile()).pages("data/"))
    assert pages == 20


def test_a_sound_answer_is_taken_whole_and_its_connection_is_used_again(tmp_path: Path) -> None:
    body = gzip.compress(b'{"symbols": [], "pad": "' + b"x" * 900_000 + b'"}')

    def sound(client: socket.socket, _ended: threading.Event) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(head + body)
        client.recv(65536)
        client.sendall(head + body)

    with serving(sound) as address:
        ask_it(address, tmp_path)
        with pytest.raises(LakehouseError, match="not XML"):
            list_it(address, tmp_path)
