"""How steps run far away: what Kubernetes and ECS are told; see docs/containers.md."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from crypto_lakehouse.vocabulary import Step

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")]
"""Of a secret in the cluster: its name and a key in it, `name/key`."""


def _listed(value: Any) -> Any:
    """Returns what a file of variables can say without quotes, `a,b`, as the list that it is."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [word for word in value.split(",") if word]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""In a variable `a,b`, or a JSON list."""
Steps = Annotated[tuple[Step, ...], NoDecode, BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Toleration(_Part):
    """A taint of nodes that steps put up with; the words are Kubernetes' own."""

    key: str | None = None
    operator: str = Field("Equal", pattern="^(Equal|Exists)$")
    value: str | None = None
    effect: str | None = Field(None, pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")


class StepRequests(_Part):
    """What a step's pod is sure to get, and what a node is chosen by; never more than its limits."""

    memory_mib: int | None = Field(None, ge=64)
    cpus: float | None = Field(None, gt=0)


class KubernetesSettings(_Part):
    """How steps run as pods; images, users and limits are those of `docker.*`."""

    namespace: str = Field("crypto-lakehouse", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    connection_id: str | None = Field(None, description="Airflow's; by default the cluster that the worker is in")
    deferrable: bool = Field(True, description="A triggerer waits for the pod, not a worker")
    service_account: str | None = Field(None, description="Of the steps; its role reaches the lake")
    image_pull_secrets: tuple[str, ...] = ()
    secrets: dict[VariableName, SecretKey] = Field(default_factory=dict, description="Variables of the steps")
    requests: dict[Step, StepRequests] = Field(default_factory=dict, description="By default the limits")
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    lake_claim: str | None = Field(None, description="The volume claim of a lake that is a folder")
    startup_timeout_seconds: int = Field(600, gt=0, description="For a node and the image, until the step starts")
    deadline_seconds: int = Field(21600, gt=0, description="The cluster ends a pod then, whoever waits for it or not")
    poll_seconds: float = Field(5.0, gt=0)


class EcsNetwork(_Part):
    """Where a task's network interface is."""

    subnets: Names = ()
    security_groups: Names = ()
    assign_public_ip: bool = False


class EcsSettings(EcsNetwork):
    """How steps run as tasks on ECS; image, role, size and secrets are the task definition's."""

    cluster: str = "crypto-lakehouse"
    region: str | None = None
    connection_id: str | None = Field(None, description="Airflow's; by default the worker's role")
    deferrable: bool = Field(True, description="A triggerer waits for the task, not a worker")
    launch_type: str = Field("FARGATE", pattern="^(FARGATE|EC2|EXTERNAL)$")
    spot: Steps = Field((), description="Steps on Fargate's spare capacity: cheaper, and killed when it is wanted back")
    family_prefix: str = Field("crypto-lakehouse", description="A step's task definition is this, `-`, its name")
    task_definitions: dict[Step, str] = Field(default_factory=dict, description="Whole names, over the prefix")
    container_name: str = Field("step", description="Of the step, in the task definition")
    networks: dict[Step, EcsNetwork] = Field(default_factory=dict, description="Of single steps, over the one above")
    ephemeral_gib: dict[Step, Annotated[int, Field(ge=21, le=200)]] = Field(
        default_factory=dict, description="Scratch space by step, over the task definition's"
    )
    has_lake_mount: bool = Field(False, description="The task definition mounts a lake that is a folder at /lake")
    logs_group: str | None = Field(
        None, description="Of awslogs, with `{step}` for the step's name; by default no lines reach the task's log"
    )
    logs_prefix: str = "step"
    poll_seconds: int = Field(10, ge=1)
    timeout_seconds: int = Field(43_200, gt=0, description="Longest wait for a task, its start included")

    def task_definition(self, step: Step) -> str:
        """Returns the task definition that carries out a step."""
        return self.task_definitions.get(step) or f"{self.family_prefix}-{step}"

    def network(self, step: Step) -> EcsNetwork:
        """Returns where a step runs."""
        return self.networks.get(step, self)

    def logs_group_of(self, step: Step) -> str | None:
        """Returns where a step's lines are."""
        return None if self.logs_group is None else self.logs_group.replace("{step}", step)
