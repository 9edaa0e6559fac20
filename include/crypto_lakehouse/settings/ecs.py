"""Steps as tasks on ECS; see docs/containers.md."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step


def _listed(value: Any) -> Any:
    """Returns what a file of variables can say without quotes, `a,b`, as the list that it is."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [word for word in value.split(",") if word]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""In a variable `a,b`, or a JSON list."""
Steps = Annotated[tuple[Step, ...], NoDecode, BeforeValidator(_listed)]


class EcsNetwork(SettingsPart):
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
