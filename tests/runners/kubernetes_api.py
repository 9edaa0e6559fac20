"""An API server for pods, over real HTTP on loopback: create, read, list, watch, patch, log, delete.

Each pod's command is run as a process of this machine: an image is a command line here, a claim is a folder, and a
variable that names a mount's path names the folder instead. `requests` records what was asked; `fault` may answer in
its place, so that a test can prove that its fault was met.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

Answer = tuple[int, str]


@dataclass
class Run:
    """A pod's process and what it printed."""

    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str]


@dataclass
class Cluster:
    """What the cluster has, and how it behaves."""

    images: dict[str, list[str]] = field(default_factory=dict)
    claims: dict[str, Path] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    fault: Callable[[str, str], Answer | None] = lambda _method, _path: None
    # What the server says of a pod, over what is true.
    lie: Callable[[dict[str, Any]], None] = lambda _pod: None
    # Reads that a removed pod still answers, while its containers stop.
    lingering_reads: int = 0
    requests: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    url: str = ""
    folder: Path = Path()

    def start(self, pod: dict[str, Any]) -> None:
        name, spec = pod["metadata"]["name"], pod["spec"]
        container = spec["containers"][0]
        pod["metadata"] |= {"uid": f"uid-{len(self.created)}", "creationTimestamp": _now(), "resourceVersion": "1"}
        self.created.append(deepcopy(pod))
        self.pods[name] = pod
        command = self.images.get(container["image"])
        if command is None:
            pod["status"] = _waiting(container, "ErrImagePull")
            return
        environment = self._environment(spec, container)
        log = self.folder / f"{pod['metadata']['uid']}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *container["args"]], stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        self.runs[name] = Run(process, log, environment)

    def _environment(self, spec: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
        folders = {}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            claim = volumes[mount["name"]].get("persistentVolumeClaim")
            folder = self.claims[claim["claimName"]] if claim else tempfile.mkdtemp(dir=self.folder)
            folders[mount["mountPath"]] = str(folder)
        found = {"PATH": os.environ["PATH"]}
        for one in container["env"]:
            if "valueFrom" in one:
                reference = one["valueFrom"]["secretKeyRef"]
                found[one["name"]] = self.secrets[f"{reference['name']}/{reference['key']}"]
            else:
                found[one["name"]] = folders.get(one.get("value", ""), one.get("value", ""))
        return found

    def read(self, name: str) -> dict[str, Any] | None:
        pod = self.pods.get(name)
        if pod is None:
            return None
        if "deletionTimestamp" in pod["metadata"]:
            self.lingering_reads -= 1
            if self.lingering_reads < 0:
                del self.pods[name]
                return None
        run = self.runs.get(name)
        if run is not None:
            pod["status"] = _status(pod["spec"]["containers"][0], run.process.poll())
        answer = deepcopy(pod)
        self.lie(answer)
        return answer

    def matching(self, selector: str) -> list[dict[str, Any]]:
        pods = [self.read(name) for name in list(self.pods)]
        return [
            pod for pod in pods if pod and all(_fits(pod["metadata"]["labels"], one) for one in selector.split(","))
        ]

    def end(self, name: str) -> None:
        run = self.runs.pop(name, None)
        if run is not None:
            run.process.kill()
            run.process.wait()
        if self.lingering_reads > 0:
            self.pods[name]["metadata"]["deletionTimestamp"] = _now()
        else:
            self.pods.pop(name, None)


def _fits(labels: dict[str, str], condition: str) -> bool:
    if condition.startswith("!"):
        return condition[1:] not in labels
    if "!=" in condition:
        name, _, value = condition.partition("!=")
        return labels.get(name) != value
    name, _, value = condition.partition("=")
    return labels.get(name) == value


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(container: dict[str, Any], code: int | None) -> dict[str, Any]:
    if code is None:
        phase, state = "Running", {"running": {"startedAt": _now()}}
    else:
        phase = "Failed" if code else "Succeeded"
        ended = {"exitCode": code % 256, "startedAt": _now(), "finishedAt": _now()}
        state = {"terminated": {**ended, "reason": "Error" if code else "Completed"}}
    return {"phase": phase, "containerStatuses": [_container_status(container, state)], "startTime": _now()}


def _waiting(container: dict[str, Any], reason: str) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": f"no image {container['image']}"}}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()}
    return {
        "phase": "Pending",
        "conditions": [scheduled],
        "containerStatuses": [_container_status(container, state)],
        "startTime": _now(),
    }


def _container_status(container: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    rest = {"image": container["image"], "imageID": "", "restartCount": 0, "ready": "running" in state}
    return {"name": container["name"], "state": state, **rest}


def _refusal(status: int, reason: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return web.json_response({**body, "message": reason}, status=status)


def _application(cluster: Cluster) -> web.Application:  # noqa: C901  one handler per verb of the API
    pods = "/api/v1/namespaces/{namespace}/pods"

    @web.middleware
    async def recorded(request: web.Request, handler: Any) -> web.StreamResponse:
        cluster.requests.append(f"{request.method} {request.path}")
        planned = cluster.fault(request.method, request.path)
        if planned is None:
            return await handler(request)
        if planned[0] == 0:
            assert request.transport is not None
            request.transport.abort()
        return _refusal(*(planned if planned[0] else (500, "cut")))

    async def create(request: web.Request) -> web.Response:
        pod = await request.json()
        if pod["metadata"]["name"] in cluster.pods:
            return _refusal(409, "AlreadyExists")
        cluster.start(pod)
        return web.json_response(cluster.read(pod["metadata"]["name"]), status=201)

    async def read(request: web.Request) -> web.Response:
        pod = cluster.read(request.match_info["name"])
        return web.json_response(pod) if pod else _refusal(404, "NotFound")

    async def list_(request: web.Request) -> web.Response:
        items = cluster.matching(request.query.get("labelSelector", "!none"))
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def patch(request: web.Request) -> web.Response:
        pod = cluster.pods.get(request.match_info["name"])
        if pod is None:
            return _refusal(404, "NotFound")
        pod["metadata"]["labels"] |= (await request.json())["metadata"]["labels"]
        return web.json_response(cluster.read(request.match_info["name"]))

    async def delete(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in cluster.pods:
            return _refusal(404, "NotFound")
        pod = deepcopy(cluster.pods[name])
        cluster.end(name)
        return web.json_response(pod)

    async def log(request: web.Request) -> web.StreamResponse:
        run = cluster.runs.get(request.match_info["name"])
        if run is None:
            return _refusal(404, "NotFound")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        sent = 0
        while True:
            is_over = run.process.poll() is not None or "follow" not in request.query
            *lines, _ = run.log.read_bytes().split(b"\n")
            for line in lines[sent:]:
                stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z").encode()
                with suppress(ConnectionError):
                    await response.write(stamp + b" " + line + b"\n")
            sent = len(lines)
            if is_over:
                return response
            await asyncio.sleep(0.05)

    async def events(_request: web.Request) -> web.Response:
        return web.json_response({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []})

    application = web.Application(middlewares=[recorded])
    application.add_routes(
        [
            web.post(pods, create),
            web.get(pods, list_),
            web.get(pods + "/{name}", read),
            web.patch(pods + "/{name}", patch),
            web.delete(pods + "/{name}", delete),
            web.get(pods + "/{name}/log", log),
            web.get("/api/v1/namespaces/{namespace}/events", events),
        ]
    )
    return application


@contextmanager
def serving(folder: Path) -> Iterator[Cluster]:
    """Yields a cluster that answers on loopback, and ends its processes."""
    cluster, loop, is_up = Cluster(folder=folder), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(_application(cluster), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        cluster.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
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
    is_up.wait(10)
    try:
        yield cluster
    finally:
        for name in list(cluster.runs):
            cluster.end(name)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def kube_config(cluster: Cluster, path: Path) -> Path:
    """Writes and returns a file that leads clients to the cluster."""
    named = {"name": "here", "cluster": {"server": cluster.url}}
    context = {"name": "here", "context": {"cluster": "here", "user": "here"}}
    users = [{"name": "here", "user": {}}]
    rest = {"apiVersion": "v1", "kind": "Config", "current-context": "here"}
    path.write_text(json.dumps({**rest, "clusters": [named], "contexts": [context], "users": users}))
    return path
