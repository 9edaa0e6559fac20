"""Runs a pod's container in a Docker engine, under what the pod's specification says: image, user, rights, room."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from tests.fakes.kubernetes.cluster import Ending, Line, Mount, Pod, mebibytes
from tests.waiting import STANDSTILL_SECONDS

LABEL = "crypto-lakehouse-kubernetes"


class ContainerRun:
    """A container, and what it printed."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.lines: list[Line] = []
        container.start()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = b""
        for chunk in self.container.logs(stream=True, follow=True):
            *whole, rest = (rest + chunk).split(b"\n")
            self.lines += [Line(datetime.now(UTC), text) for text in whole]
        if rest:
            self.lines.append(Line(datetime.now(UTC), rest))

    def ending(self) -> Ending | None:
        if self._reader.is_alive():
            return None
        self.container.reload()
        state = self.container.attrs["State"]
        return None if state["Running"] else Ending(state["ExitCode"], state["OOMKilled"])

    def stop(self, grace_seconds: float) -> None:
        from docker.errors import APIError

        # It may have ended or been removed meanwhile.
        with suppress(APIError):
            self.container.stop(timeout=round(grace_seconds))
        with suppress(APIError):
            self.container.remove(force=True, v=True)
        self._reader.join(STANDSTILL_SECONDS)


class EnginePods:
    """A carrier of containers.

    Args:
        network: Of a pod, by its labels.
    """

    def __init__(self, name: str, network: Callable[[Mapping[str, str]], str] = lambda _labels: "none") -> None:
        import docker

        self.name, self.network = name, network
        self.client = docker.from_env(version="auto")
        self.inspected: list[dict[str, Any]] = []

    def has(self, image: str) -> bool:
        from docker.errors import ImageNotFound

        try:
            self.client.images.get(image)
        except ImageNotFound:
            return False
        return True

    def start(self, pod: Pod, environment: Mapping[str, str], mounts: list[Mount]) -> ContainerRun:
        container = pod["spec"]["containers"][0]
        made = self.client.containers.create(
            container["image"],
            container["args"],
            name=f"{LABEL}-{self.name}-{pod['metadata']['uid']}",
            environment=dict(environment),
            labels={LABEL: self.name},
            network_mode=self.network(pod["metadata"]["labels"]),
            **_rights(pod),
            **_room(container, mounts, pod["spec"]["securityContext"]["fsGroup"]),
        )
        run = ContainerRun(made)
        self.inspected.append(self.client.api.inspect_container(made.id))
        return run

    def left(self) -> list[str]:
        """Returns the containers that are still there."""
        found = self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.name}"})
        return [container.name for container in found]

    def close(self) -> None:
        self.client.close()


def _rights(pod: Pod) -> dict[str, Any]:
    of_pod, of_container = pod["spec"]["securityContext"], pod["spec"]["containers"][0]["securityContext"]
    options = [] if of_container["allowPrivilegeEscalation"] else ["no-new-privileges"]
    profile = of_container.get("seccompProfile", of_pod["seccompProfile"])["type"]
    # The engine's own profile is what a runtime's default is.
    options += ["seccomp=unconfined"] if profile == "Unconfined" else []
    return {
        "user": f"{of_pod['runAsUser']}:{of_pod['runAsGroup']}",
        "group_add": [str(of_pod["fsGroup"])],
        "read_only": of_container["readOnlyRootFilesystem"],
        "cap_drop": of_container["capabilities"].get("drop", []),
        "cap_add": of_container["capabilities"].get("add", []),
        "security_opt": options,
    }


def _room(container: dict[str, Any], mounts: list[Mount], group: int) -> dict[str, Any]:
    from docker import types

    limits = container["resources"]["limits"]
    memory = f"{mebibytes(limits['memory'])}m"
    return {
        "mem_limit": memory,
        # A cluster's nodes do not swap.
        "memswap_limit": memory,
        "nano_cpus": int(limits["cpu"].removesuffix("m")) * 1_000_000,
        "mounts": [types.Mount(mount.path, str(mount.folder), "bind") for mount in mounts if mount.folder],
        # A pod's own volumes are root's, and writable for its group.
        "tmpfs": {
            mount.path: f"rw,mode=2770,gid={group},size={mount.mib}m" for mount in mounts if mount.folder is None
        },
    }
