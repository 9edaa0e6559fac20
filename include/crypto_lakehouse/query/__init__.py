"""Reading the lake: the SDK's `Lake`, and SQL in a locked-down session."""

from crypto_lakehouse.query.lake import Lake
from crypto_lakehouse.query.session import QueryLimits, QueryResult

__all__ = ["Lake", "QueryLimits", "QueryResult"]
