"""The base of every part of the settings."""

from pydantic import BaseModel, ConfigDict, SecretStr

from crypto_lakehouse.foreign_text import keep_secret


class SettingsPart(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_post_init(self, context: object, /) -> None:
        """Keeps the secrets out of all messages: others may send them back to us."""
        for _, value in self:
            if isinstance(value, SecretStr):
                keep_secret(value.get_secret_value())
