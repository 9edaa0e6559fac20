"""Settings of steps as pods of a Kubernetes cluster; see docs/kubernetes.md."""

from typing import Annotated

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")]
"""A key of a secret in the cluster: `name/key`."""


class Toleration(SettingsPart):
    """A taint of nodes that the pods tolerate, in the words of Kubernetes."""

    key: str | None = None
    operator: str = Field("Equal", pattern="^(Equal|Exists)$")
    value: str | None = None
    effect: str | None = Field(None, pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")


class StepRequests(SettingsPart):
    """The resource requests of a pod. They are at most its limits."""

    memory_mib: int | None = Field(None, ge=64)
    cpus: float | None = Field(None, gt=0)


class KubernetesSettings(SettingsPart):
    """How Kubernetes runs steps. `docker.*` has the images, users and limits."""

    namespace: str = Field("crypto-lakehouse", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    connection_id: str | None = Field(None, description="Airflow connection; by default the cluster of the worker")
    deferrable: bool = Field(True, description="The triggerer waits for the pod, so no worker slot is used")
    service_account: str | None = Field(
        None, description="Service account of the pods; its role has access to the lake"
    )
    image_pull_secrets: tuple[str, ...] = ()
    secrets: dict[VariableName, SecretKey] = Field(
        default_factory=dict, description="Environment variables of the pods, from secrets"
    )
    requests: dict[Step, StepRequests] = Field(default_factory=dict, description="By step; by default the limits")
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    lake_claim: str | None = Field(None, description="Volume claim of a lake in a folder")
    startup_timeout_seconds: int = Field(
        600, gt=0, description="Longest wait for a node and the image, until the step starts"
    )
    deadline_seconds: int = Field(
        21600, gt=0, description="The cluster ends a pod after this time, also when no process waits for it"
    )
    poll_seconds: float = Field(5.0, gt=0)
