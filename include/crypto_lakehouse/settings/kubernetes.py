"""Steps as pods of a Kubernetes cluster; see docs/containers.md."""

from typing import Annotated

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")]
"""Of a secret in the cluster: its name and a key in it, `name/key`."""


class Toleration(SettingsPart):
    """A taint of nodes that steps put up with; the words are Kubernetes' own."""

    key: str | None = None
    operator: str = Field("Equal", pattern="^(Equal|Exists)$")
    value: str | None = None
    effect: str | None = Field(None, pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")


class StepRequests(SettingsPart):
    """What a step's pod is sure to get, and what a node is chosen by; never more than its limits."""

    memory_mib: int | None = Field(None, ge=64)
    cpus: float | None = Field(None, gt=0)


class KubernetesSettings(SettingsPart):
    """How steps run as pods; images, users and limits come from `docker.*`."""

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
    deadline_seconds: int = Field(21600, gt=0, description="The cluster ends a pod after this time in any case")
    poll_seconds: float = Field(5.0, gt=0)
