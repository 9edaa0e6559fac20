"""What an API server for pods has behind it: a scheduler, a kubelet, and nodes with room.

A thread carries pods from Pending to their end, as the real parts do. What runs a container is a carrier:
`process_pods.Processes` here, or an engine in `tests/containers`. Tests change the world by its fields.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from tests.waiting import STANDSTILL_SECONDS

Pod = dict[str, Any]
_TICK_SECONDS = 0.03
_BACK_OFF_SECONDS = 0.6
ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class Line:
    """A line that a container printed."""

    time: datetime
    text: bytes


@dataclass(frozen=True)
class Ending:
    """How a container ended."""

    code: int
    is_out_of_memory: bool = False


@dataclass(frozen=True)
class Mount:
    """A volume in a container: a claim's folder, or room of this many MiB that goes with the pod."""

    path: str
    folder: Path | None
    mib: int = 64


class Run(Protocol):
    """A container at work."""

    lines: list[Line]

    def ending(self) -> Ending | None:
        """Returns how it ended once all it printed is in `lines`; None while it runs."""

    def stop(self, grace_seconds: float) -> None:
        """Ends it and leaves nothing of it."""


class Carrier(Protocol):
    """Runs containers."""

    def has(self, image: str) -> bool:
        """Returns whether the image can be had."""

    def start(self, pod: Pod, environment: Mapping[str, str], mounts: list[Mount]) -> Run:
        """Runs the pod's container."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, and what it has room for."""

    name: str = "node-0"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    mib: int = 1 << 20
    milli_cpus: int = 1_000_000


@dataclass
class TrackedPod:
    """A pod that the cluster has, with what is at work for it."""

    pod: Pod
    version: int
    starting: "Future[Run] | None" = None
    run: Run | None = None
    removing: "Future[None] | None" = None
    since: float = field(default_factory=time.monotonic)
    looked: float = 0.0

    @property
    def spec(self) -> dict[str, Any]:
        return self.pod["spec"]

    @property
    def container(self) -> dict[str, Any]:
        return self.pod["spec"]["containers"][0]

    @property
    def phase(self) -> str:
        return self.pod["status"]["phase"]


@dataclass
class Cluster:
    """What the cluster has and how it behaves; `created`, `placed` and `events` tell what happened in it."""

    carrier: Carrier
    nodes: tuple[Node, ...] = (Node(),)
    claims: dict[str, Path] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    # How long an ended or removed container is still shown as stopping.
    linger_seconds: float = 0.0
    created: list[Pod] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    tracked_pods: dict[str, TrackedPod] = field(default_factory=dict)
    version: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._workers = ThreadPoolExecutor(8)
        self._is_over = threading.Event()
        self._kubelet = threading.Thread(target=self._tick, daemon=True)
        self._kubelet.start()

    @property
    def pods(self) -> dict[str, Pod]:
        with self.lock:
            return {name: deepcopy(tracked.pod) for name, tracked in self.tracked_pods.items()}

    def close(self) -> None:
        """Ends everything that runs."""
        self._is_over.set()
        self._kubelet.join(STANDSTILL_SECONDS)
        with self.lock:
            left = list(self.tracked_pods.values())
        for tracked in left:
            _end(tracked, 0.0)
        self._workers.shutdown()

    def add(self, pod: Pod) -> None:
        """Takes a pod on."""
        with self.lock:
            number = str(len(self.created))
            pod["metadata"] |= {"uid": f"uid-{number}", "creationTimestamp": now()}
            pod["metadata"].setdefault("labels", {})
            pod["status"] = {"phase": "Pending"}
            self.created.append(deepcopy(pod))
            self.tracked_pods[pod["metadata"]["name"]] = tracked = TrackedPod(pod, 0)
            self._changed(tracked)

    def label(self, name: str, labels: Mapping[str, str]) -> None:
        """Adds labels to a pod."""
        with self.lock:
            self.tracked_pods[name].pod["metadata"]["labels"] |= labels
            self._changed(self.tracked_pods[name])

    def remove(self, name: str, grace_seconds: float | None = None) -> None:
        """Begins to remove a pod: it is shown until its container is gone."""
        with self.lock:
            tracked = self.tracked_pods[name]
            if tracked.removing is None:
                grace = (
                    tracked.spec.get("terminationGracePeriodSeconds", 30) if grace_seconds is None else grace_seconds
                )
                tracked.pod["metadata"]["deletionTimestamp"] = now()
                tracked.removing = self._workers.submit(self._removed, tracked, grace)
                self._changed(tracked)

    def forget(self, name: str) -> None:
        """Removes a pod with its container at once, as when its node is gone."""
        with self.lock:
            tracked = self.tracked_pods.pop(name)
        _end(tracked, 0.0)

    def _removed(self, tracked: TrackedPod, grace_seconds: float) -> None:
        _end(tracked, grace_seconds)
        time.sleep(self.linger_seconds)
        with self.lock:
            self.tracked_pods.pop(tracked.pod["metadata"]["name"], None)
            self.version += 1

    def _changed(self, tracked: TrackedPod) -> None:
        self.version += 1
        tracked.version = self.version
        tracked.pod["metadata"]["resourceVersion"] = str(self.version)

    def _set(self, tracked: TrackedPod, **status: Any) -> None:
        with self.lock:
            if {**tracked.pod["status"], **status} != tracked.pod["status"]:
                tracked.pod["status"] |= status
                self._changed(tracked)

    def tell(self, tracked: TrackedPod, kind: str, reason: str, message: str) -> None:
        """Notes an event of a pod, once."""
        with self.lock:
            about = {"kind": "Pod", "name": tracked.pod["metadata"]["name"], "uid": tracked.pod["metadata"]["uid"]}
            about |= {"namespace": tracked.pod["metadata"]["namespace"]}
            said = {"type": kind, "reason": reason, "message": message, "involvedObject": about}
            if not any(said.items() <= event.items() for event in self.events):
                self.version += 1
                number = str(self.version)
                meta = {"name": f"event-{number}", "namespace": about["namespace"], "uid": f"event-{number}"}
                self.events.append({**said, "metadata": {**meta, "resourceVersion": number}, "lastTimestamp": now()})

    def _tick(self) -> None:
        while not self._is_over.wait(_TICK_SECONDS):
            with self.lock:
                pods = list(self.tracked_pods.values())
            for tracked in pods:
                # Whoever shows a pod meanwhile shows all of a change or nothing.
                with self.lock:
                    self._advance(tracked)

    def _advance(self, tracked: TrackedPod) -> None:
        if tracked.phase in ENDED or tracked.removing is not None:
            return
        if tracked.run is not None:
            self._watched(tracked, tracked.run)
        elif tracked.starting is not None:
            self._started(tracked)
        elif "nodeName" not in tracked.spec:
            self._schedule(tracked)
        elif time.monotonic() - tracked.looked > _BACK_OFF_SECONDS:
            tracked.looked = time.monotonic()
            self._prepare(tracked)

    def _schedule(self, tracked: TrackedPod) -> None:
        reasons = [self._against(tracked, node) for node in self.nodes]
        if None in reasons:
            tracked.spec["nodeName"] = self.nodes[reasons.index(None)].name
            self.placed.append(tracked.spec["nodeName"])
            scheduled = {"type": "PodScheduled", "status": "True"}
            self._set(tracked, conditions=[scheduled], containerStatuses=[_waiting(tracked, "ContainerCreating", "")])
            self.tell(tracked, "Normal", "Scheduled", f"Successfully assigned {tracked.pod['metadata']['name']}")
            return
        said = f"0/{len(self.nodes)} nodes are available: {', '.join(f'1 {reason}' for reason in reasons)}."
        refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
        self._set(tracked, conditions=[refused])
        self.tell(tracked, "Warning", "FailedScheduling", said)

    def _against(self, tracked: TrackedPod, node: Node) -> str | None:
        """Returns why a pod does not fit on a node."""
        selector = tracked.spec.get("nodeSelector") or {}
        if not selector.items() <= node.labels.items():
            return "node(s) didn't match Pod's node affinity/selector"
        if any(not _tolerated(taint, tracked.spec.get("tolerations") or []) for taint in node.taints):
            return "node(s) had untolerated taint"
        others = [other for other in self.tracked_pods.values() if other.spec.get("nodeName") == node.name]
        asked = [_requested(other) for other in (tracked, *(other for other in others if other.phase not in ENDED))]
        if sum(mib for mib, _ in asked) > node.mib:
            return "Insufficient memory"
        return "Insufficient cpu" if sum(cpus for _, cpus in asked) > node.milli_cpus else None

    def _prepare(self, tracked: TrackedPod) -> None:
        image = tracked.container["image"]
        if not self.carrier.has(image):
            said = f'Failed to pull image "{image}": not found'
            self.tell(tracked, "Warning", "Failed", said)
            is_first = _reason(tracked) == "ContainerCreating"
            reason = "ErrImagePull" if is_first or _reason(tracked) == "ImagePullBackOff" else "ImagePullBackOff"
            shown = said if reason == "ErrImagePull" else f'Back-off pulling image "{image}"'
            self._set(tracked, containerStatuses=[_waiting(tracked, reason, shown)])
            return
        missing = [reference for reference in _references(tracked.container) if reference not in self.secrets]
        if missing:
            said = f'secret "{missing[0].partition("/")[0]}" not found'
            self._set(tracked, containerStatuses=[_waiting(tracked, "CreateContainerConfigError", said)])
            self.tell(tracked, "Warning", "Failed", f"Error: {said}")
            return
        tracked.starting = self._workers.submit(
            self.carrier.start, deepcopy(tracked.pod), self._environment(tracked), list(self._mounts(tracked))
        )

    def _environment(self, tracked: TrackedPod) -> dict[str, str]:
        plain = {item["name"]: item.get("value", "") for item in tracked.container["env"] if "valueFrom" not in item}
        referred = [item for item in tracked.container["env"] if "valueFrom" in item]
        return plain | {item["name"]: self.secrets[_key(item)] for item in referred}

    def _mounts(self, tracked: TrackedPod) -> Iterator[Mount]:
        volumes = {volume["name"]: volume for volume in tracked.spec["volumes"]}
        for mount in tracked.container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if claim := volume.get("persistentVolumeClaim"):
                yield Mount(mount["mountPath"], self.claims[claim["claimName"]])
            else:
                yield Mount(mount["mountPath"], None, mebibytes(volume["emptyDir"].get("sizeLimit", "64Mi")))

    def _started(self, tracked: TrackedPod) -> None:
        assert tracked.starting is not None
        if tracked.starting.done():
            tracked.run = tracked.starting.result()
            running = {"running": {"startedAt": now()}}
            self._set(tracked, phase="Running", startTime=now(), containerStatuses=[_shown(tracked, running)])
            self.tell(tracked, "Normal", "Started", "Started container base")

    def _watched(self, tracked: TrackedPod, run: Run) -> None:
        deadline = tracked.spec.get("activeDeadlineSeconds")
        ending = run.ending()
        if ending is None and deadline is not None and time.monotonic() - tracked.since > deadline:
            run.stop(0.0)
            said = {"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the deadline"}
            facts = {"exitCode": 137, "reason": "Error", "startedAt": now(), "finishedAt": now()}
            self._set(tracked, phase="Failed", containerStatuses=[_shown(tracked, {"terminated": facts})], **said)
            return
        if ending is not None:
            reason = "OOMKilled" if ending.is_out_of_memory else "Error" if ending.code else "Completed"
            facts = {"exitCode": ending.code, "reason": reason, "startedAt": now(), "finishedAt": now()}
            phase = "Failed" if ending.code else "Succeeded"
            self._set(tracked, phase=phase, containerStatuses=[_shown(tracked, {"terminated": facts})])


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def mebibytes(text: str) -> int:
    """Returns a quantity of Kubernetes' in MiB.

    >>> mebibytes("2Gi"), mebibytes("96Mi")
    (2048, 96)
    """
    return int(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def _requested(tracked: TrackedPod) -> tuple[int, int]:
    asked = tracked.container["resources"]["requests"]
    return mebibytes(asked["memory"]), int(asked["cpu"].removesuffix("m"))


def _tolerated(taint: str, tolerations: list[dict[str, str]]) -> bool:
    """Returns whether `key=value:effect` is put up with."""
    pair, _, effect = taint.partition(":")
    key, _, value = pair.partition("=")
    return any(
        toleration.get("effect") in {None, effect}
        and toleration.get("key") in {None, key}
        and (toleration.get("operator") == "Exists" or toleration.get("value", "") == value)
        for toleration in tolerations
    )


def _key(item: dict[str, Any]) -> str:
    reference = item["valueFrom"]["secretKeyRef"]
    return f"{reference['name']}/{reference['key']}"


def _references(container: dict[str, Any]) -> list[str]:
    return [_key(item) for item in container["env"] if "valueFrom" in item]


def _reason(tracked: TrackedPod) -> str:
    return tracked.pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason", "")


def _waiting(tracked: TrackedPod, reason: str, message: str) -> dict[str, Any]:
    return _shown(tracked, {"waiting": {"reason": reason, "message": message}})


def _shown(tracked: TrackedPod, state: dict[str, Any]) -> dict[str, Any]:
    rest = {"image": tracked.container["image"], "imageID": "", "restartCount": 0, "ready": "running" in state}
    return {"name": tracked.container["name"], "state": state, **rest}


def _end(tracked: TrackedPod, grace_seconds: float) -> None:
    run = tracked.run if tracked.run is not None or tracked.starting is None else tracked.starting.result()
    if run is not None:
        run.stop(grace_seconds)
