"""The guard before the Docker engine as its socket is used: what is a request, where it ends, and who is waited for."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.test_guard import CREATE, FOREIGN, GOOD, OWN, EngineDouble, doubled, guarded
from tests.waiting import STANDSTILL_SECONDS


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
