"""Where the configuration is read from: the environment's prefix and the file."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from crypto_lakehouse.checkout import find_checkout
from crypto_lakehouse.errors import InvalidRequest

PREFIX = "CRYPTO_LAKEHOUSE_"
"""Every environment variable of the configuration starts with it."""
HomePath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path of the configuration. `~` is the home folder, as in a shell."""
CONFIG_PATH = Path("config", "lakehouse.toml")
"""The file's place below the current folder, or below the checkout."""


def lake_address(lake: str) -> str:
    """Returns the address of a lake: a folder, where `~` is the home folder, or `s3://bucket/prefix`."""
    return lake if "://" in lake else os.path.expanduser(lake)  # noqa: PTH111  a Path would drop what follows `//`


def config_file() -> Path | None:
    """Returns the configuration file, or None where only the environment and the defaults apply.

    The file that `CRYPTO_LAKEHOUSE_CONFIG` names is first, then the one of the current folder, then the one of the
    checkout that the package runs from.

    Raises:
        InvalidRequest: The variable names a file that does not exist.
    """
    named = os.environ.get(f"{PREFIX}CONFIG")
    if named is not None:
        if not Path(named).is_file():
            raise InvalidRequest(f"the configuration {named} does not exist", f"Unset {PREFIX}CONFIG or name a file")
        return Path(named)
    folders = [folder for folder in (Path.cwd(), find_checkout()) if folder is not None]
    return next((folder / CONFIG_PATH for folder in folders if (folder / CONFIG_PATH).is_file()), None)
