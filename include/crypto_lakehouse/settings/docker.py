"""Settings of steps in Docker containers; see docs/containers.md."""

from typing import Annotated

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.settings.steps import StepLimits
from crypto_lakehouse.verbs import verb_of
from crypto_lakehouse.vocabulary import Step


class DockerSettings(SettingsPart):
    """How a Docker engine runs steps."""

    host: str | None = Field(None, description="Address of the engine; by default DOCKER_HOST, or the local socket")
    registry: str = Field("crypto-lakehouse", description="Prefix of the images' names")
    tag: str = "latest"
    images: dict[Step, str] = Field(
        default_factory=dict, description="Whole image names by step; override registry and tag"
    )
    user: str = Field(
        "10001:10001", pattern=r"^[1-9][0-9]*:[0-9]+$", description="User and group as numbers; root is not allowed"
    )
    network: str = Field("bridge", description="Network of the steps that need one")
    lake_source: str | None = Field(None, description="Path or volume of a lake in a folder, as the engine names it")
    mounts: tuple[Annotated[str, Field(pattern=r"^[^:]+:/[^:]+(:ro)?$")], ...] = ()
    pass_environment: tuple[str, ...] = Field((), description="Environment variables of the worker that steps also get")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)

    def image(self, step: Step) -> str:
        """Returns the image of a step."""
        return self.images.get(step) or f"{self.registry}/{verb_of(step).image}:{self.tag}"

    def limits_of(self, step: Step) -> StepLimits:
        """Returns the limits of a step."""
        return self.limits.get(step) or StepLimits()
