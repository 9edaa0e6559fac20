"""How steps run far away: what Kubernetes and ECS are told; see docs/containers.md."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crypto_lakehouse.vocabulary import Step

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")]
"""Of a secret in the cluster: its name and a key in it, `name/key`."""


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


class EcsSettings(_Part):
    """How steps run as tasks on ECS; image, role, size and secrets are the task definition's."""

    cluster: str = "crypto-lakehouse"
    region: str | None = None
    connection_id: str | None = Field(None, description="Airflow's; by default the worker's role")
    deferrable: bool = Field(True, description="A triggerer waits for the task, not a worker")
    launch_type: str = Field("FARGATE", pattern="^(FARGATE|EC2|EXTERNAL)$")
    family_prefix: str = Field("crypto-lakehouse", description="A step's task definition is this, `-`, its name")
    task_definitions: dict[Step, str] = Field(default_factory=dict, description="Whole names, over the prefix")
    container_name: str = Field("step", description="Of the step, in the task definition")
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    assign_public_ip: bool = False
    ephemeral_gib: dict[Step, Annotated[int, Field(ge=21, le=200)]] = Field(
        default_factory=dict, description="Scratch space by step, over the 20 GiB of Fargate"
    )
    has_lake_mount: bool = Field(False, description="The task definition mounts a lake that is a folder at /lake")
    logs_group: str | None = Field(None, description="Of awslogs; by default no lines reach the task's log")
    logs_prefix: str = "step"
    poll_seconds: int = Field(10, ge=1)

    def task_definition(self, step: Step) -> str:
        """Returns the task definition that carries out a step."""
        return self.task_definitions.get(step) or f"{self.family_prefix}-{step}"
