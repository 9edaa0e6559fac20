"""An API server for pods, over real HTTP on loopback: create, read, list, watch, patch, log, delete, and their events.

It judges as a cluster's does: by the Role that `deploy/kubernetes` gives Airflow, and by the Pod Security Standard
"restricted". `requests` tells what was asked; `fault` may answer in its place and `cut` may break off a log or a watch
in the middle, so that a test can prove that its fault was met.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from tests.fakes.kubernetes.cluster import Carrier, Cluster, Pod
from tests.fakes.kubernetes.pod_security import RESTRICTED, violations
from tests.waiting import STANDSTILL_SECONDS

REPOSITORY = Path(__file__).parents[3]
Answer = tuple[int, str]
PODS = "/api/v1/namespaces/{namespace}/pods"
EVENTS = "/api/v1/namespaces/{namespace}/events"
_POLL_SECONDS = 0.03


def rules_of_airflow() -> list[dict[str, Any]]:
    """Returns what the manifest allows Airflow to do."""
    manifest = (REPOSITORY / "deploy" / "kubernetes" / "access.yaml").read_text(encoding="utf-8")
    [role] = [document for document in yaml.safe_load_all(manifest) if document["kind"] == "Role"]
    return list(role["rules"])


@dataclass
class ApiServer:
    """The server's own behaviour; what it shows is the cluster's."""

    cluster: Cluster
    rules: list[dict[str, Any]] = field(default_factory=rules_of_airflow)
    namespace: str = "crypto-lakehouse"
    # An answer in place of the real one; status 0 breaks the connection off.
    fault: Callable[[str, str], Answer | None] = lambda _method, _path: None
    # Whether an answer is lost on its way, after what was asked has been done.
    lose: Callable[[str, str], bool] = lambda _method, _path: False
    # Whether to break off what streams, after so many of its lines.
    cut: Callable[[str, int], bool] = lambda _path, _sent: False
    # What the server says of a pod, over what is true.
    lie: Callable[[Pod], None] = lambda _pod: None
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)
    url: str = ""

    def shown(self, pod: Pod) -> Pod:
        answer = deepcopy(pod)
        self.lie(answer)
        return answer

    def read(self, name: str) -> Pod | None:
        with self.cluster.lock:
            tracked = self.cluster.tracked_pods.get(name)
            return None if tracked is None else self.shown(tracked.pod)

    def matching(self, selector: str) -> list[Pod]:
        pods = [self.shown(pod) for pod in self.cluster.pods.values()]
        conditions = [condition for condition in selector.split(",") if condition]
        return [pod for pod in pods if all(_fits(pod["metadata"]["labels"], condition) for condition in conditions)]

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        return namespace == self.namespace and any(
            verb in rule["verbs"] and resource in rule["resources"] for rule in self.rules
        )


def _fits(labels: dict[str, str], condition: str) -> bool:
    if condition.startswith("!"):
        return condition[1:] not in labels
    if "!=" in condition:
        name, _, value = condition.partition("!=")
        return labels.get(name) != value
    name, _, value = condition.partition("=")
    return labels.get(name) == value


def refusal(status: int, reason: str, message: str = "") -> web.Response:
    """Returns what the API says when it says no."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return web.json_response({**body, "message": message or reason}, status=status)


def _asked(request: web.Request) -> tuple[str, str]:
    """Returns verb and resource of a request, in the words of roles."""
    resource = request.path.split("/")[5]
    if request.path.endswith("/log"):
        return "get", "pods/log"
    by_method = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "GET": "list"}
    verb = by_method[request.method]
    if verb == "list" and "name" in request.match_info:
        verb = "get"
    if verb == "list" and request.query.get("watch") in {"true", "True", "1"}:
        verb = "watch"
    return verb, resource


class _Handlers:
    def __init__(self, server: ApiServer) -> None:
        self.server, self.cluster = server, server.cluster

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        server = self.server
        server.requests.append(f"{request.method} {request.path}")
        planned = server.fault(request.method, request.path)
        if planned is not None:
            if planned[0] == 0:
                assert request.transport is not None
                request.transport.abort()
            return refusal(*(planned if planned[0] else (500, "cut")))
        verb, resource = _asked(request)
        namespace = request.match_info["namespace"]
        if not server.allows(verb, resource, namespace):
            said = f'{resource} is forbidden: User "airflow" cannot {verb} resource "{resource}" in "{namespace}"'
            server.refused.append(said)
            return refusal(403, "Forbidden", said)
        server.used.add((verb, resource))
        response = await handler(request)
        if server.lose(request.method, request.path):
            assert request.transport is not None
            request.transport.abort()
        return response

    async def create(self, request: web.Request) -> web.Response:
        pod = await request.json()
        name = pod["metadata"]["name"]
        if name in self.cluster.tracked_pods:
            return refusal(409, "AlreadyExists", f'pods "{name}" already exists')
        broken = violations(pod, RESTRICTED)
        if broken:
            return refusal(403, "Forbidden", f'violates PodSecurity "restricted:latest": {", ".join(broken)}')
        pod["metadata"].setdefault("namespace", request.match_info["namespace"])
        self.cluster.add(pod)
        return web.json_response(self.server.read(name), status=201)

    async def read(self, request: web.Request) -> web.Response:
        pod = self.server.read(request.match_info["name"])
        return web.json_response(pod) if pod else refusal(404, "NotFound")

    async def patch(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.cluster.tracked_pods:
            return refusal(404, "NotFound")
        self.cluster.label(name, (await request.json())["metadata"]["labels"])
        return await self.read(request)

    async def delete(self, request: web.Request) -> web.Response:
        pod = self.server.read(request.match_info["name"])
        if pod is None:
            return refusal(404, "NotFound")
        asked = request.query.get("gracePeriodSeconds")
        self.cluster.remove(request.match_info["name"], None if asked is None else float(asked))
        return web.json_response(pod)

    async def list_(self, request: web.Request) -> web.StreamResponse:
        selector = request.query.get("labelSelector", "")
        if _asked(request)[0] == "watch":
            return await self._watch(request, lambda: self.server.matching(selector))
        items = self.server.matching(selector)
        return web.json_response(_listed("PodList", items, self.cluster.version))

    async def events(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("fieldSelector", "").removeprefix("involvedObject.name=")

        def found() -> list[dict[str, Any]]:
            return [event for event in list(self.cluster.events) if event["involvedObject"]["name"] == wanted]

        if _asked(request)[0] == "watch":
            return await self._watch(request, found)
        return web.json_response(_listed("EventList", found(), self.cluster.version))

    async def _watch(self, request: web.Request, found: Callable[[], list[dict[str, Any]]]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        seen: dict[str, int] = {}
        since, sent = int(request.query.get("resourceVersion") or 0), 0
        deadline = asyncio.get_running_loop().time() + float(request.query.get("timeoutSeconds", 30))
        while asyncio.get_running_loop().time() < deadline:
            for item in found():
                name, version = item["metadata"]["name"], int(item["metadata"]["resourceVersion"])
                if version <= seen.get(name, since):
                    continue
                kind = "MODIFIED" if name in seen else "ADDED"
                seen[name], sent = version, sent + 1
                if not await self._sent(request, response, json.dumps({"type": kind, "object": item}).encode(), sent):
                    return response
            await asyncio.sleep(_POLL_SECONDS)
        return response

    async def _sent(self, request: web.Request, response: web.StreamResponse, line: bytes, number: int) -> bool:
        """Sends a line; returns whether the other side still takes more."""
        if self.server.cut(request.path, number):
            assert request.transport is not None
            request.transport.abort()
            return False
        try:
            await response.write(line + b"\n")
        except ConnectionError:
            return False
        return True

    async def log(self, request: web.Request) -> web.StreamResponse:
        tracked = self.cluster.tracked_pods.get(request.match_info["name"])
        if tracked is None:
            return refusal(404, "NotFound")
        if tracked.run is None:
            return refusal(400, "BadRequest", "container is waiting to start")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        since = request.query.get("sinceSeconds")
        earliest = datetime.now(UTC) - timedelta(seconds=float(since)) if since else datetime.min.replace(tzinfo=UTC)
        follows, sent, passed = request.query.get("follow") in {"true", "True"}, 0, 0
        while True:
            is_over = tracked.run.ending() is not None or not follows
            for line in tracked.run.lines[passed:]:
                passed += 1
                if line.time < earliest:
                    continue
                stamp = line.time.isoformat().replace("+00:00", "Z").encode() + b" "
                text = (stamp if request.query.get("timestamps") in {"true", "True"} else b"") + line.text
                sent += 1
                if not await self._sent(request, response, text, sent):
                    return response
            if is_over or tracked.removing is not None:
                return response
            await asyncio.sleep(_POLL_SECONDS)


def _listed(kind: str, items: list[dict[str, Any]], version: int) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}, "items": items}


def _application(server: ApiServer) -> web.Application:
    handlers = _Handlers(server)
    application = web.Application(middlewares=[handlers.guard])
    application.add_routes(
        [
            web.post(PODS, handlers.create),
            web.get(PODS, handlers.list_),
            web.get(PODS + "/{name}", handlers.read),
            web.patch(PODS + "/{name}", handlers.patch),
            web.delete(PODS + "/{name}", handlers.delete),
            web.get(PODS + "/{name}/log", handlers.log),
            web.get(EVENTS, handlers.events),
        ]
    )
    return application


@contextmanager
def serving(carrier: Carrier) -> Iterator[ApiServer]:
    """Yields a server on loopback with an empty cluster; ends whatever runs in it afterwards."""
    cluster = Cluster(carrier)
    server, loop, is_up = ApiServer(cluster), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(_application(server), shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def serve() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        is_up.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert is_up.wait(STANDSTILL_SECONDS)
    try:
        yield server
    finally:
        cluster.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STANDSTILL_SECONDS)


def kube_config(server: ApiServer, path: Path) -> Path:
    """Writes and returns a file that leads clients to the server."""
    named = {"name": "here", "cluster": {"server": server.url}}
    context = {"name": "here", "context": {"cluster": "here", "user": "here"}}
    users = [{"name": "here", "user": {}}]
    rest = {"apiVersion": "v1", "kind": "Config", "current-context": "here"}
    path.write_text(json.dumps({**rest, "clusters": [named], "contexts": [context], "users": users}))
    return path
