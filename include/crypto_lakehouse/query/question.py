"""A query on its way to the process that runs it, and the kinds of messages that come back."""

from collections.abc import Mapping
from dataclasses import dataclass

from crypto_lakehouse.query.limits import QueryLimits
from crypto_lakehouse.query.views import View

READY, TAKEN, ROWS, END, ERROR = b"r", b"t", b"b", b"d", b"e"
"""The first byte of each message: ready for a query, a query was taken, an Arrow stream, the end, an error."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query.

    Args:
        text: The statement.
        views: The views that the statement can read, by name.
        limits: The limits of the query.
    """

    text: str
    views: Mapping[str, View]
    limits: QueryLimits
