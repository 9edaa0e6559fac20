"""An HTTP proxy on loopback: it records the hosts that it is asked for, and sends every request to one place."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.fakes.loopback import listening


@dataclass
class FakeProxy:
    """What the proxy was asked for.

    Args:
        target: `host:port` to which it sends every request; without one it refuses each with 407.
        url: Its address.
        asked: Method and host of each request.
        credentials: The header `Proxy-Authorization` of each request.
    """

    target: str
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)

    @property
    def hosts(self) -> set[str]:
        return {host for _, host in self.asked}


@contextmanager
def proxying(target: str = "") -> Iterator[FakeProxy]:
    """Runs a proxy; the address of its target may be a URL."""
    proxy = FakeProxy(urlsplit(target).netloc)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self._note(address.netloc)
            if not proxy.target:
                self.send_error(407)
                return
            connection = http.client.HTTPConnection(proxy.target)
            connection.request(self.command, f"{address.path}?{address.query}" if address.query else address.path)
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name in {"Content-Length", "Content-Type", "ETag", "Last-Modified"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        do_HEAD = do_POST = do_GET  # noqa: N815  the name is http.server's

        def do_CONNECT(self) -> None:
            self._note(self.path)
            if not proxy.target:
                self.send_error(407)
                return
            host, _, port = proxy.target.partition(":")
            with socket.create_connection((host, int(port))) as other:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_relay, args=(other, self.connection))
                back.start()
                _relay(self.connection, other)
                back.join()

        def _note(self, host: str) -> None:
            proxy.asked.append((self.command, host))
            proxy.credentials.append(self.headers.get("Proxy-Authorization"))

        def log_message(self, *_: object) -> None:
            return

    with listening(Handler) as address:
        proxy.url = f"http://{address}"
        yield proxy


def _relay(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
