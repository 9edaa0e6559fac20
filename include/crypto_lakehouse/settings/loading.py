"""Reads and validates the settings, once per process."""

import os
import tomllib
from functools import lru_cache

from pydantic import ValidationError
from pydantic_settings import SettingsError

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings.deployment import Settings
from crypto_lakehouse.settings.files import PREFIX, config_file


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Returns the deployment's settings, read and validated once per process.

    Raises:
        InvalidRequest: The file is missing or is not TOML, a key is unknown or a value is not acceptable.
    """
    unknown = _unknown_variables()
    if unknown:
        raise InvalidRequest(f"unknown environment variables: {', '.join(unknown)}", "See docs/configuration.md")
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(
            f"the configuration is not valid: {faults}", f"Read from {config_file() or 'the environment'}"
        ) from None
    except SettingsError as error:
        raise InvalidRequest(f"the configuration is not valid: {error}", "That variable takes JSON") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"the configuration {config_file()} is not TOML: {error}", "Correct the file") from error


def _unknown_variables() -> list[str]:
    names = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    return sorted(
        variable for variable in os.environ if variable.startswith(PREFIX) and variable.split("__")[0] not in names
    )
