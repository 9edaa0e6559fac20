"""A stand-in for ECS and CloudWatch's logs whose tasks are containers of the local engine.

It runs a task's image, command, variables and mounts and tells how the container ended. It does not look at the rights
of a task definition (user, root, capabilities, roles), at memory, nor at networks: `test_images` and `tests/terraform`
do. It has an environment of its own, since it wants another botocore than Airflow's provider.
"""

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.containers.engine import REPOSITORY, Engine
from tests.waiting import STANDSTILL_SECONDS, wait_until

REGION, CLUSTER = "ap-northeast-1", "crypto-lakehouse"
_LABEL = "ministack.instance"


@dataclass(frozen=True)
class Ministack:
    """Where it is, for this machine's processes and for its containers alike."""

    engine: Engine
    host: str
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What sends clients of ECS and of logs here, and no others."""
        return {
            "AWS_ENDPOINT_URL_ECS": self.endpoint,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        import boto3

        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def define(self, family: str, image: str, lake: Path, logs_group: str = "") -> None:
        """Makes a cluster and a step's task definition as Terraform does, but for a lake that is a folder."""
        client, container = self.client("ecs"), dict[str, Any](name="step", image=image)
        client.create_cluster(clusterName=CLUSTER)
        if logs_group:
            options = {"awslogs-group": logs_group, "awslogs-region": REGION, "awslogs-stream-prefix": "step"}
            container["logConfiguration"] = {"logDriver": "awslogs", "options": options}
        client.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            volumes=[{"name": "lake", "host": {"sourcePath": str(lake)}}],
            containerDefinitions=[{**container, "mountPoints": [{"sourceVolume": "lake", "containerPath": "/lake"}]}],
        )

    def containers(self, *more: str) -> list[str]:
        """Returns the ids of the containers that it has made and that are still there."""
        label = f"label={_LABEL}={_NAME}:{self.port}"
        return self.engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", label, *more).stdout.split()


_NAME = f"crypto-lakehouse-test-{os.getpid()}"


def find_ministack() -> Path | None:
    """Returns the program, where `make test-containers` or somebody else has installed it."""
    named = os.environ.get("MINISTACK") or REPOSITORY / ".venv-ministack" / "bin" / "ministack"
    found = shutil.which(named)
    return None if found is None else Path(found)


def gateway(engine: Engine) -> str:
    """Returns this machine's address on the engine's own network: containers and processes here both reach it."""
    (config,) = engine.inspect_network("bridge")["IPAM"]["Config"]
    # An engine that found the network at its start does not always name the gateway. It is the first address.
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))


@contextmanager
def ministack(engine: Engine, program: Path, folder: Path) -> Iterator[Ministack]:
    """Runs it on a free port; in the end none of its containers is left."""
    host = gateway(engine)
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    here = Ministack(engine, host, port)
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen([program], env=_variables(here), cwd=folder, stdout=log, stderr=log)
    try:
        _wait(here, process)
        yield here
    finally:
        process.terminate()
        process.wait(STANDSTILL_SECONDS)
        if left := here.containers():
            engine.run("rm", "--force", "--volumes", *left, check=False)


def _variables(here: Ministack) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "DOCKER_HOST", "TMPDIR"}}
    return {
        **kept,
        "BIND_HOST": here.host,
        "GATEWAY_PORT": str(here.port),
        "MINISTACK_HOSTNAME": _NAME,
        # Its default ends the forwarding of lines after ten silent seconds.
        "MINISTACK_DOCKER_TIMEOUT": "600",
        "MINISTACK_REGION": REGION,
    }


def _wait(here: Ministack, process: "subprocess.Popen[bytes]") -> None:
    def answers() -> bool:
        assert process.poll() is None, "ministack ended"
        try:
            with urllib.request.urlopen(f"{here.endpoint}/_ministack/health", timeout=60):
                return True
        except (urllib.error.URLError, OSError):
            return False

    wait_until(answers)
