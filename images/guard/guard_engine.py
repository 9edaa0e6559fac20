"""A proxy between Airflow and the Docker engine: through its socket, Airflow can start, watch and end steps only.

A process that can use the engine's own socket is root on that machine. So only this program gets that socket, in a
container without a network. It forwards requests that are on a list: create a container of a step's image, without
privileges, with the volumes and the network that its environment names; and watch or end containers that it created
itself. At its start and end it removes all remaining containers of the stack, because `docker compose down` cannot
remove a network that is in use.

GUARD_STACK is the stack's name, GUARD_IMAGES the images, GUARD_NETWORK the network, and GUARD_VOLUMES the volumes as
`NAME:/TARGET` or `NAME:/TARGET:ro`. Items of a list are separated by spaces.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

ENGINE, SOCKET = Path("/var/run/docker.sock"), Path("/engine/docker.sock")
USER = 10001
LABEL = "crypto-lakehouse.stack"
_LENGTH, _MAX_BODY = re.compile(r"[0-9]{1,9}"), 1 << 20
# In older versions of the API the engine has other defaults: containers may share memory with each other.
_VERSION = r"(?P<version>/v1\.(?:4[1-9]|[5-9][0-9]|[1-9][0-9]{2}))?"
_CONTAINER = rf"{_VERSION}/containers/(?P<container>[A-Za-z0-9][A-Za-z0-9_.-]{{0,200}})"
_ASK = re.compile(rf"{_VERSION}/(?:_ping|version)")
_IMAGE = re.compile(rf"{_VERSION}/images/(?P<image>[A-Za-z0-9][A-Za-z0-9_.:/@-]{{0,300}})/json")
_CREATE = re.compile(rf"{_VERSION}/containers/create")
_ON_CONTAINER = {
    "GET": re.compile(rf"{_CONTAINER}/(?:json|logs)"),
    "POST": re.compile(rf"{_CONTAINER}/(?:start|stop|kill|wait)"),
    "DELETE": re.compile(_CONTAINER),
}
_QUERY = {
    *("follow", "stdout", "stderr", "timestamps", "tail", "since", "until"),
    *("t", "signal", "condition", "v", "force"),
}
"""Allowed parameters of a query. Parameters of a start are not among them: a checkpoint may be in any folder."""
_NAME = re.compile(r"lakehouse-[a-z0-9-]{1,100}")
_SCRATCH = re.compile(r"rw,mode=1777,size=[1-9][0-9]*m")
_TOP = frozenset({"Image", "Cmd", "Env", "Labels", "User", "HostConfig", "AttachStdout", "AttachStderr"})
_FIXED = {"ReadonlyRootfs": True, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Init": True}
_LIMITS = {"Memory": sys.maxsize, "NanoCpus": sys.maxsize, "PidsLimit": 1024}


class Refused(Exception):
    """A request that is not allowed; its message says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of a step's container.

    Args:
        stack: A label of all containers, and the prefix of their names on the engine.
        images: Images of steps.
        networks: Networks that a container may use.
        volumes: Name, target, and whether it is read-only.
    """

    stack: str
    images: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[tuple[str, str, bool]]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Policy":
        """Returns the policy that environment variables describe."""
        return cls(
            environment["GUARD_STACK"],
            frozenset(environment["GUARD_IMAGES"].split()),
            frozenset({environment["GUARD_NETWORK"], "none"}),
            frozenset(_volume(text) for text in environment["GUARD_VOLUMES"].split()),
        )

    def checked(self, body: bytes) -> bytes:
        """Returns the specification of a container, with the label of the stack.

        The specification is written anew with exact names that we know. The engine would also read `hostconfig` as
        `HostConfig`, even if it is empty, and it resolves duplicate keys differently than we do.

        Raises:
            Refused: It requests more than a step needs.
        """
        wanted = _known(json.loads(body), _TOP)
        _demand(wanted.get("Image") in self.images, f"image {wanted.get('Image')}")
        _demand(wanted.get("User") == f"{USER}:{USER}", f"user {wanted.get('User')}")
        labels = wanted.get("Labels") or {}
        # Compose and other programs act on labels of containers.
        _demand(all(name.startswith("crypto-lakehouse.") for name in labels), f"labels {sorted(labels)}")
        host = self._host(wanted.get("HostConfig") or {})
        return json.dumps({**wanted, "Labels": {**labels, LABEL: self.stack}, "HostConfig": host}).encode()

    def _host(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        host = _known(wanted, {*_FIXED, *_LIMITS, "NetworkMode", "Tmpfs", "Mounts"})
        for name, value in _FIXED.items():
            _demand(host.get(name) == value, f"{name} {host.get(name)}")
        _demand(host.get("NetworkMode") in self.networks, f"network {host.get('NetworkMode')}")
        for name, most in _LIMITS.items():
            value = host.get(name)
            _demand(isinstance(value, int) and 0 < value <= most, f"{name} {value}")
        # Without it, the volume that the images declare would be on the machine's disk, without a limit.
        scratch = host.get("Tmpfs") or {}
        _demand(set(scratch) == {"/work"} and bool(_SCRATCH.fullmatch(scratch["/work"])), f"tmpfs {scratch}")
        return {**host, "Mounts": [self._mount(mount) for mount in host.get("Mounts") or []]}

    def _mount(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        mount = _known(wanted, {"Type", "Source", "Target", "ReadOnly"})
        volume = (mount.get("Source"), mount.get("Target"), mount.get("ReadOnly") is True)
        _demand(mount.get("Type") == "volume" and volume in self.volumes, f"mount {volume}")
        return mount


def _volume(text: str) -> tuple[str, str, bool]:
    name, target, *rest = text.split(":")
    return name, target, rest == ["ro"]


def _demand(is_allowed: bool, what: str) -> None:
    if not is_allowed:
        raise Refused(f"{what} is not allowed for steps")


def _known(wanted: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    """Returns the values of these names, without empty values of other names.

    Raises:
        Refused: A value of another name is not empty.
    """
    for name, value in wanted.items():
        _demand(name in names or not value, f"{name} {value}")
    return {name: value for name, value in wanted.items() if name in names}


class Engine:
    """The engine behind the guard.

    Args:
        path: The engine's socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def ask(self, method: str, target: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """Returns the engine's answer; the caller reads and closes it."""
        connection = http.client.HTTPConnection("engine")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.sock.connect(self._path)
            connection.request(method, target, body, {"Content-Type": "application/json", "Connection": "close"})
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def load(self, target: str) -> Any:
        """Returns the engine's answer to a query, or None if it does not know the object."""
        with self.ask("GET", target) as answer:
            content = answer.read()
        return json.loads(content) if answer.status == HTTPStatus.OK else None

    def clear(self, stack: str) -> int:
        """Removes all containers of the stack's steps; returns their number."""
        query = urlencode({"all": "1", "filters": json.dumps({"label": [f"{LABEL}={stack}"]})})
        containers = self.load(f"/containers/json?{query}") or []
        for container in containers:
            self.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1").close()
        return len(containers)


class Guard(ThreadingMixIn, UnixStreamServer):
    """Serves the guarded socket.

    Every connection occupies a thread, and the container has few. So a request must be whole in time, and if too many
    are not whole yet, those of the client that has the most are cut off, the oldest first.

    Args:
        path: Path of the guarded socket.
        engine: The engine that gets the requests.
        policy: Limits of containers.
        patience: Seconds in which a request must be whole.
        standstill: Seconds in which a client must take a part of the answer.
        most_unfinished: Maximum number of requests that are not whole yet.
    """

    daemon_threads = True
    # A request that waits for a step lasts as long as the step; the end of the guard must not wait for it.
    block_on_close = False
    request_queue_size = 1024

    def __init__(  # noqa: PLR0913 - the last three are limits, and are named where they are given
        self,
        path: Path,
        engine: Engine,
        policy: Policy,
        *,
        patience: float = 10,
        standstill: float = 600,
        most_unfinished: int = 48,
    ) -> None:
        self.engine, self.policy = engine, policy
        self.patience, self.standstill, self.most_unfinished = patience, standstill, most_unfinished
        # The oldest is the first. Only the thread that accepts connections adds to it.
        self._unfinished: dict[socket.socket, tuple[int, float]] = {}
        path.unlink(missing_ok=True)
        former = os.umask(0o177)
        super().__init__(str(path), _Handler)
        os.umask(former)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts to read a request."""
        if len(self._unfinished) >= self.most_unfinished:
            self._cut_off_one()
        self._unfinished[request] = (_client(request), time.monotonic())
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Cuts off requests that are not whole in time; the base class calls it again and again."""
        super().service_actions()
        latest = time.monotonic() - self.patience
        for request, (_, since) in list(self._unfinished.items()):
            if since < latest:
                self._cut_off(request)

    def heard(self, request: socket.socket) -> bool:
        """Notes that a request is whole or has ended. Returns False if it was cut off before."""
        return self._unfinished.pop(request, None) is not None

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection."""
        self.heard(request)
        super().shutdown_request(request)

    def _cut_off_one(self) -> None:
        unfinished = list(self._unfinished.items())
        clients = Counter(client for _, (client, _) in unfinished)
        if clients:
            ((worst, _),) = clients.most_common(1)
            self._cut_off(next(request for request, (client, _) in unfinished if client == worst))

    def _cut_off(self, request: socket.socket) -> None:
        if self.heard(request):
            # Its thread reads the end of the request, and closes the connection.
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


def _client(request: socket.socket) -> int:
    """Returns the process at the other end of a connection; 0 for one of another container."""
    credentials = request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[:4], sys.byteorder, signed=True)


class _Handler(BaseHTTPRequestHandler):
    server: Guard
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Sets the timeout of a read."""
        self.timeout = self.server.patience
        super().setup()

    def answer_request(self) -> None:
        """Answers one request: with the engine's answer if it is on the list, else with 403."""
        self.close_connection = True
        try:
            # Read it in any case: a client that is refused while it still sends would not see the answer.
            target, body = self._let_through(self._body())
        except TimeoutError:
            # It is not the engine's timeout; the base class closes the connection.
            raise
        except (Refused, ValueError, AttributeError, TypeError, RecursionError) as error:
            self._answer(HTTPStatus.FORBIDDEN, f"the guard refuses {self.command} {self.path[:200]}: {error}")
        except LookupError as error:
            self._answer(HTTPStatus.NOT_FOUND, f"no such container: {error}", is_quiet=True)
        except (OSError, http.client.HTTPException) as error:
            self._answer(HTTPStatus.BAD_GATEWAY, f"the engine does not answer: {error}")
        else:
            self._relay(target, body)

    # The base class calls these names.
    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = answer_request  # noqa: N815

    def address_string(self) -> str:
        """Returns the client's name for messages of the base class; a Unix socket has no address."""
        return "client"

    def _body(self) -> bytes:
        _demand("Transfer-Encoding" not in self.headers, "a request with Transfer-Encoding")
        length = ", ".join(self.headers.get_all("Content-Length") or ["0"])
        _demand(bool(_LENGTH.fullmatch(length)) and int(length) <= _MAX_BODY, f"a request of {length[:20]} bytes")
        body = self.rfile.read(int(length))
        _demand(len(body) == int(length), "a request that is cut off")
        if not self.server.heard(self.connection):
            # Headers that are cut off look like whole ones.
            raise TimeoutError("the request was cut off")
        # The engine's answer may take as long as a step. From now on this is the timeout of a write only.
        self.connection.settimeout(self.server.standstill)
        return body

    def _let_through(self, body: bytes) -> tuple[str, bytes | None]:
        path, query = (parts := urlsplit(self.path)).path, parts.query
        if self.command in {"GET", "HEAD"} and _ASK.fullmatch(path):
            return path, None
        if self.command == "GET" and (match := _IMAGE.fullmatch(path)):
            _demand(match["image"] in self.server.policy.images, f"image {match['image']}")
            return path, None
        if self.command == "POST" and (match := _CREATE.fullmatch(path)):
            return self._creation(path, query, body)
        pattern = _ON_CONTAINER.get(self.command)
        match = pattern.fullmatch(path) if pattern else None
        if match is None:
            raise Refused("this request is not on the list")
        own = self._own(match["container"])
        allowed = urlencode([(name, value) for name, value in parse_qsl(query) if name in _QUERY])
        return f"{path[: match.start('container')]}{own}{path[match.end('container') :]}?{allowed}", None

    def _creation(self, path: str, query: str, body: bytes) -> tuple[str, bytes]:
        (name,) = parse_qs(query).get("name", [""])
        _demand(bool(_NAME.fullmatch(name)), f"name {name}")
        policy = self.server.policy
        # Two stacks on one engine may have containers of the same name.
        return f"{path}?{urlencode({'name': f'{policy.stack}-{name}'})}", policy.checked(body)

    def _own(self, name: str) -> str:
        """Returns the id of a container of this stack.

        Raises:
            LookupError: No container has this name, or it does not belong to this stack.
        """
        stack = self.server.policy.stack
        known = self.server.engine.load(f"/containers/{f'{stack}-{name}' if _NAME.fullmatch(name) else name}/json")
        if known is None or (known["Config"]["Labels"] or {}).get(LABEL) != stack:
            raise LookupError(name)
        return str(known["Id"])

    def _relay(self, target: str, body: bytes | None) -> None:
        try:
            answer = self.server.engine.ask(self.command, target, body)
        except (OSError, http.client.HTTPException) as error:
            self._answer(HTTPStatus.BAD_GATEWAY, f"the engine does not answer: {error}")
            return
        # The client may close the connection before the end, or take nothing of the answer any more.
        with answer, contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type") or "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            # Block by block: the log of a running step is followed.
            for block in _blocks(answer):
                self.wfile.write(block)

    def _answer(self, status: HTTPStatus, message: str, *, is_quiet: bool = False) -> None:
        if not is_quiet:
            # The client chose these words: they must not contain control characters of a terminal, nor fill the log.
            print(message[:500].encode("unicode_escape").decode("ascii"), flush=True)
        content = json.dumps({"message": message}).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _blocks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := answer.read1(1 << 16):
        yield block


def give_up_rights(engine: Path) -> None:
    """Drops root and continues as an ordinary user, in the group that owns the engine's socket."""
    if os.getuid() == 0:
        os.setgroups([engine.stat().st_gid])
        os.setgid(USER)
        os.setuid(USER)


def healthy(path: Path) -> int:
    """Returns 0 if the engine answers through the guard."""
    with Engine(path).ask("GET", "/_ping") as answer:
        return 0 if answer.read() == b"OK" else 1


def main() -> int:
    """Serves until it gets a signal to end; returns the exit code."""
    engine, policy = Engine(ENGINE), Policy.of(os.environ)
    print(f"removed {engine.clear(policy.stack)} containers of an earlier start", flush=True)
    with Guard(SOCKET, engine, policy) as guard:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=guard.shutdown).start())
        print(f"guarding {ENGINE} for {policy.stack}", flush=True)
        guard.serve_forever(poll_interval=0.2)
    print(f"removed {engine.clear(policy.stack)} containers", flush=True)
    return 0


if __name__ == "__main__":
    give_up_rights(ENGINE)
    sys.exit(healthy(SOCKET) if sys.argv[1:] == ["--healthy"] else main())
