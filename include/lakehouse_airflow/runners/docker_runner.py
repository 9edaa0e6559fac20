"""Runs a step in a container of a Docker engine.

It uses the engine's own client and not the provider's `DockerOperator` (4.6.1). That operator has no read-only root, no
dropped capabilities, security options, init or limit of processes, and it leaves the container of a lost try
running.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.container import WORK, ContainerPlan, container_plan
from lakehouse_airflow.runners.runner import RunContext

_GRACE_SECONDS = 10
_LABEL = "crypto-lakehouse."
_PIDS = 512


class DockerRunner:
    """Starts one container per try and removes it in the end.

    A container has no capabilities, a read-only root and scratch space in memory.
    """

    def __init__(self) -> None:
        self._container: Any = None
        self._stopped = threading.Event()

    def run(self, step: Step, order_key: str, context: RunContext) -> int:
        """Returns the container's exit code.

        Raises:
            AirflowException: The engine does not answer, or the container was removed.
            AirflowFailException: The image does not exist, or the engine refuses the container for good.
        """
        plan = container_plan(step, order_key, context.settings, os.environ)
        labels = {"step": step.value, "order": order_key, **context.labels}
        context.log(f"container {plan.name} of {plan.image}, network {plan.network}")
        with _translated(plan), _client(context) as client:
            # A container of an earlier try, whose worker died, must not write at the same time.
            _remove(client, plan.name)
            _ensure_image(client, plan.image)
            self._container = _create(client, plan, labels, context.settings.docker.user)
            try:
                return self._watch(self._container, context)
            finally:
                # By its id: a later try may have a container of the same name by now.
                _remove(client, self._container.id)
                self._container = None

    def _watch(self, container: Any, context: RunContext) -> int:
        from docker.errors import NotFound

        if self._stopped.is_set():
            raise AirflowException("stopped before the container was started")
        container.start()
        try:
            for line in _lines(container.logs(stream=True, follow=True)):
                context.log(line)
            code = int(container.wait()["StatusCode"])
            container.reload()
        except NotFound as error:
            raise AirflowException("the container was removed while it ran") from error
        state = container.attrs["State"]
        if state.get("OOMKilled"):
            context.log(
                "the container needed more memory than its limit. Raise memory_mib in docker.limits for this step"
            )
        if state.get("Error"):
            context.log(f"the engine reports: {state['Error']}")
        return code

    def stop(self) -> None:
        """Ends the container; the step gets some seconds to clean up."""
        self._stopped.set()
        container = self._container
        if container is not None:
            from docker.errors import APIError

            try:
                container.stop(timeout=_GRACE_SECONDS)
            except APIError as error:
                # It ended meanwhile.
                if error.status_code not in {404, 409}:
                    raise


@contextmanager
def _client(context: RunContext) -> Iterator[Any]:
    import docker

    host = context.settings.docker.host
    client = docker.DockerClient(base_url=host, version="auto") if host else docker.from_env(version="auto")
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _translated(plan: ContainerPlan) -> Iterator[None]:
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        # 4xx: the engine would refuse it again. The error may quote the request, so only its explanation is shown.
        kind = AirflowFailException if error.is_client_error() and error.status_code != 409 else AirflowException
        raise kind(f"the engine refused container {plan.name}: {error.explanation}") from error
    except (DockerException, RequestException, OSError) as error:
        raise AirflowException(f"the engine does not answer: {type(error).__name__}") from error


def _ensure_image(client: Any, name: str) -> None:
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except APIError as error:
            # A registry that does not answer may do so later; one that refuses would refuse again.
            kind = AirflowFailException if error.is_client_error() else AirflowException
            message = f"image {name} does not exist, and pulling it failed: {error.explanation}"
            raise kind(f"{message}. Build it with `make images`, or set docker.images") from error


def _create(client: Any, plan: ContainerPlan, labels: Mapping[str, str], user: str) -> Any:
    from docker.types import Mount

    return client.containers.create(
        plan.image,
        list(plan.command),
        name=plan.name,
        environment=dict(plan.environment),
        labels={f"{_LABEL}{name}": value for name, value in labels.items()},
        mounts=[
            Mount(mount.target, mount.source, _kind(mount.source), read_only=mount.is_read_only)
            for mount in plan.mounts
        ],
        network_mode=plan.network,
        user=user,
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={WORK: f"rw,mode=1777,size={plan.limits.scratch_mib}m"},
        mem_limit=f"{plan.limits.memory_mib}m",
        nano_cpus=int(plan.limits.cpus * 1e9),
        pids_limit=_PIDS,
    )


def _kind(source: str) -> str:
    return "bind" if source.startswith("/") else "volume"


def _remove(client: Any, name_or_id: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        client.containers.get(name_or_id).remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        # It is being removed already.
        if error.status_code != 409:
            raise


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yields the lines of a stream whose chunks end anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
