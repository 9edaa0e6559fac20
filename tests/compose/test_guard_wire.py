"""The guard before the Docker engine as its socket is used: what is a request, where it ends, and who is waited for."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.compose.test_guard import CREATE, FOREIGN, GOOD, OWN, EngineDouble, doubled, guarded
from tests.waiting import STANDSTILL_SECONDS, wait_until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineDouble]:
    with doubled(tmp_path) as server:
        yield server


def said_to(folder: Path, request: bytes, pause: float = 0) -> bytes:
    """Returns all that is answered to these very bytes, after which nothing follows and nothing is closed.

    Args:
        folder: Where the guard is.
        request: As it goes over the wire.
        pause: Seconds before the answer is read.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(STANDSTILL_SECONDS)
        client.connect(str(folder / "guarded.sock"))
        client.sendall(request)
        time.sleep(pause)
        said = b""
        while block := client.recv(1 << 16):
            said += block
    return said


def create_request(*headers: str, body: str = "") -> bytes:
    """Returns a request as it goes over the wire."""
    return "\r\n".join([f"POST {CREATE} HTTP/1.1", "Host: engine", *headers, "", body]).encode()


PING = b"GET /v1.41/_ping HTTP/1.1\r\n\r\n"
PATIENT_CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect(sys.argv[1])
client.sendall(b"GET /v1.41/_ping HTTP/1.1\\r\\n")
print("begun", flush=True)
sys.stdin.readline()
client.sendall(b"\\r\\n")
print(client.recv(65536).decode(), flush=True)
"""
"""Begins a request, and ends it when it is told to."""
CONTENT = json.dumps(GOOD)
LENGTH = f"Content-Length: {len(CONTENT)}"


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: -1"],
        ["Content-Length: 1048577"],
        ["Content-Length: 99999999999999999999"],
        [f"Content-Length: +{len(CONTENT)}"],
        ["Content-Length: 1_0"],
        [LENGTH, LENGTH],
        [LENGTH, "Content-Length: 2"],
        ["Content-Length: 2", LENGTH],
        ["Transfer-Encoding: chunked"],
        [LENGTH, "Transfer-Encoding: chunked"],
        [LENGTH, "transfer-encoding: identity"],
    ],
    ids=", ".join,
)
def test_a_body_whose_end_is_not_plain_is_refused_at_once(
    headers: list[str], engine: EngineDouble, tmp_path: Path
) -> None:
    with guarded(tmp_path):
        assert said_to(tmp_path, create_request(LENGTH, body=CONTENT)).startswith(b"HTTP/1.1 200 "), "control"
        engine.seen.clear()
        said = said_to(tmp_path, create_request(*headers, body=CONTENT))
    assert said.startswith(b"HTTP/1.1 403 "), said
    assert b"a request" in said
    assert engine.seen == []


def test_what_follows_a_request_on_its_connection_is_not_heard(engine: EngineDouble, tmp_path: Path) -> None:
    second = f"POST /v1.41/containers/{OWN}/start HTTP/1.1\r\nHost: engine\r\n\r\n"
    with guarded(tmp_path):
        said = said_to(tmp_path, create_request(LENGTH, "Connection: keep-alive", body=CONTENT + second))
    assert said.count(b"HTTP/1.1 ") == 1
    assert [request[1] for request in engine.seen] == ["/v1.41/containers/create?name=stack-lakehouse-conform-0"]


@pytest.mark.parametrize(
    "request_so_far", [b"", b"POST /v1.41", create_request()[:-2], create_request(LENGTH, body=CONTENT[:-1])]
)
def test_who_does_not_end_its_request_is_not_waited_for(
    request_so_far: bytes, engine: EngineDouble, tmp_path: Path
) -> None:
    with guarded(tmp_path, patience=0.2):
        assert said_to(tmp_path, request_so_far) == b"", "closed by the guard"
    assert engine.seen == []


@pytest.mark.parametrize(("method", "action"), [("GET", "/logs?follow=1"), ("POST", "/wait")])
def test_a_step_that_takes_longer_than_a_request_may_is_waited_for(
    method: str, action: str, engine: EngineDouble, tmp_path: Path
) -> None:
    engine.pause = 0.5
    with guarded(tmp_path, patience=0.2):
        began = time.monotonic()
        said = said_to(tmp_path, f"{method} /v1.41/containers/{OWN}{action} HTTP/1.1\r\n\r\n".encode(), pause=1)
    assert time.monotonic() - began > engine.pause, "the engine paused, and so did who asks"
    assert said.endswith(b'{"said": "the engine"}')


def test_who_asks_to_upgrade_the_connection_gets_a_plain_one(engine: EngineDouble, tmp_path: Path) -> None:
    upgrade = f"POST /v1.41/containers/{OWN}/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    with guarded(tmp_path):
        said = said_to(tmp_path, f"{upgrade}DELETE /v1.41/containers/{FOREIGN} HTTP/1.1\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in said
    assert [request[0] for request in engine.seen] == ["GET", "POST"], "looked at and started"


def is_answered(folder: Path) -> bool:
    """Returns whether a client that asks at once gets an answer; its connection is closed with the request unread."""
    try:
        return said_to(folder, PING).startswith(b"HTTP/1.1 200 ")
    except (ConnectionResetError, BrokenPipeError):
        return False


MOST_THREADS = 126
"""Threads that the container of the guard may have, besides its own two."""


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no more threads start than the container of the guard may have."""
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        if threading.active_count() > MOST_THREADS:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)


@contextmanager
def dripping(folder: Path, number: int) -> Iterator[list[socket.socket]]:
    """Opens connections that have sent the start of a request, and no more."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(number)]
        for client in clients:
            client.connect(str(folder / "guarded.sock"))
            client.sendall(b"GET /v1.41/_ping HTTP/1.1\r\nX-Drip: ")
        yield clients


def drip(clients: Iterable[socket.socket]) -> int:
    """Sends a further byte to each connection; returns how many were cut off."""
    cut = 0
    for client in clients:
        try:
            client.sendall(b"x")
        except OSError:
            cut += 1
    return cut


@pytest.mark.usefixtures("few_threads")
def test_dripping_connections_do_not_keep_the_guard_from_answering(
    engine: EngineDouble, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with guarded(tmp_path), dripping(tmp_path, 200) as clients:
        assert is_answered(tmp_path)
        wait_until(lambda: drip(clients) >= 200 - 48, progress=lambda: drip(clients))
        assert is_answered(tmp_path)
        assert [request[1] for request in engine.seen] == ["/v1.41/_ping"] * 2
    assert "can't start new thread" not in capfd.readouterr().err


# Threads of the guard are still busy with what dripped when the engine of the test ends.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("few_threads")
def test_without_the_limit_dripping_connections_keep_the_guard_from_answering(
    engine: EngineDouble, tmp_path: Path
) -> None:
    with guarded(tmp_path, most_unfinished=1000, patience=1000), dripping(tmp_path, 200):
        assert not is_answered(tmp_path)
        assert engine.seen == []


def test_a_request_that_drips_is_cut_off_although_it_never_pauses(engine: EngineDouble, tmp_path: Path) -> None:
    with guarded(tmp_path, patience=0.5), dripping(tmp_path, 3) as clients:
        # Each byte comes long before a timeout of one read.
        wait_until(lambda: drip(clients) == 3, pause=0.02)
    assert engine.seen == []


def test_requests_of_the_client_that_has_the_most_are_cut_off(engine: EngineDouble, tmp_path: Path) -> None:
    path = tmp_path / "guarded.sock"
    with (
        guarded(tmp_path, most_unfinished=8, patience=1000),
        subprocess.Popen(
            [sys.executable, "-c", PATIENT_CLIENT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other,
    ):
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == b"begun\n"
        with dripping(tmp_path, 20) as clients:
            wait_until(lambda: drip(clients) >= 13, progress=lambda: drip(clients))
            other.stdin.write(b"go on\n")
            other.stdin.flush()
            assert other.stdout.readline().startswith(b"HTTP/1.1 200 ")
            assert [request[1] for request in engine.seen] == ["/v1.41/_ping"]
