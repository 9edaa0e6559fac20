"""Settings of all steps: runner, limits, sizes."""

from enum import StrEnum

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step


class RunnerKind(StrEnum):
    """What runs a step: a local process, or a container."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    ECS = "ecs"


class ConformSettings(SettingsPart):
    """Limits of the transform: size of one object, and size of a batch."""

    max_object_bytes: int = Field(8 * 2**30, gt=0, description="Uncompressed size of a file in a zip")
    max_ratio: float = Field(
        200.0, gt=1, description="Uncompressed size divided by compressed size; constant klines reach 21"
    )
    max_rows: int = Field(400_000_000, gt=0)
    partitions_per_batch: int = Field(100, ge=1, le=100)


class StepLimits(SettingsPart):
    """The resource limits of a container. Its scratch space is memory, and is part of that limit."""

    memory_mib: int = Field(4096, ge=64)
    cpus: float = Field(2.0, gt=0)
    scratch_mib: int = Field(2048, ge=16)


class StepSize(SettingsPart):
    """Settings for the steps of large orders. They override the settings for all steps."""

    from_mib: int = Field(gt=0, description="Smallest total size of the order's archive objects, compressed")
    runner: RunnerKind | None = None
    runners: dict[Step, RunnerKind] = Field(default_factory=dict, description="By step; overrides `runner`")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="On Kubernetes; overrides the selector of the deployment"
    )
