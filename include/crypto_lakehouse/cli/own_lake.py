"""The lake that `--lake` names. It is in force for one command and for the processes that the command starts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "CRYPTO_LAKEHOUSE_LAKE"


def use_lake(lake: str) -> None:
    """Lets the command use another lake than the configured one."""
    from crypto_lakehouse.settings import load_settings

    os.environ[_VARIABLE] = lake
    load_settings.cache_clear()


@contextmanager
def lake_restored() -> Iterator[None]:
    """Makes the configured lake the one in force again, after the block."""
    before = os.environ.get(_VARIABLE)
    try:
        yield
    finally:
        if os.environ.get(_VARIABLE) != before:
            from crypto_lakehouse.settings import load_settings

            os.environ.pop(_VARIABLE, None)
            os.environ.update({} if before is None else {_VARIABLE: before})
            load_settings.cache_clear()
