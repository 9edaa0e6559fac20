"""The public API for reading a lake: the SDK, and SQL in a locked session."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crypto_lakehouse.query.arguments import Instant
    from crypto_lakehouse.query.lake import Lake
    from crypto_lakehouse.query.limits import QueryLimits, QueryResult
    from crypto_lakehouse.query.published import INFO_SCHEMA

__all__ = ["INFO_SCHEMA", "Instant", "Lake", "QueryLimits", "QueryResult"]

_MODULES = {"INFO_SCHEMA": "published", "Instant": "arguments", "Lake": "lake"}
"""The modules of the names that are not in `limits`."""


def __getattr__(name: str) -> object:
    # Loaded at first use: a process that runs a query needs a module of this package, but not the SDK.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'limits')}"), name)
