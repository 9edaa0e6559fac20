"""The public API for reading a lake: the SDK, and SQL in a locked session."""

from crypto_lakehouse.query.arguments import Instant
from crypto_lakehouse.query.lake import Lake
from crypto_lakehouse.query.published import INFO_SCHEMA
from crypto_lakehouse.query.session import QueryLimits, QueryResult

__all__ = ["INFO_SCHEMA", "Instant", "Lake", "QueryLimits", "QueryResult"]
