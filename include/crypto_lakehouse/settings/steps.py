"""What runs a step, and what a step may use."""

from enum import StrEnum

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.vocabulary import Step


class RunnerKind(StrEnum):
    """What runs a step: a subprocess here, or a container somewhere."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    ECS = "ecs"


class ConformSettings(SettingsPart):
    """Bounds of the transform: what one object may be, and how much is worked on at once."""

    max_object_bytes: int = Field(8 * 2**30, gt=0, description="Inflated bytes of one member")
    max_ratio: float = Field(200.0, gt=1, description="Inflated per compressed bytes; constant klines reach 21")
    max_rows: int = Field(400_000_000, gt=0)
    partitions_per_batch: int = Field(100, ge=1, le=100)


class StepLimits(SettingsPart):
    """What a step's container may use; its scratch space is memory and counts as such."""

    memory_mib: int = Field(4096, ge=64)
    cpus: float = Field(2.0, gt=0)
    scratch_mib: int = Field(2048, ge=16)


class StepSize(SettingsPart):
    """How steps of large orders run. These settings replace the settings for all orders."""

    from_mib: int = Field(gt=0, description="Of the archive objects that an order is about, as downloaded")
    runner: RunnerKind | None = None
    runners: dict[Step, RunnerKind] = Field(default_factory=dict, description="For single steps, over `runner`")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict, description="On Kubernetes, over the deployment's")
