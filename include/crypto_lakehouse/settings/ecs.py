"""Settings of steps as tasks on ECS; see docs/containers.md."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step


def _listed(value: Any) -> Any:
    """Returns `a,b` and a JSON list as a list; files of variables cannot always quote JSON."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [word for word in value.split(",") if word]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Names; an environment variable has them as `a,b` or as a JSON list."""
Steps = Annotated[tuple[Step, ...], NoDecode, BeforeValidator(_listed)]


class EcsNetwork(SettingsPart):
    """The network interface of a task."""

    subnets: Names = ()
    security_groups: Names = ()
    assign_public_ip: bool = False


class EcsSettings(EcsNetwork):
    """How ECS runs steps. The task definition has the image, role, size and secrets."""

    cluster: str = "crypto-lakehouse"
    region: str | None = None
    connection_id: str | None = Field(None, description="Airflow connection; by default the role of the worker")
    deferrable: bool = Field(True, description="The triggerer waits for the task, so no worker slot is used")
    launch_type: str = Field("FARGATE", pattern="^(FARGATE|EC2|EXTERNAL)$")
    spot: Steps = Field((), description="Steps on Fargate Spot: cheaper, and interrupted when AWS needs the capacity")
    family_prefix: str = Field(
        "crypto-lakehouse", description="Prefix of the task definitions: prefix, `-`, name of the step"
    )
    task_definitions: dict[Step, str] = Field(
        default_factory=dict, description="Whole names by step; override the prefix"
    )
    container_name: str = Field("step", description="The container of the step in the task definition")
    networks: dict[Step, EcsNetwork] = Field(default_factory=dict, description="By step; overrides the network above")
    ephemeral_gib: dict[Step, Annotated[int, Field(ge=21, le=200)]] = Field(
        default_factory=dict, description="Scratch space by step; overrides the task definition"
    )
    has_lake_mount: bool = Field(False, description="The task definition mounts a lake in a folder at /lake")
    logs_group: str | None = Field(
        None,
        description="Log group of awslogs, with `{step}` for the step; by default Airflow shows no log lines of it",
    )
    logs_prefix: str = "step"
    poll_seconds: int = Field(10, ge=1)
    timeout_seconds: int = Field(43_200, gt=0, description="Longest wait for a task, including its start")

    def task_definition(self, step: Step) -> str:
        """Returns the task definition of a step."""
        return self.task_definitions.get(step) or f"{self.family_prefix}-{step}"

    def network(self, step: Step) -> EcsNetwork:
        """Returns the network of a step."""
        return self.networks.get(step, self)

    def logs_group_of(self, step: Step) -> str | None:
        """Returns the log group of a step, or None where there is none."""
        return None if self.logs_group is None else self.logs_group.replace("{step}", step)
