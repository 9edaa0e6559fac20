"""Answers of other machines within limits: bytes once they are inflated, and seconds from the request to the last byte.

A timeout of one read does not bound an answer that drips, and a small body may inflate to gigabytes. So each body is
read in parts, and counted, and a timer cuts a connection whose headers take too long.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_PART_BYTES = 1 << 16


class AnswerBeyondLimits(urllib3.exceptions.HTTPError):
    """An answer that is too large or too slow. Its message has the limit."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """The limits of one answer.

    Args:
        max_bytes: Bytes of the inflated body.
        seconds: Seconds until the headers are there, and again until the body is.
    """

    max_bytes: int
    seconds: float

    def body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Returns the inflated body of an answer.

        Raises:
            AnswerBeyondLimits: It is too large or too slow.
            HTTPError: It is cut off or damaged.
        """
        deadline, parts, size = time.monotonic() + self.seconds, list[bytes](), 0
        try:
            # A read of a size would wait for all of it, also where it drips.
            while part := response.read1(_PART_BYTES, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > self.max_bytes:
                    raise AnswerBeyondLimits(f"its body has more than {self.max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    raise AnswerBeyondLimits(f"its body took longer than {self.seconds:g} s")
        except AnswerBeyondLimits:
            # What is left of it must not be read as the next answer.
            response.close()
            raise
        response.release_conn()
        return b"".join(parts)

    def limit_headers(self, manager: urllib3.PoolManager) -> urllib3.PoolManager:
        """Returns the manager; its connections are cut where the headers of an answer take too long."""
        seconds = self.seconds

        class Http(_CutConnection, HTTPConnection):
            header_seconds = seconds

        class Https(_CutConnection, HTTPSConnection):
            header_seconds = seconds

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        manager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
        return manager


class _CutConnection:
    """A connection that is cut where the headers of an answer take too long."""

    header_seconds: float
    sock: socket.socket | None

    def getresponse(self) -> Any:
        """Returns the answer; its body is not read yet.

        Raises:
            AnswerBeyondLimits: Its headers took too long.
        """
        is_late = threading.Event()
        timer = threading.Timer(self.header_seconds, self._cut, [is_late])
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()
            # Headers that are cut off look like whole ones, or like a lost connection.
            if is_late.is_set():
                raise AnswerBeyondLimits(f"its headers took longer than {self.header_seconds:g} s")

    def _cut(self, is_late: threading.Event) -> None:
        is_late.set()
        if self.sock is not None:
            # The thread that reads gets the end of the stream.
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
