"""The base of every part of the settings."""

from pydantic import BaseModel, ConfigDict


class SettingsPart(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
