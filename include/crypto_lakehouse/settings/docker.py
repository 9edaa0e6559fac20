"""Steps in containers of a Docker engine; see docs/containers.md."""

from typing import Annotated

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.settings.steps import StepLimits
from crypto_lakehouse.verbs import verb_of
from crypto_lakehouse.vocabulary import Step


class DockerSettings(SettingsPart):
    """How steps run in containers of a Docker engine; see docs/containers.md."""

    host: str | None = Field(None, description="The engine; by default DOCKER_HOST, or the local socket")
    registry: str = Field("crypto-lakehouse", description="Prefix of the image names")
    tag: str = "latest"
    images: dict[Step, str] = Field(default_factory=dict, description="Whole names, over registry and tag")
    user: str = Field("10001:10001", pattern=r"^[1-9][0-9]*:[0-9]+$", description="Never root")
    network: str = Field("bridge", description="Of the steps that need one")
    lake_source: str | None = Field(None, description="The engine's name for a lake that is a folder: a path or volume")
    mounts: tuple[Annotated[str, Field(pattern=r"^[^:]+:/[^:]+(:ro)?$")], ...] = ()
    pass_environment: tuple[str, ...] = Field((), description="Variables of the worker that steps get too")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)

    def image(self, step: Step) -> str:
        """Returns the image that carries out a step."""
        return self.images.get(step) or f"{self.registry}/{verb_of(step).image}:{self.tag}"

    def limits_of(self, step: Step) -> StepLimits:
        """Returns what a step may use."""
        return self.limits.get(step) or StepLimits()
